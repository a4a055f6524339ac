"""From logits to labels, band by band, so that the logits of a large image need not exist at once."""

from collections.abc import Iterable, Iterator, Sequence

import torch
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample
from torch import Tensor

from .sliding_window import resized_bands


class Prediction:
    """What a model says of one image, filled from top to bottom.

    Args:
        size: Height and width of the image.
        with_logits: Keep the logits too.
        threshold: Of a model with a single channel, which gives probabilities: where its class begins.

    Attributes:
        label: (H, W) int64, class indices.
        confidence: (H, W) float32 in [0, 1], the largest softmax.
        logits: Bands (C, h, W), or None.
    """

    def __init__(self, size: tuple[int, int], with_logits: bool = False, threshold: float | None = None) -> None:
        self.size = size
        self.threshold = threshold
        self.label = torch.empty(size, dtype=torch.int64)
        self.confidence = torch.empty(size)
        self.logits: list[Tensor] | None = [] if with_logits else None
        self._row = 0

    def add(self, logits: Tensor) -> None:
        """The next rows, (C, h, W)."""
        rows = slice(self._row, self._row + logits.shape[1])
        if len(logits) == 1:
            self.label[rows] = (logits[0] > self.threshold).long()
            self.confidence[rows] = torch.where(logits[0] > self.threshold, logits[0], 1 - logits[0])
        else:
            top = logits.max(0)
            self.label[rows] = top.indices
            self.confidence[rows] = (top.values - logits.logsumexp(0)).exp()
        if self.logits is not None:
            self.logits.append(logits.cpu())
        self._row = rows.stop

    def fill(self, sample: SegDataSample) -> SegDataSample:
        """The sample on the CPU with ``pred_sem_seg``, ``pred_confidence`` and, if kept, ``seg_logits``."""
        sample = sample.cpu()
        sample.pred_sem_seg = PixelData(data=self.label[None])
        sample.pred_confidence = PixelData(data=self.confidence[None])
        if self.logits is not None:
            sample.seg_logits = PixelData(data=torch.cat(self.logits, 1))
        return sample


def fill_predictions(
    predictions: Sequence[Prediction], bands: Iterable[Tensor], size: tuple[int, int], align_corners: bool
) -> None:
    """Hand the bands of a batch to the predictions of its images, each at the size of its own.

    Args:
        predictions: N of them.
        bands: (N, C, h, W'), of the images as the model saw them: padded at the right and the bottom.
        size: Their height and width without padding.
        align_corners: As the model's head interpolates.
    """
    bands = _crop(bands, size)
    if all(prediction.size == size for prediction in predictions):
        for band in bands:
            for logits, prediction in zip(band, predictions, strict=True):
                prediction.add(logits)
        return
    for logits, prediction in zip(torch.cat(list(bands), 2), predictions, strict=True):
        for band in resized_bands(logits[None], prediction.size, align_corners):
            prediction.add(band[0])


def _crop(bands: Iterable[Tensor], size: tuple[int, int]) -> Iterator[Tensor]:
    left = size[0]
    for band in bands:
        if left > 0:
            yield band[:, :, :left, :size[1]]
        left -= band.shape[2]
