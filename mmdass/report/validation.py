"""What a report shows of the last validation beside its scores: confusions, and its best and worst images."""

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from torch import Tensor

from mmdass.checkpoints.saver import replace_atomically
from mmdass.visualization import find_pictures, write_pictures

FILE = 'validation.json'
EXAMPLES = 'examples'


class MeasuredImage(NamedTuple):
    """One validation image.

    Args:
        path: its file.
        confusions: role to (classes, classes) int64, rows = label, columns = prediction.
        score: mIoU in percent of the first role; nan without any labelled pixel.
        pictures: panels by name, (H, W, 3) uint8 RGB; None of an image that is neither among the best nor the worst.
    """

    path: str
    confusions: dict[str, np.ndarray]
    score: float
    pictures: dict[str, np.ndarray] | None


@dataclass
class Example:
    """An image to look at: its file, mIoU in percent, and files of its panels by name."""

    path: str
    score: float
    pictures: dict[str, Path]


@dataclass
class Validation:
    """The last validation of a run, as read from its folder.

    Args:
        step: training iterations done.
        classes: names.
        palette: an RGB colour each.
        confusions: role to (classes, classes) pixels, rows = label, columns = prediction.
        num_images: how many were validated.
        best: best first.
        worst: worst first.
    """

    step: int
    classes: list[str]
    palette: list[list[int]]
    confusions: dict[str, np.ndarray]
    num_images: int
    best: list[Example]
    worst: list[Example]


def image_score(confusions: Tensor) -> float:
    """Mean IoU in percent over the classes of an image's label; nan without any labelled pixel."""
    counts = confusions.double()
    correct, labelled = counts.diagonal(), counts.sum(1)
    ious = 100 * correct / (labelled + counts.sum(0) - correct)
    return ious[labelled > 0].mean().item()


def ranked(images: Sequence[MeasuredImage]) -> list[MeasuredImage]:
    """The images that have a score, best first."""
    return sorted((image for image in images if not np.isnan(image.score)), key=lambda image: -image.score)


def write_validation(
    folder: Path, images: Sequence[MeasuredImage], metainfo: Mapping, step: int, num_examples: int
) -> None:
    """Write a validation into ``folder``, in place of an earlier one.

    Args:
        folder: ``vis_data`` of a run.
        images: all images; those with pictures include the best and the worst.
        metainfo: classes and palette of their data set.
        step: training iterations done.
        num_examples: how many of the best and of the worst to show; half of the images if there are fewer.
    """
    order = ranked([image for image in images if image.pictures])
    num_examples = min(num_examples, len(order) // 2)
    examples = dict(best=order[:num_examples], worst=order[::-1][:num_examples])
    shutil.rmtree(folder / EXAMPLES, ignore_errors=True)
    for kind, chosen in examples.items():
        for rank, image in enumerate(chosen):
            write_pictures(folder / EXAMPLES / f'{kind}_{rank}', image.pictures)
    record = dict(
        step=step, classes=list(metainfo['classes']),
        palette=[list(map(int, colour)) for colour in metainfo['palette']],
        confusions={role: sum(image.confusions[role] for image in images).tolist() for role in images[0].confusions},
        images={image.path: image.score for image in images},
        **{kind: [(image.path, image.score) for image in chosen] for kind, chosen in examples.items()})
    with replace_atomically(folder / FILE) as partial:
        partial.write_text(json.dumps(record))


def read_validation(folder: Path) -> Validation | None:
    """Read what :func:`write_validation` wrote; None if it wrote nothing.

    Raises:
        ValueError, KeyError, TypeError: The file is damaged.
    """
    file = folder / FILE
    if not file.is_file():
        return None
    record = json.loads(file.read_text())
    best, worst = (
        [Example(path, score, find_pictures(folder / EXAMPLES / f'{kind}_{rank}'))
         for rank, (path, score) in enumerate(record[kind])] for kind in ('best', 'worst'))
    confusions = {role: np.array(counts) for role, counts in record['confusions'].items()}
    return Validation(
        record['step'], record['classes'], record['palette'], confusions, len(record['images']), best, worst)
