"""MMSeg's IoU metric, with the IoU of each class, of groups of images and of subsets of classes, and the confusions."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from mmengine.logging import print_log
from mmseg.evaluation import IoUMetric
from prettytable import PrettyTable

from mmdass.datasets import LabelSpace
from mmdass.registry import METRICS

from .confusion import count_confusions, write_confusions


class Measured(NamedTuple):
    """What is kept of one image.

    Args:
        areas: MMSeg's four (classes,) areas: intersection, union, prediction, label.
        group: Name of the image's group.
        confusions: (classes, classes) int64, rows = label, columns = prediction; None if not asked for.
    """

    areas: tuple[torch.Tensor, ...]
    group: str | None
    confusions: torch.Tensor | None


@METRICS.register_module()
class DomainIoUMetric(IoUMetric):
    """Mean IoU as MMSeg's ``IoUMetric``, with ``IoU.<class>`` beside it, so that each class lands in ``scalars.json``.

    Values are in percent. A class that neither the ground truth nor the predictions hold is nan and not in the mean;
    one that is only predicted counts as 0. Predictions are compared at the size of the ground truth in the data sample:
    the native one by default, 512 x 512 with MADM's test pipeline (:class:`EvaluateAtCurrentSize`). Ranks are gathered
    (the official code measures each rank's share alone).

    Args:
        group_by: Regular expression with one group, searched in each image's path: r'depth/(\\w+)/' makes
            ``mIoU.fog``, ``mIoU.night``, ... and a table of them.
        subsets: Name of a further mean to its classes (names, or a label space preset): dict(mIoU13='synthia13').
        confusion_dir: Folder for ``confusion.csv`` (pixels) and ``confusion.png`` (share of each class's pixels).
            The roles of :class:`TeacherStudentValLoop` write into a folder each.
        **kwargs: Arguments of ``IoUMetric``.

    Raises:
        ValueError: ``group_by`` does not match an image's path, a subset names an unknown class, or two images of one
            name would be written to one file of ``output_dir``.
    """

    def __init__(
        self, group_by: str | None = None, subsets: Mapping[str, Sequence[str] | str] | None = None,
        confusion_dir: str | None = None, **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        self.group_by = group_by
        self.subsets = {
            name: LabelSpace.get(classes).classes if isinstance(classes, str) else tuple(classes)
            for name, classes in (subsets or {}).items()
        }
        self.confusion_dir = confusion_dir
        self.role: str | None = None
        self._written: dict[str, str] = {}

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Measure a batch."""
        before = len(self.results)
        if self.output_dir is not None:
            self._refuse_repeated_names(data_samples)
        super().process(data_batch, data_samples)
        if not self.format_only:
            self.results[before:] = [
                Measured(areas, self._group(sample), self._confusions(sample))
                for areas, sample in zip(self.results[before:], data_samples, strict=True)
            ]

    def compute_metrics(self, results: list[tuple]) -> dict[str, float]:
        """Metrics of all images: ``aAcc``, ``mIoU``, ``mAcc``, ``IoU.<class>``, of subsets and ``mIoU.<group>``."""
        if self.format_only:
            return super().compute_metrics(results)
        results = [Measured(*result) for result in results]  # MMEngine gathers plain tuples
        metrics = super().compute_metrics([result.areas for result in results])
        classes = self.dataset_meta['classes']
        ious = class_ious(results)
        metrics.update({f'IoU.{name}': round(iou, 2) for name, iou in zip(classes, ious.tolist(), strict=True)})
        metrics.update({name: _mean(ious[self._positions(names)]) for name, names in self.subsets.items()})
        if self.group_by is not None:
            metrics.update(self._measure_groups(results))
        if self.confusion_dir is not None:  # MMEngine computes on rank 0 alone
            folder = Path(self.confusion_dir, self.role or '')
            write_confusions(folder, sum(result.confusions for result in results).numpy(), classes)
        return metrics

    def _refuse_repeated_names(self, data_samples: Sequence[dict]) -> None:
        """MMSeg names predictions after the file alone, so that of one would replace that of another."""
        for path in (sample['img_path'] for sample in data_samples):
            other = self._written.setdefault(Path(path).stem, path)
            if other != path:
                raise ValueError(
                    f'{other} and {path} would be written to one file, {Path(self.output_dir, Path(path).stem)}.png. '
                    '`mmdass infer CONFIG CHECKPOINT FOLDER --out OUT` keeps the folders that images are in.')

    def _group(self, sample: dict) -> str | None:
        if self.group_by is None:
            return None
        match = re.search(self.group_by, sample['img_path'])
        if match is None:
            raise ValueError(f'`group_by` of DomainIoUMetric, {self.group_by!r}, matches nothing in the path '
                             f'{sample["img_path"]!r}.')
        return match[1]

    def _confusions(self, sample: dict) -> torch.Tensor | None:
        if self.confusion_dir is None:
            return None
        prediction, label = (sample[key]['data'].squeeze() for key in ('pred_sem_seg', 'gt_sem_seg'))
        return count_confusions(prediction, label.to(prediction), len(self.dataset_meta['classes'])).cpu()

    def _positions(self, names: Sequence[str]) -> list[int]:
        classes = self.dataset_meta['classes']
        unknown = [name for name in names if name not in classes]
        if unknown:
            raise ValueError(f'`subsets` of DomainIoUMetric: {", ".join(unknown)} not in {", ".join(classes)}.')
        return [classes.index(name) for name in names]

    def _measure_groups(self, results: list[Measured]) -> dict[str, float]:
        groups = sorted({result.group for result in results})
        ious = [class_ious([result for result in results if result.group == group]) for group in groups]
        table = PrettyTable(['IoU in %', *groups], align='r')
        for row, name in enumerate(self.dataset_meta['classes']):
            table.add_row([name, *(f'{column[row]:.2f}' for column in ious)])
        table.add_row(['mIoU', *(f'{_mean(column):.2f}' for column in ious)])
        print_log(f'per group results:\n{table}', logger='current')
        return {f'mIoU.{group}': _mean(column) for group, column in zip(groups, ious, strict=True)}


def class_ious(results: Sequence[Measured]) -> np.ndarray:
    """(classes,) IoU in percent over all pixels of all images; nan for a class in neither labels nor predictions."""
    intersection, union = (sum(result.areas[part] for result in results) for part in range(2))
    return (100 * intersection / union).numpy()


def _mean(ious: np.ndarray) -> float:
    return float('nan') if np.isnan(ious).all() else round(float(np.nanmean(ious)), 2)
