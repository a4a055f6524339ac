import numpy as np
import pytest
from trees import write_png

from mmdass.datasets import DepthCoding, LoadDepth


def load(path, **kwargs):
    return LoadDepth(**kwargs)(dict(img_path=str(path)))


@pytest.fixture
def millimetres(tmp_path):
    """16-bit depth from 0.5 to 60 m; the corner was not measured."""
    depth = np.linspace(500, 60_000, 48).reshape(6, 8).astype(np.uint16)
    depth[0, 0] = 0
    return depth, write_png(tmp_path / 'depth.png', depth)


def test_grey_levels_decode_to_the_metres_of_the_file(millimetres):
    depth, path = millimetres
    results = load(path, coding='log', near=0.3, far=80)
    img = results['img']
    assert img.shape == (6, 8, 3) and img.dtype == np.uint8 and (img == img[..., :1]).all()
    assert results['img_shape'] == results['ori_shape'] == (6, 8)
    metres = DepthCoding('log', 0.3, 80).decode(img[..., 0])
    ratio = metres[depth > 0] / (depth[depth > 0] / 1000)
    assert (np.abs(np.log(ratio)) <= np.log(80 / 0.3) / 255 / 2 + 1e-6).all()
    assert img[0, 0, 0] == 0 and (np.diff(img[..., 0].ravel().astype(int)) >= 0).all()


def test_invalid_pixels_get_their_grey_level(millimetres):
    img = load(millimetres[1], far=80, invalid_grey=200)['img']
    assert img[0, 0].tolist() == [200] * 3 and (img[0, 1] < 100).all()


def test_an_invalid_value_that_looks_like_a_depth(tmp_path):
    path = write_png(tmp_path / 'a.png', np.array([[65535, 1000]], np.uint16))
    assert load(path, far=60, coding='linear')['img'][0, 0, 0] == 255
    assert load(path, far=60, coding='linear', invalid=65535)['img'][0, 0, 0] == 0


def test_eight_bit_depth_with_its_own_unit(tmp_path):
    path = write_png(tmp_path / 'nyu.png', np.array([[0, 51, 255]], np.uint8))
    metres = load(path, unit=1 / 25.5, coding='metres')['img']
    assert metres.shape == (1, 3, 1) and metres.dtype == np.float32
    np.testing.assert_allclose(metres[0, :, 0], [np.nan, 2, 10], rtol=1e-6)


def test_npy_in_metres_with_nan_and_negative_values(tmp_path):
    np.save(tmp_path / 'a.npy', np.array([[np.nan, -1, np.inf, 2.5]]))
    metres = load(tmp_path / 'a.npy', unit=1, coding='metres')['img']
    np.testing.assert_array_equal(metres[0, :, 0], [np.nan, np.nan, np.nan, 2.5])


def test_cityscapes_disparity(tmp_path):
    # metres = baseline * focal / ((value - 1) / 256); 0 is invalid, 1 is infinitely far
    path = write_png(tmp_path / 'a.png', np.array([[0, 1, 1 + 256 * 10, 1 + 256 * 100]], np.uint16))
    disparity = dict(unit=1 / 256, disparity_zero=1, baseline_focal=0.2 * 2250)
    metres = load(path, coding='metres', **disparity)['img']
    np.testing.assert_allclose(metres[0, :, 0], [np.nan, np.nan, 45, 4.5], rtol=1e-6)
    img = load(path, coding='inverse', near=4.5, far=45, **disparity)['img']
    assert img[0, :, 0].tolist() == [0, 0, 255, 0]


def test_depth_without_a_valid_pixel_is_refused(tmp_path):
    path = write_png(tmp_path / 'a.png', np.zeros((4, 4), np.uint16))
    with pytest.raises(ValueError, match=r'a\.png has no valid depth.*Check `invalid` and `unit`'):
        load(path)


def test_unknown_coding_is_refused():
    with pytest.raises(ValueError, match="not 'cubic'"):
        LoadDepth(coding='cubic')
