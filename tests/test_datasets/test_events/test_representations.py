import numpy as np
import pytest
from event_files import random_events
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mmdass.datasets.events import (
    REPRESENTATIONS,
    Events,
    edge_image,
    histogram,
    representations,
    time_surface,
    voxel_grid,
)


@st.composite
def windows(draw) -> Events:
    """Few pixels, so that they are hit often; times that repeat."""
    height, width, number = draw(st.integers(1, 4)), draw(st.integers(1, 5)), draw(st.integers(0, 60))

    def column(low, high, dtype):
        return draw(hnp.arrays(dtype, number, elements=st.integers(low, high)))

    start = draw(st.integers(0, 10**15))
    t = np.sort(column(0, 1000, np.int64)) + start
    x, y = column(0, width - 1, np.uint16), column(0, height - 1, np.uint16)
    return Events(t, x, y, column(0, 1, np.uint8), height, width)


def each(events):
    return zip(events.t.tolist(), events.x.tolist(), events.y.tolist(), events.p.tolist(), strict=True)


@given(windows())
def test_histogram_conserves_counts_and_polarity(events):
    counts = histogram(events)
    assert counts.shape == (events.height, events.width, 2) and counts.dtype == np.float32
    assert counts[..., 1].sum() == events.p.sum() and counts.sum() == len(events)
    expected = np.zeros_like(counts)
    for _, x, y, p in each(events):
        expected[y, x, p] += 1
    np.testing.assert_array_equal(counts, expected)


@given(windows(), st.integers(2, 6))
def test_voxel_grid_conserves_the_polarity_of_each_pixel(events, bins):
    grid, counts = voxel_grid(events, bins), histogram(events)
    assert grid.shape == (events.height, events.width, bins) and grid.dtype == np.float32
    np.testing.assert_allclose(grid.sum(-1), counts[..., 1] - counts[..., 0], atol=1e-4)


@given(windows(), st.integers(2, 6))
def test_voxel_grid_is_bilinear_in_time(events, bins):
    expected = np.zeros((events.height, events.width, bins))
    for t, x, y, p in each(events):
        position = (t - int(events.t[0])) / max(int(events.t[-1] - events.t[0]), 1) * (bins - 1)
        for bin_ in range(bins):
            expected[y, x, bin_] += (2 * p - 1) * max(0, 1 - abs(position - bin_))
    np.testing.assert_allclose(voxel_grid(events, bins), expected, atol=1e-4)


@given(windows(), st.sampled_from([50.0, 10_000.0]))
def test_time_surface_holds_the_newest_event_of_each_polarity(events, decay):
    expected = np.zeros((events.height, events.width, 2))
    for t, x, y, p in each(events):
        expected[y, x, p] = np.exp((t - events.t[-1]) / decay)
    surface = time_surface(events, decay)
    np.testing.assert_allclose(surface, expected, atol=1e-6)
    np.testing.assert_array_equal(surface > 0, histogram(events) > 0)


@given(windows(), st.sampled_from([1.0, 10.0, 25.5]))
def test_edge_image_is_the_signed_count_on_mid_grey(events, contrast):
    counts = histogram(events)
    net = counts[..., 1] - counts[..., 0]
    image = edge_image(events, contrast)
    assert image.shape == (events.height, events.width) and image.dtype == np.uint8
    inside = np.abs(contrast * net) < 127
    np.testing.assert_allclose(image[inside], (128 + contrast * net)[inside], atol=0.5)
    assert (image[net == 0] == 128).all()
    assert (np.sign(image.astype(int) - 128) == np.sign(net)).all()


def test_edge_image_by_hand():
    # five darker, none, one brighter and one darker, one brighter, six brighter
    x, p = np.array([0] * 5 + [2, 2, 3] + [4] * 6), np.array([0] * 5 + [1, 0, 1] + [1] * 6, np.uint8)
    events = Events(np.arange(14), x, np.zeros(14, int), p, 1, 5)
    assert edge_image(events)[0].tolist() == [0, 128, 128, 154, 255]
    assert edge_image(events, contrast=1)[0].tolist() == [123, 128, 128, 129, 134]


def test_one_bin_is_refused():
    with pytest.raises(ValueError, match='at least 2 bins, not 1'):
        voxel_grid(random_events(), bins=1)


@pytest.mark.parametrize('name', REPRESENTATIONS)
def test_a_window_is_left_as_it_was(name):
    events, same = random_events(), random_events()
    REPRESENTATIONS[name](events)
    for column in 'txyp':
        np.testing.assert_array_equal(getattr(events, column), getattr(same, column))


@pytest.mark.parametrize('name', ['voxel_grid', 'time_surface'])
def test_long_windows_are_taken_in_blocks_that_leave_no_seam(name, monkeypatch):
    events, represent = random_events(), REPRESENTATIONS[name]
    whole, blocks = represent(events), representations._blocks
    monkeypatch.setattr(representations, '_blocks', lambda events: blocks(events, size=700))
    np.testing.assert_allclose(represent(events), whole, atol=1e-5)
