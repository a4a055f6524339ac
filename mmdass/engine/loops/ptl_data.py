"""What progressive translation learning trains on: images to translate, translated images, and mixtures of both."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from mmengine.dataset import BaseDataset

from mmdass.datasets import KeyedDataset, LabelSpace, ModalityDataset
from mmdass.utils.random import draw_key

IMAGE_LIST = 'images.txt'
HELD_OUT_PIPELINE = [
    dict(type='mmdass.LoadModalityImage'),
    dict(type='mmdass.LoadMappedLabel'),
    dict(type='PackSegInputs'),
]


def translated_dataset(folder: Path, metainfo: Mapping, pipeline: Sequence[dict], **kwargs) -> ModalityDataset:
    """The images that ``translate_dataset`` wrote to a folder, with their labels.

    Args:
        folder: Its output folder.
        metainfo: Classes and palette of the data set that was translated.
        pipeline: Transforms, from loading to packing.
        **kwargs: Further arguments of :class:`ModalityDataset`.
    """
    return ModalityDataset(
        data_root=str(folder), images=IMAGE_LIST, labels=('^image/', 'label/'),
        label_space=LabelSpace(metainfo['classes'], metainfo.get('palette') or ()), pipeline=list(pipeline), **kwargs)


def choose_images(
    dataset: BaseDataset, number: int | None, rare_class_sampling: Mapping | None, seed: int, stage: int
) -> list[int] | None:
    """Indices of the images that a stage translates, ascending; None for all.

    Args:
        dataset: The labelled source.
        number: How many; None for all.
        rare_class_sampling: Arguments of rare-class sampling (see :class:`KeyedDataset`), or None to draw uniformly.
        seed: The run's.
        stage: The stage's number; each draws anew.
    """
    if number is None or number >= len(dataset):
        return None
    chosen: dict[int, None] = {}  # an ordered set
    if rare_class_sampling is not None:
        sampler = KeyedDataset(dataset, rare_class_sampling).rare_classes
        draws = np.random.default_rng(draw_key(seed, stage, 'ptl/rare_images', rank=0))
        # Images of the rarest classes are drawn again and again, so the draws have to end somewhere.
        for _ in range(10 * number):
            chosen[sampler.draw(draws)[0]] = None
            if len(chosen) == number:
                return sorted(chosen)
    order = np.random.default_rng(draw_key(seed, stage, 'ptl/images', rank=0)).permutation(len(dataset))
    chosen |= dict.fromkeys(order.tolist())
    return sorted(list(chosen)[:number])


def split_held_out(folder: Path, held_out: int, seed: int, stage: int) -> tuple[list[int], list[int]]:
    """Indices of the images of a stage's folder to train on, and of ``held_out`` others.

    Raises:
        ValueError: Nothing would be left to train on.
    """
    total = len((folder / IMAGE_LIST).read_text().splitlines())
    if held_out >= total:
        raise ValueError(f'ProgressiveTranslationLoop: guard.num_images={held_out} leaves none of the {total} images '
                         f'of stage {stage} to train on. Lower it, or raise images_per_stage.')
    order = np.random.default_rng(draw_key(seed, stage, 'ptl/held_out', rank=0)).permutation(total).tolist()
    return sorted(order[held_out:]), sorted(order[:held_out])
