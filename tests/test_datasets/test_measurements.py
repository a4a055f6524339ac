import numpy as np
import pytest
from PIL import Image
from trees import noise, write_png

from mmdass.datasets.transforms.measurements import read_measurements


def noise16(*shape):
    return np.random.default_rng(0).integers(0, 65536, shape, dtype=np.uint16)


@pytest.mark.parametrize('name', ['a.png', 'a.tif'])
@pytest.mark.parametrize('values', [noise(5, 7), noise16(5, 7)], ids=['8 bits', '16 bits'])
def test_every_bit_is_kept(tmp_path, name, values):
    read = read_measurements(write_png(tmp_path / name, values))
    assert read.dtype == values.dtype
    np.testing.assert_array_equal(read, values)


@pytest.mark.parametrize('dtype', ['float32', 'float64', 'uint16', 'int32'])
@pytest.mark.parametrize('shape', [(5, 7), (5, 7, 1)])
def test_npy(tmp_path, dtype, shape):
    values = noise(*shape).astype(dtype)
    np.save(tmp_path / 'a.npy', values)
    np.testing.assert_array_equal(read_measurements(tmp_path / 'a.npy'), values.reshape(5, 7))


@pytest.mark.parametrize('channels', [2, 3, 4])
def test_grey_saved_with_several_channels_is_one(tmp_path, channels):
    grey = noise(5, 7)
    pixels = np.repeat(grey[..., None], channels, axis=2)
    pixels[..., channels - 1] = 255 if channels in (2, 4) else grey
    np.testing.assert_array_equal(read_measurements(write_png(tmp_path / 'a.png', pixels)), grey)


def test_colour_picture_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r'a\.png is a colour picture \(mode RGB\).*Take the raw file'):
        read_measurements(write_png(tmp_path / 'a.png', noise(5, 7, 3)))


@pytest.mark.parametrize('kept', [0, 40, 0.6])
def test_truncated_sixteen_bit_png_is_named(tmp_path, kept):
    path = write_png(tmp_path / 'broken.png', noise16(64, 64))
    data = path.read_bytes()
    path.write_bytes(data[:int(kept * len(data)) if kept < 1 else kept])
    with pytest.raises(OSError, match=r'broken\.png \(\d+ bytes\) cannot be read as an image'):
        read_measurements(path)


@pytest.mark.parametrize('dtype', ['int32', 'float32'])
def test_tiff_of_32_bits(tmp_path, dtype):
    values = (1000 * np.random.default_rng(0).standard_normal((5, 7))).astype(dtype)
    Image.fromarray(values).save(tmp_path / 'a.tif')
    read = read_measurements(tmp_path / 'a.tif')
    assert read.dtype == values.dtype
    np.testing.assert_array_equal(read, values)


@pytest.mark.parametrize('array', [
    np.ones((4, 4), complex), np.ones((4, 4), bool), np.array([['a']]), np.ones((4, 4, 3)), np.ones(4),
])
def test_wrong_dtype_or_shape_of_npy_is_refused(tmp_path, array):
    np.save(tmp_path / 'a.npy', array)
    with pytest.raises(ValueError, match=r'a\.npy holds .* of shape .*\(height, width\) integers or floats'):
        read_measurements(tmp_path / 'a.npy')


def test_npy_of_objects_and_broken_npy_are_refused(tmp_path):
    np.save(tmp_path / 'a.npy', np.array([[None]]), allow_pickle=True)
    with pytest.raises(OSError, match=r'a\.npy \(\d+ bytes\) cannot be read as NPY: Object arrays'):
        read_measurements(tmp_path / 'a.npy')
    np.save(tmp_path / 'b.npy', np.ones((64, 64)))
    (tmp_path / 'b.npy').write_bytes((tmp_path / 'b.npy').read_bytes()[:1000])
    with pytest.raises(OSError, match=r'b\.npy \(1000 bytes\) cannot be read as NPY'):
        read_measurements(tmp_path / 'b.npy')


@pytest.mark.parametrize('name', ['nowhere.png', 'nowhere.npy'])
def test_missing_file_is_named(tmp_path, name):
    with pytest.raises(FileNotFoundError, match=rf'{name} does not exist'):
        read_measurements(tmp_path / name)


def test_unreadable_file_is_named(tmp_path):
    for name in ('folder.png', 'folder.npy'):
        (tmp_path / name).mkdir()
        with pytest.raises(OSError, match=rf'{name} \(\d+ bytes\) cannot be read'):
            read_measurements(tmp_path / name)
