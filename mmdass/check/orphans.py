"""Label files whose image is missing, where the layout allows to know."""

import os
from collections.abc import Sequence
from pathlib import Path

from .inspection import Item


def labels_without_image(items: Sequence[Item]) -> list[str]:
    """Labels beside the known ones, named like them, without an image of that name on disk.

    Image and label names are taken as a common stem and a suffix common to their kind ('_leftImg8bit.png'). A layout
    whose names have no common stem tells nothing.
    """
    pairs = [(Path(item.image), Path(item.label)) for item in items if item.label]
    if not pairs:
        return []
    image_suffix, label_suffix = (_common_suffix([path.name for path in paths]) for paths in zip(*pairs, strict=True))
    if any(_stem(image, image_suffix) != _stem(label, label_suffix) for image, label in pairs):
        return []
    known = {label for _, label in pairs}
    image_folder = {label.parent: image.parent for image, label in pairs}
    return [
        str(label) for label in _files(image_folder, label_suffix)
        if label not in known
        and not (image_folder[label.parent] / (_stem(label, label_suffix) + image_suffix)).exists()
    ]


def _files(folders: dict[Path, Path], suffix: str) -> list[Path]:
    files = (path for folder in folders if folder.is_dir() for path in folder.iterdir())
    return sorted(path for path in files if path.name.endswith(suffix))


def _common_suffix(names: Sequence[str]) -> str:
    """What all names end with, from the last separator or dot on, so that no part of a number is taken for it."""
    common = os.path.commonprefix([name[::-1] for name in names])[::-1]
    starts = [position for position, letter in enumerate(common) if letter in '_.']
    return common[starts[0]:] if starts else ''


def _stem(path: Path, suffix: str) -> str:
    return path.name.removesuffix(suffix)
