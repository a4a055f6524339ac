"""Which images progressive translation learning translates, and which of them it keeps for its guard."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from mmengine.dataset import BaseDataset
from mmengine.runner import Runner

from mmdass.datasets import KeyedDataset
from mmdass.utils.random import draw_key

_IMAGE_LIST = 'images.txt'


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
    total = len((folder / _IMAGE_LIST).read_text().splitlines())
    require_rest(held_out, total)
    order = np.random.default_rng(draw_key(seed, stage, 'ptl/held_out', rank=0)).permutation(total).tolist()
    return sorted(order[held_out:]), sorted(order[:held_out])


def require_rest(held_out: int, total: int) -> None:
    """Refuse to keep all images of a stage for the guard.

    Raises:
        ValueError: Nothing would be left to train on.
    """
    if held_out >= total:
        raise ValueError(f'ProgressiveTranslationLoop: guard.num_images={held_out} leaves none of the {total} images '
                         'of a stage to train on. Lower it, or raise images_per_stage.')


@torch.no_grad()
def held_out_score(runner: Runner, data: BaseDataset) -> float:
    """mIoU in percent of the Runner's model on labelled images, all ranks together; no hook hears of it."""
    evaluator = runner.build_evaluator(dict(type='IoUMetric', iou_metrics=['mIoU']))
    evaluator.dataset_meta = data.metainfo
    loader = runner.build_dataloader(dict(
        dataset=data, batch_size=1, num_workers=0, sampler=dict(type='DefaultSampler', shuffle=False)))
    runner.model.eval()
    for batch in loader:
        evaluator.process(data_samples=runner.model.val_step(batch), data_batch=batch)
    return evaluator.evaluate(len(data))['mIoU']
