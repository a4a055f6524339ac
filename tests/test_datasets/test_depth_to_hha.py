import numpy as np
import pytest

from mmdass.datasets import DepthToHHA

SIZE, FOCAL, CAMERA_HEIGHT = (60, 80), 50.0, 1.5


def rays():
    y, x = np.mgrid[:SIZE[0], :SIZE[1]].astype(float)
    return np.stack([(x - 39.5) / FOCAL, (y - 29.5) / FOCAL, np.ones(SIZE)], axis=-1)


def plane(normal, distance):
    """Depth of the plane n . P = distance."""
    along = rays() @ np.asarray(normal, float)
    with np.errstate(divide='ignore'):
        depth = distance / along
    return np.where((depth > 0) & (depth < 50), depth, np.nan)


def hha(metres, **kwargs):
    kwargs = dict(focal=FOCAL, camera_height=CAMERA_HEIGHT, **kwargs)
    results = DepthToHHA(**kwargs)(dict(img=metres[..., None].astype(np.float32), img_path='a.png'))
    assert results['img'].shape == (*SIZE, 3) and results['img'].dtype == np.uint8
    return results['img'][..., ::-1].astype(int)  # RGB: disparity, height, angle


def inner(channel, valid):
    """Pixels whose neighbourhood is valid."""
    kernel = np.lib.stride_tricks.sliding_window_view(np.pad(valid, 3), (7, 7)).all((2, 3))
    return channel[kernel]


@pytest.mark.parametrize(('normal', 'distance', 'angle', 'height'), [
    ((0, 1, 0), CAMERA_HEIGHT, 38, 0),  # the floor
    ((0, -1, 0), 1.0, 218, 250),  # a ceiling 2.5 m above it
    ((0, 0, 1), 4.0, 128, None),  # a wall ahead
    ((1, 0, 0), 3.0, 128, None),  # a wall to the right
    ((0, 1, 1), 4.0, 83, None),  # a ramp
])
def test_planes(normal, distance, angle, height):
    depth = plane(normal, distance)
    valid = np.isfinite(depth)
    channels = hha(depth)
    assert np.abs(inner(channels[..., 2], valid) - angle).max() <= 1 and inner(channels[..., 2], valid).size > 100
    disparity = np.clip(310 / depth[valid], 0, 255)
    assert np.abs(channels[valid][:, 0] - disparity).max() <= 0.51
    metres = np.clip(100 * (CAMERA_HEIGHT - (depth * rays()[..., 1])[valid]), 0, 255)
    assert np.abs(channels[valid][:, 1] - metres).max() <= 0.51
    if height is not None:
        assert np.abs(channels[valid][:, 1] - height).max() <= 1
    assert (channels[~valid] == 0).all()


def test_holes_do_not_bend_the_surface():
    depth = plane((0, 1, 1), 4.0)
    whole = hha(depth)
    holes = np.random.default_rng(0).random(SIZE) < 0.3
    depth[holes] = np.nan
    channels = hha(depth)
    kept = np.isfinite(depth)
    assert np.abs(channels - whole)[kept][:, 2].max() <= 1 and (channels[holes] == 0).all()


def test_a_tilted_camera_is_told_by_its_gravity():
    tilt = np.radians(30)
    down = (0, np.cos(tilt), np.sin(tilt))
    depth = plane(down, CAMERA_HEIGHT)
    valid = np.isfinite(depth)
    assert np.abs(inner(hha(depth, gravity=down)[..., 2], valid) - 38).max() <= 1
    assert np.abs(hha(depth, gravity=down)[valid][:, 1]).max() <= 1
    assert np.abs(inner(hha(depth)[..., 2], valid) - 68).max() <= 1


def test_the_ground_is_found_without_a_camera_height():
    depth = np.fmin(plane((0, 1, 0), CAMERA_HEIGHT), plane((0, 0, 1), 8.0))
    given = hha(depth)
    results = DepthToHHA(focal=FOCAL)(dict(img=depth[..., None].astype(np.float32)))
    assert np.abs(results['img'][..., 1].astype(int) - given[..., 1]).max() <= 2


def test_focal_and_center_of_each_axis():
    depth = plane((0, 0, 1), 4.0)
    assert (DepthToHHA(focal=(FOCAL, FOCAL), center=(39.5, 29.5), camera_height=1.5).encode(depth) ==
            DepthToHHA(focal=FOCAL, camera_height=1.5).encode(depth)).all()
    height = DepthToHHA(focal=(FOCAL, 2 * FOCAL), center=(39.5, 19.5), camera_height=1.5).encode(depth)[..., 1]
    assert height[29, 0] == round(100 * (1.5 - 4 * 9.5 / 100))


@pytest.mark.parametrize('img', [np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4, 3), np.float32)])
def test_pictures_are_refused(img):
    with pytest.raises(ValueError, match=r"a\.png comes to DepthToHHA as .*Put LoadDepth\(coding='metres'\)"):
        DepthToHHA(focal=1)(dict(img=img, img_path='a.png'))


def test_two_pixels_are_no_surface():
    depth = np.full(SIZE, np.nan)
    depth[20, 30:32] = 3.1, 3.3
    assert (hha(depth) == 0).all()
