"""What one image and its label are, read as training would read them."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image
from torch.utils.data import DataLoader, Dataset

from mmdass.datasets.label_space import OUTSIDE, LabelSpace
from mmdass.datasets.transforms.labels import read_label

from .splits import Split


@dataclass
class Item:
    """Facts about an image and its label.

    Args:
        image, label: Paths; no label: None.
        digest: Hash of the file's bytes; None if it is no image file.
        size, label_size: (width, height) of the image as loaded, and of the label.
        form, label_form: Format, mode and bits of the files: 'PNG L 8-bit'.
        counts: (256,) int64, pixels of each id in the label file.
        problems: Kind of problem to the message about it.
    """

    image: str
    label: str | None = None
    digest: bytes | None = None
    size: tuple[int, int] | None = None
    label_size: tuple[int, int] | None = None
    form: str | None = None
    label_form: str | None = None
    counts: np.ndarray | None = None
    problems: dict[str, str] = field(default_factory=dict)


def inspect(split: Split, workers: int = 2) -> Iterator[Item]:
    """Look at every item of a split, in order; a broken file is a fact like any other.

    Args:
        split: Where the items are.
        workers: Processes; 0 for none but this one.
    """
    yield from DataLoader(_Inspection(split), batch_size=None, num_workers=workers, collate_fn=_as_is)


class _Inspection(Dataset):
    def __init__(self, split: Split) -> None:
        self.split = split
        self.length = len(split.indices)

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> Item:
        dataset = self.split.dataset
        info = dataset.get_data_info(index)
        item = Item(info['img_path'], info.get('seg_map_path'))
        results = _look_at_image(item, self.split.loaders[0], info)
        if item.label is not None:
            _look_at_label(item, getattr(dataset, 'label_channel', None), self.split)
        elif 'gt_seg_map' in results:  # drawn with the image, so already class indices
            item.counts = np.bincount(results['gt_seg_map'].ravel(), minlength=256)
        return item


def _as_is(item: Item) -> Item:
    return item


def _look_at_image(item: Item, loader, info: dict) -> dict:
    path = Path(item.image)
    try:
        if path.is_file() and 'timestamp' not in info:  # a recording is one big file for many items
            item.form = describe_form(path)
            if item.form:  # a recording of events holds many samples, and may be large
                item.digest = hashlib.blake2b(path.read_bytes(), digest_size=16).digest()
        results = loader(info)
        item.size = results['img'].shape[1::-1]
        return results
    except Exception as error:  # noqa: BLE001, whatever a decoder raises is a fact about its file
        item.problems['unreadable image'] = str(error)
        return {}


def _look_at_label(item: Item, channel: int | None, split: Split) -> None:
    try:
        item.label_form = describe_form(item.label)
        label = read_label(item.label, channel)
    except FileNotFoundError:
        item.problems['missing label'] = f'{item.image} should have {item.label}.'
        return
    except ValueError as error:
        item.problems['label that is not one channel of 8-bit ids'] = str(error)
        return
    except Exception as error:  # noqa: BLE001
        item.problems['unreadable label'] = str(error)
        return
    item.label_size = label.size
    item.counts = np.array(label.histogram(), np.int64)
    ids = np.flatnonzero(item.counts)
    if is_colour_coded(item.label, ids, split.raw_labels):
        item.problems['colour-coded label'] = (
            f'{item.label} is a picture in the colours of the classes, not of their ids. Use the id version of the '
            'labels.')
    outside = ids[split.class_lut[ids] == OUTSIDE]
    if len(outside):
        item.problems['ids outside the label space'] = (
            f'{item.label} holds the ids {", ".join(map(str, outside))}; its label space has '
            f'{split.raw_labels.describe_ids()}. Set `raw_labels`, or add what means "no class" to its `void_ids`.')
    if item.size and item.size != item.label_size:
        item.problems['image and label of different size'] = (
            f'{item.image} is {_by(item.size)}, {item.label} is {_by(item.label_size)}.')


def _by(size: tuple[int, int]) -> str:
    return f'{size[0]} x {size[1]}'


def describe_form(path: str | Path) -> str | None:
    """Format, mode and bits of an image file from its header; None for files that Pillow does not know."""
    try:
        with Image.open(path) as image:
            arguments = image.tile[0][3] if image.tile else image.mode
            raw_mode = arguments if isinstance(arguments, str) else str(arguments[0])
            bits = 16 if '16' in raw_mode else 32 if image.mode in ('I', 'F') else 8
            return f'{image.format} {image.mode} {bits}-bit'
    except FileNotFoundError:
        raise
    except (OSError, ValueError):
        return None


def is_colour_coded(path: str, ids: np.ndarray, space: LabelSpace) -> bool:
    """Whether a label file shows classes by their colours while its numbers are other classes' ids.

    True for a palette image most of whose indices have the colour of another class, and for a multi-channel image most
    of whose pixels have a class's colour.
    """
    id_of = dict(zip(space.palette, space.file_ids, strict=True))
    with Image.open(path) as image:
        if image.mode == 'P':
            palette = np.array(image.getpalette('RGB')).reshape(-1, 3)
            meant = [id_of.get(tuple(palette[i].tolist())) for i in ids if i < len(palette)]
            wrong = [m is not None and m != i for m, i in zip(meant, ids)]  # noqa: B905
            return sum(wrong) > len(ids) / 2
        if len(image.getbands()) < 3:
            return False
        colours = image.convert('RGB').getcolors(256) or []
    classed = sum(number for number, colour in colours if colour in id_of and len(set(colour)) > 1)
    return classed > sum(number for number, _ in colours) / 2 > 0
