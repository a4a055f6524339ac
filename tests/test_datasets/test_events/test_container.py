import numpy as np
import pytest
from event_files import SENSOR, random_events

from mmdass.datasets.events import Events


def checked(**changes):
    columns = dict(t=np.array([1, 5, 5, 9]), x=np.array([0, 1, 2, 63]), y=np.array([0, 1, 2, 47]),
                   p=np.array([0, 1, 1, 0]))
    return Events.checked(**{**columns, **changes}, height=48, width=64, source='a.npz')


@pytest.mark.parametrize('p', [[0, 1, 1, 0], [-1, 1, 1, -1], [False, True, True, False]])
def test_polarities_become_0_and_1(p):
    events = checked(p=np.array(p))
    assert events.p.tolist() == [0, 1, 1, 0] and events.p.dtype == np.uint8
    assert events.t.dtype == np.int64 and len(events) == 4


@pytest.mark.parametrize(('changes', 'message'), [
    (dict(t=[1, 5, 4, 9]), r'a\.npz: 1 events are out of order, the first at index 2: 4 us follows 5 us\. Sort'),
    (dict(t=np.array([9, 5, 5, 9], np.uint32)), r'1 events are out of order, the first at index 1'),
    (dict(x=[0, 1, 2, 64]), r'outside the sensor of 48 x 64 .*x in \[0, 64\].*Set the size of the sensor'),
    (dict(y=[0, 1, 2, 48]), r'outside the sensor of 48 x 64 .*y in \[0, 48\]'),
    (dict(x=[0, -1, 2, 3]), r'outside the sensor .*x in \[-1, 3\]'),
    (dict(p=[0, 1, 2, 0]), r'polarities \[0, 1, 2\]; 0 and 1, or -1 and 1'),
    (dict(p=[0, 1, -1, 0]), r'polarities \[-1, 0, 1\]'),
    (dict(t=[0.1, 0.2, 0.3, 0.4]), r't is float64, integers are expected \(t in microseconds\)'),
    (dict(p=[0, 1, 1]), r'not lists of one length.*copy it again'),
])
def test_wrong_arrays_are_refused_with_file_and_remedy(changes, message):
    with pytest.raises(ValueError, match=message):
        checked(**{name: np.asarray(values) for name, values in changes.items()})


def test_rectification_rounds_and_drops_what_leaves_the_image():
    events = random_events()
    rectify_map = np.stack(np.meshgrid(np.arange(64.0), np.arange(48.0)), axis=-1) + (2.6, -1.6)
    moved = events.rectified(rectify_map)
    stay = (events.x + 3 < 64) & (events.y >= 2)
    np.testing.assert_array_equal(moved.x, events.x[stay] + 3)
    np.testing.assert_array_equal(moved.y, events.y[stay] - 2)
    np.testing.assert_array_equal(moved.t, events.t[stay])
    np.testing.assert_array_equal(moved.p, events.p[stay])
    assert 0 < len(moved) < len(events)


def test_rectification_map_of_another_camera_is_refused():
    with pytest.raises(ValueError, match=r'map is \(64, 48, 2\), \(48, 64, 2\) is expected'):
        random_events().rectified(np.zeros((64, 48, 2)))


def test_crop_keeps_the_upper_left():
    events = random_events()
    cropped = events.cropped(40, 60)
    assert (cropped.height, cropped.width) == (40, 60) and SENSOR == (48, 64)
    assert len(cropped) == ((events.x < 60) & (events.y < 40)).sum() > 0
    assert cropped.x.max() == 59 and cropped.y.max() == 39
