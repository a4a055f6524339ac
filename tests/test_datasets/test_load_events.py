import numpy as np
import pytest
from event_files import SENSOR, random_events, write_dsec, write_rectify_map

from mmdass.datasets import Events, LoadEvents
from mmdass.datasets.events import REPRESENTATIONS

OFFSET = 50_000_000_000


@pytest.fixture(scope='module')
def recording(tmp_path_factory):
    events = random_events()
    return events, write_dsec(tmp_path_factory.mktemp('dsec') / 'events.h5', events, OFFSET)


def load(path, timestamp=None, **kwargs):
    results = dict(img_path=str(path))
    if timestamp is not None:
        results['timestamp'] = OFFSET + timestamp
    return LoadEvents(sensor=SENSOR, **kwargs)(results)


def part(events, mask):
    return Events(events.t[mask], events.x[mask], events.y[mask], events.p[mask], *SENSOR)


@pytest.mark.parametrize(('name', 'options', 'shape', 'dtype', 'limits'), [
    ('edge', dict(contrast=10), (48, 64, 3), np.uint8, (0, 255)),
    ('histogram', {}, (48, 64, 2), np.float32, (0, np.inf)),
    ('voxel_grid', dict(bins=3), (48, 64, 3), np.float32, (-np.inf, np.inf)),
    ('time_surface', dict(decay=1000.0), (48, 64, 2), np.float32, (0, 1)),
])
def test_each_representation_of_the_window_before_the_timestamp(recording, name, options, shape, dtype, limits):
    events, path = recording
    results = load(path, 150_000, duration=50_000, representation=name, **options)
    img = results['img']
    assert img.shape == shape and img.dtype == dtype and results['img_shape'] == results['ori_shape'] == SENSOR
    assert limits[0] <= img.min() and img.max() <= limits[1]
    window = part(events, (events.t >= 100_000) & (events.t < 150_000))
    expected = REPRESENTATIONS[name](window, **options)
    np.testing.assert_allclose(img, expected[..., None].repeat(3, 2) if name == 'edge' else expected, rtol=1e-5)


def test_a_number_of_events_before_the_timestamp_or_the_end(recording):
    events, path = recording
    before = int((events.t < 150_000).sum())
    counts = load(path, 150_000, count=300, representation='histogram')['img']
    assert counts.sum() == 300
    np.testing.assert_array_equal(counts, REPRESENTATIONS['histogram'](events.between(before - 300, before)))
    counts = load(path, count=300, representation='histogram')['img']
    np.testing.assert_array_equal(counts, REPRESENTATIONS['histogram'](events.between(4700, 5000)))


def test_a_file_a_sample(recording, tmp_path):
    events, _ = recording
    np.savez(tmp_path / 'a.npz', t=events.t, x=events.x, y=events.y, p=events.p)
    assert load(tmp_path / 'a.npz', representation='histogram')['img'].sum() == len(events)


def test_rectified_and_cropped_like_the_labels(recording):
    events, path = recording
    rectify_map = np.stack(np.meshgrid(np.arange(64.0), np.arange(48.0)), axis=-1) + (3, 5)
    write_rectify_map(path.parent / 'shift.h5', rectify_map)
    img = load(path, 50_000, duration=50_000, representation='histogram', rectify_map='shift.h5', crop=(44, 64))['img']
    plain = load(path, 50_000, duration=50_000, representation='histogram')['img']
    assert img.shape == (44, 64, 2)
    np.testing.assert_array_equal(img[5:, 3:], plain[:39, :61])
    assert img[:5].sum() == img[:, :3].sum() == 0


def test_the_loading_of_dsec_by_default():
    transform = LoadEvents(duration=50_000, rectify_map='rectify_map.h5', crop=(440, 640))
    assert transform.sensor == (480, 640) and transform.representation == 'edge'


@pytest.mark.parametrize(('kwargs', 'message'), [
    (dict(representation='edges'), "represented as edge, histogram, voxel_grid, time_surface, not 'edges'"),
    (dict(duration=0), 'window of 0 us is empty or negative'),
    (dict(duration=-5), 'window of -5 us is empty or negative'),
    (dict(duration=5, count=5), 'a `duration` or a `count`, not both'),
])
def test_wrong_arguments_are_refused(kwargs, message):
    with pytest.raises(ValueError, match=message):
        LoadEvents(**kwargs)


def test_windows_without_events_or_bounds_are_refused(recording):
    path = recording[1]
    with pytest.raises(ValueError, match=r'events\.h5 holds no event in .*leave this window out'):
        load(path, 10**9, duration=1000)
    with pytest.raises(ValueError, match=r'events\.h5 comes without a timestamp.*EventDataset'):
        load(path, duration=1000)
    with pytest.raises(ValueError, match=r'events\.h5 is a recording of many frames: set `duration`'):
        load(path, 1000)
    write_rectify_map(path.parent / 'away.h5', np.full((*SENSOR, 2), -9))
    with pytest.raises(ValueError, match=r'events\.h5: every event .* leaves the image'):
        load(path, 50_000, duration=50_000, rectify_map='away.h5')
