"""Reading one measured channel (depth, temperature) without losing a bit of it."""

from pathlib import Path

import numpy as np

from .loading import read_image


def read_measurements(path: str | Path) -> np.ndarray:
    """Decode a grey image of 8 or 16 bits, of 32 bits or floats (TIFF), or a ``.npy`` file of integers or floats.

    Grey images that were saved with three equal channels, or with an alpha channel, are taken as one channel.

    Args:
        path: The file.

    Returns:
        (H, W) uint8, uint16, int32, float32, or what the ``.npy`` file holds.

    Raises:
        FileNotFoundError: The file does not exist.
        OSError: The file is empty, truncated, corrupt or neither an image nor an array.
        ValueError: The file is a colour picture, or the array is not one channel of real numbers.
    """
    if Path(path).suffix == '.npy':
        return _read_npy(path)
    image = read_image(path, measured=True)
    if image.mode in ('1', 'L', 'F') or image.mode.startswith('I'):
        return np.asarray(image.convert('L') if image.mode == '1' else image)
    channels = np.asarray(image.convert('L' if image.mode == 'LA' else 'RGB'))
    if channels.ndim == 3 and (channels != channels[..., :1]).any():
        raise ValueError(
            f'{path} is a colour picture (mode {image.mode}), not one measured channel. Take the raw file instead, or '
            'load it as a picture with LoadModalityImage.'
        )
    return channels if channels.ndim == 2 else channels[..., 0]


def _read_npy(path: str | Path) -> np.ndarray:
    try:
        array = np.load(path, allow_pickle=False)
    except FileNotFoundError:
        raise FileNotFoundError(f'{path} does not exist.') from None
    except Exception as error:  # NumPy parses the header as Python, and a broken one raises whatever that leads to
        raise OSError(f'{path} ({Path(path).stat().st_size} bytes) cannot be read as NPY: {error}. Write it again with '
                      'numpy.save, as an array of numbers.') from error
    array = array[..., 0] if array.ndim == 3 and array.shape[-1] == 1 else array
    if array.ndim != 2 or array.dtype.kind not in 'uif':
        raise ValueError(f'{path} holds {array.dtype} of shape {array.shape}; (height, width) integers or floats are '
                         'expected. Write it again with numpy.save.')
    return array
