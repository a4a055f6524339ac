"""Whether translated images still fit the labels of the images that they were made of."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from mmengine.logging import print_log
from mmseg.evaluation import IoUMetric
from mmseg.models.segmentors import BaseSegmentor
from torch import Tensor

from mmdass.evaluation.batching import same_sized_batches
from mmdass.registry import METRICS
from mmdass.utils.random import draw_key

_IGNORED = 255
Areas = tuple[Tensor, ...]  # MMSeg's four: intersection, union, prediction, label, each (classes,)


@dataclass
class LabelConsistency:
    """How well a judge finds the source labels in translated images. All values are percent.

    Attributes:
        miou: Mean over classes of the IoU over all pixels of all images, as MMSeg's.
        per_class: Class to that IoU; nan for a class in neither labels nor predictions, which is not in the mean.
        per_image: Image path to the mean over the classes *in its label* of the IoU in that image (a class that is
            only predicted would weigh as much as the road); nan without any labelled pixel.
        interval: 95 % bootstrap interval of ``miou`` over images.
    """

    miou: float
    per_class: dict[str, float]
    per_image: dict[str, float]
    interval: tuple[float, float]

    def below(self, threshold: float) -> list[str]:
        """Paths of the images under a threshold, worst first; those without a labelled pixel are not among them."""
        return sorted((path for path, iou in self.per_image.items() if iou < threshold), key=self.per_image.get)


def label_consistency(judge: BaseSegmentor, samples: Sequence[dict], batch_size: int = 1) -> LabelConsistency:
    """Measure translated images with a segmentor that never guided their translation.

    A guide writes what it wants to see into the images, so it cannot judge them.

    Args:
        judge: Any MMSeg segmentor, as :func:`~mmdass.apis.load_segmentor.load_segmentor` loads it.
        samples: A data set, or a list, of ``dict(inputs=(3, H, W) uint8 BGR, data_samples=SegDataSample)`` with
            ``gt_sem_seg`` in the judge's classes, 255 = ignore. Predictions are compared at the labels' size.
        batch_size: Images a forward pass.

    Raises:
        ValueError: Judge and samples have other classes, or neither names any; a label holds an id that is no class;
            or there is no sample.
    """
    classes = _classes(judge, samples)
    judge.eval()
    areas, paths = [], []
    # By index: an MMSeg data set has a length, but iterating it never ends.
    for batch in same_sized_batches((samples[index] for index in range(len(samples))), batch_size):
        for predicted, given in zip(_predict(judge, batch), batch, strict=True):
            sample = given['data_samples']
            areas.append(_measure(predicted, sample.gt_sem_seg.data.squeeze(0), len(classes), sample.img_path))
            paths.append(sample.img_path)
    return summarize(areas, paths, classes)


def summarize(areas: Sequence[Areas], paths: Sequence[str], classes: Sequence[str]) -> LabelConsistency:
    """The consistency of images whose areas were measured.

    Raises:
        ValueError: There is no image.
    """
    if not areas:
        raise ValueError('label consistency was asked of no image at all')
    parts = [torch.stack([image[part] for image in areas]).double().cpu().numpy() for part in (0, 1, 3)]
    intersection, union, label = parts  # (images, classes) each
    per_class = _iou(intersection.sum(0), union.sum(0))
    per_image = [_nanmean(ious[there]) for ious, there in zip(_iou(intersection, union), label > 0, strict=True)]
    return LabelConsistency(
        miou=_nanmean(per_class),
        per_class=dict(zip(classes, per_class.tolist(), strict=True)),
        per_image=dict(zip(paths, per_image, strict=True)),
        interval=_bootstrap(intersection, union),
    )


@METRICS.register_module()
class LabelConsistencyMetric(IoUMetric):
    """MMSeg's IoU metric with what :func:`label_consistency` adds, for ``tools/test.py``.

    The judge is the tested model: give its config and checkpoint, and as ``test_dataloader`` the translated folder with
    the source labels. Beside MMSeg's metrics, in percent: ``IoU.<class>``, ``mIoU.low`` and ``mIoU.high`` (95 %
    bootstrap interval over images) and ``below`` (images under the threshold, which are logged by name).

    Args:
        threshold: Per-image mIoU in percent under which an image is listed.
        **kwargs: Arguments of ``IoUMetric``.
    """

    def __init__(self, threshold: float = 0.0, **kwargs) -> None:
        super().__init__(**kwargs)
        self.threshold = threshold

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Measure a batch."""
        before = len(self.results)
        super().process(data_batch, data_samples)
        paths = [sample['img_path'] for sample in data_samples]
        self.results[before:] = list(zip(self.results[before:], paths, strict=True))

    def compute_metrics(self, results: list[tuple[Areas, str]]) -> dict[str, float]:
        """Metrics of all images."""
        areas, paths = zip(*results, strict=True)
        consistency = summarize(areas, paths, self.dataset_meta['classes'])
        worst = consistency.below(self.threshold)
        if worst:
            lines = '\n'.join(f'{consistency.per_image[path]:6.2f}  {path}' for path in worst)
            print_log(f'{len(worst)} images below {self.threshold} % mIoU:\n{lines}', logger='current')
        low, high = consistency.interval
        metrics = super().compute_metrics(areas) | {'mIoU.low': low, 'mIoU.high': high, 'below': len(worst)}
        return metrics | {f'IoU.{name}': iou for name, iou in consistency.per_class.items()}


def _classes(judge: BaseSegmentor, samples: Sequence[dict]) -> tuple[str, ...]:
    sources = {'judge': getattr(judge, 'dataset_meta', None), 'samples': getattr(samples, 'metainfo', None)}
    named = {name: tuple(meta['classes']) for name, meta in sources.items() if meta and meta.get('classes')}
    if not named:
        raise ValueError('neither the judge (its checkpoint has no dataset_meta) nor the samples name their classes; '
                         'set judge.dataset_meta = dict(classes=(...))')
    if len(set(named.values())) > 1:
        raise ValueError(f"the judge predicts {', '.join(named['judge'])}, but the labels mean "
                         f"{', '.join(named['samples'])}. Map the labels (`class_mapping`) or take another judge.")
    return next(iter(named.values()))


@torch.no_grad()
def _predict(judge: BaseSegmentor, batch: list[dict]) -> list[Tensor]:
    """Predicted classes (H, W) at the labels' sizes."""
    data_samples = [copy.copy(sample['data_samples']) for sample in batch]
    for sample in data_samples:
        sample.set_metainfo(dict(ori_shape=tuple(sample.gt_sem_seg.shape)))
    inputs = [sample['inputs'] for sample in batch]
    predictions = judge.test_step(dict(inputs=inputs, data_samples=data_samples))
    return [prediction.pred_sem_seg.data.squeeze(0) for prediction in predictions]


def _measure(predicted: Tensor, label: Tensor, num_classes: int, path: str) -> Areas:
    known = label[label != _IGNORED]
    if len(known) and known.max() >= num_classes:
        raise ValueError(f'the label of {path} holds {known.max().item()}, but the judge has {num_classes} classes; '
                         'map the ids of the label files (`raw_labels`, `class_mapping`)')
    return IoUMetric.intersect_and_union(predicted, label.to(predicted.device), num_classes, ignore_index=_IGNORED)


def _bootstrap(intersection: np.ndarray, union: np.ndarray, resamples: int = 1000) -> tuple[float, float]:
    """Percentile interval of the mIoU, images drawn with replacement."""
    images = len(union)
    draws = np.random.default_rng(draw_key(0, images, 'bootstrap', rank=0))
    counts = (draws.multinomial(images, [1 / images] * images) for _ in range(resamples))
    mious = [_nanmean(_iou(count @ intersection, count @ union)) for count in counts]
    low, high = np.nanpercentile(mious, (2.5, 97.5))
    return float(low), float(high)


def _iou(intersection: np.ndarray, union: np.ndarray) -> np.ndarray:
    return np.divide(100 * intersection, union, out=np.full(union.shape, np.nan), where=union > 0)


def _nanmean(values: np.ndarray) -> float:
    return float('nan') if np.isnan(values).all() else float(np.nanmean(values))
