"""Reading image files of any modality as 8-bit BGR, and refusing what cannot be read faithfully."""

from pathlib import Path

import mmcv
import numpy as np
from mmcv.transforms import BaseTransform
from PIL import Image

from mmdass.registry import TRANSFORMS

_PNG_SIGNATURE = b'\x89PNG\r\n\x1a\n'
_EIGHT_BIT_MODES = ('1', 'L', 'LA', 'P', 'PA', 'RGB', 'RGBA', 'RGBX', 'CMYK', 'YCbCr')
_MEASURED_MODES = ('I;16', 'I;16B', 'I', 'F')


def read_image(path: str | Path, measured: bool = False) -> Image.Image:
    """Decode an image file completely, as it is: palette images keep their indices.

    Args:
        path: An image file of 8 bits a channel.
        measured: Accept grey images of 16 bits, 32 bits and floats (TIFF), too.

    Raises:
        FileNotFoundError: The file does not exist.
        OSError: The file is empty, truncated, corrupt, no image, or declares more pixels than Pillow's limit.
        ValueError: The file has more bits a channel.
    """
    try:
        image = Image.open(path)
        bits = _png_bits(path) if image.format == 'PNG' else 8
        readable = image.mode in _EIGHT_BIT_MODES and bits <= 8 or measured and image.mode in _MEASURED_MODES
        if readable:
            image.load()
    except FileNotFoundError:
        raise FileNotFoundError(f'{path} does not exist.') from None
    except Exception as error:  # Pillow's decoders meet damage with whatever its bytes lead to
        size = Path(path).stat().st_size
        raise OSError(
            f'{path} ({size} bytes) cannot be read as an image: {error}. The file is truncated or corrupt: copy it '
            'again from its source, or leave it out of the data set.'
        ) from error
    if not readable:
        raise ValueError(
            f'{path} has more than 8 bits a channel (mode {image.mode}, 16-bit or wider); an 8-bit image '
            f'{"or a grey one " if measured else ""}is expected. Convert it to uint8 first, with one fixed range for '
            f'all files{"" if measured else ", or load it with LoadDepth or LoadInfrared"}.'
        )
    return image


def _png_bits(path: str | Path) -> int:
    """Bits a channel from the PNG header: Pillow silently drops the low byte of 16-bit colour PNGs."""
    with open(path, 'rb') as file:
        header = file.read(25)
    return header[24] if header.startswith(_PNG_SIGNATURE) else 8


def set_image(results: dict, img: np.ndarray) -> dict:
    """Make (H, W, C) ``img`` the sample's image as loaded."""
    results['img'] = img
    results['img_shape'] = results['ori_shape'] = img.shape[:2]
    return results


@TRANSFORMS.register_module()
class LoadModalityImage(BaseTransform):
    """Load an 8-bit image of any modality as (H, W, 3) uint8 BGR in [0, 255].

    Grey images (depth, infrared, event) are repeated to three channels, the alpha of a four-channel image is dropped
    (as MADM's data set does), palettes are resolved. Values are otherwise untouched.

    Required key: img_path. Added keys: img, img_shape, ori_shape.

    Args:
        channel: The one channel that is the picture (3 for MFNet, whose thermal image is the fourth). None for all.

    Raises:
        FileNotFoundError, OSError, ValueError: See :func:`read_image`; the message names the file. Also ValueError if
            the file does not have the channel.
    """

    def __init__(self, channel: int | None = None) -> None:
        self.channel = channel

    def transform(self, results: dict) -> dict:
        image = read_image(results['img_path'])
        if self.channel is not None:
            if self.channel >= len(image.getbands()):
                raise ValueError(f'{results["img_path"]} has no channel {self.channel} (mode {image.mode}). Check '
                                 '`channel` of LoadModalityImage.')
            image = image.getchannel(self.channel)
        mode = 'L' if image.mode in ('1', 'L', 'LA') else 'RGB'
        pixels = np.asarray(image if image.mode == mode else image.convert(mode))
        return set_image(results, mmcv.gray2bgr(pixels) if mode == 'L' else mmcv.rgb2bgr(pixels))
