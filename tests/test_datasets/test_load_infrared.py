import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from trees import noise, write_png

from mmdass.datasets import LoadInfrared


def load(path, **kwargs):
    return LoadInfrared(**kwargs)(dict(img_path=str(path)))['img']


@pytest.fixture(scope='module')
def counts(tmp_path_factory):
    """0.04 K a count, 280 to 320 K, and a hot spot."""
    values = np.random.default_rng(0).integers(7000, 8001, (48, 64)).astype(np.uint16)
    values[0, 0] = 20_000
    return values, write_png(tmp_path_factory.mktemp('infrared') / 'a.png', values)


def test_a_range_in_kelvin(counts):
    values, path = counts
    img = load(path, value_range=(280, 320), gain=0.04)
    assert img.shape == (48, 64, 3) and img.dtype == np.uint8 and (img == img[..., :1]).all()
    expected = np.clip((values * 0.04 - 280) / 40, 0, 1) * 255
    np.testing.assert_allclose(img[..., 0], expected, atol=0.51)


def test_offset_is_added(counts):
    np.testing.assert_allclose(
        load(counts[1], value_range=(6.85, 46.85), gain=0.04, offset=-273.15).astype(int),
        load(counts[1], value_range=(280, 320), gain=0.04), atol=1)


def test_percentiles_are_not_fooled_by_one_hot_pixel(counts):
    values, path = counts
    img = load(path)[..., 0]
    low, high = np.percentile(values, (1, 99))
    assert (img[values <= low] == 0).all() and (img[values >= high] == 255).all()
    assert abs(float(img.mean()) - 127.5) < 5


@given(st.integers(0, 60_000), st.integers(1, 5000))
def test_a_full_range_orders_pixels_as_the_file_does(counts, low, span):
    values, path = counts
    img = load(path, value_range=(low, low + span))[..., 0]
    order = np.argsort(values, axis=None)
    assert (np.diff(img.ravel()[order].astype(int)) >= 0).all()


def test_eight_bits_over_their_whole_range_are_kept(tmp_path):
    values = noise(6, 8)
    np.testing.assert_array_equal(
        load(write_png(tmp_path / 'a.png', values), value_range=(0, 255))[..., 0], values)


def test_clahe_raises_local_contrast(tmp_path):
    values = np.add.outer(np.repeat([0, 200], 32), np.random.default_rng(0).integers(0, 20, 64)).astype(np.uint8)
    path = write_png(tmp_path / 'a.png', values)
    plain, equalized = (load(path, value_range=(0, 255), clahe=clahe)[:16, :, 0] for clahe in (None, 4.0))
    assert equalized.std() > 1.5 * plain.std()


def test_one_value_everywhere_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r'a\.png has one value almost everywhere \(7\.0\).*Set `value_range`'):
        load(write_png(tmp_path / 'a.png', np.full((4, 4), 7, np.uint8)))


def test_nan_is_refused(tmp_path):
    np.save(tmp_path / 'a.npy', np.array([[1, np.nan]]))
    with pytest.raises(ValueError, match=r'a\.npy has NaN or infinite values'):
        load(tmp_path / 'a.npy')


@pytest.mark.parametrize('kwargs', [dict(value_range=(5, 5)), dict(percentiles=(99, 1))])
def test_empty_ranges_are_refused(kwargs):
    with pytest.raises(ValueError, match=rf'`{next(iter(kwargs))}` of LoadInfrared is \(low, high\)'):
        LoadInfrared(**kwargs)
