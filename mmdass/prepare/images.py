"""What the data sets do with images and labels."""

import io
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from mmdass.datasets.label_space import OUTSIDE, LabelSpace, lookup_table
from mmdass.datasets.transforms.labels import read_label
from mmdass.datasets.transforms.loading import read_image

from .job import PrepareError


def png_bytes(image: np.ndarray) -> bytes:
    """A PNG file of (H, W) uint8, or of (H, W, 3) uint8 BGR."""
    buffer = io.BytesIO()
    Image.fromarray(image if image.ndim == 2 else image[..., ::-1]).save(buffer, format='png')
    return buffer.getvalue()


def check_image(image: Path, size: tuple[int, int] | None = None) -> None:
    """Decode an image completely.

    Args:
        image: Image file.
        size: Width and height that it should have; None for any.

    Raises:
        OSError, ValueError: See :func:`read_image`.
        PrepareError: It has another size.
    """
    _require_size(image, read_image(image).size, size)


def check_pair(
    image: Path, label: Path, space: str, channel: int | None = None, size: tuple[int, int] | None = None
) -> None:
    """Decode an image and its label; require one size, and only ids that the label space has.

    Args:
        image: Image file.
        label: Label file.
        space: Label space of the label file, by name.
        channel: Channel of multi-channel label files that holds the ids.
        size: Width and height that both should have; None for any.

    Raises:
        OSError, ValueError: They cannot be read, or see :class:`PrepareError`.
        PrepareError: Sizes differ, or the label holds other ids.
    """
    check_image(image, check_label(label, space, channel, size))


def check_label(
    label: Path, space: str, channel: int | None = None, size: tuple[int, int] | None = None
) -> tuple[int, int]:
    """Decode a label file; require a size (if not None), and only ids that the label space has; return the size.

    Raises:
        OSError, ValueError: See :func:`check_pair`.
    """
    ids = read_label(label, channel)
    _require_size(label, ids.size, size)
    raw = LabelSpace.get(space)
    map_ids(np.asarray(ids), lookup_table(raw, raw), label, raw.describe_ids())
    return ids.size


def map_ids(ids: np.ndarray, table: np.ndarray, label: Path, allowed: str) -> np.ndarray:
    """Look up ids in a table of :func:`lookup_table`.

    Args:
        ids: (H, W) unsigned integers.
        table: (256,) uint8.
        label: The file, for the message.
        allowed: The ids that the file may hold, in words.

    Returns:
        (H, W) uint8.

    Raises:
        PrepareError: An id is outside the table, or :data:`OUTSIDE` in it.
    """
    mapped = table[np.minimum(ids, 255)]
    outside = (mapped == OUTSIDE) | (ids > 255)
    if outside.any():
        found = ', '.join(map(str, np.unique(ids[outside])[:10]))
        raise PrepareError(f'{label} holds the ids {found}; expected {allowed}. These are no labels as downloaded.')
    return mapped


def train_id_table(names: tuple[str, ...]) -> np.ndarray:
    """Table from ids to Cityscapes' trainIds, by names; what Cityscapes does not evaluate becomes 255.

    Args:
        names: The class of each id from 0; names that Cityscapes evaluates are written as in 'cityscapes19'.

    Returns:
        (256,) uint8, with :data:`OUTSIDE` for ids without a name, 255 among them: a file with it is no raw label.
    """
    table = lookup_table(LabelSpace(names), LabelSpace.get('cityscapes19'))
    table[255] = OUTSIDE
    return table


def write_train_ids(ids: np.ndarray, names: tuple[str, ...], label: Path, image: Path | None) -> bytes:
    """A labelTrainIds PNG from ids, after a look at the image.

    Args:
        ids: (H, W) unsigned integers.
        names: See :func:`train_id_table`.
        label: File of the ids, for messages.
        image: File of the image, which must have the size of the label; None if there is none.
    """
    if image is not None:
        check_image(image, ids.shape[::-1])
    return png_bytes(map_ids(ids, train_id_table(names), label, f'0 to {len(names) - 1}'))


def read_first_channel_16bit(path: Path) -> np.ndarray:
    """First channel of a PNG of 8 or 16 bits a channel, (H, W) uint8 or uint16. Pillow would drop the low byte.

    Raises:
        OSError: The file is truncated, corrupt or no image.
    """
    image = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)
    if image is None:
        raise OSError(f'{path} cannot be read as an image: it is truncated or corrupt. Copy it again from its source.')
    return image if image.ndim == 2 else image[..., 2]  # OpenCV gives BGR


def _require_size(path: Path, found: tuple[int, int], size: tuple[int, int] | None) -> None:
    if size is not None and found != tuple(size):
        raise PrepareError(f'{path} is {found[0]} x {found[1]}, expected {size[0]} x {size[1]} (width x height).')
