"""Inference in overlapping windows, from top to bottom, without ever holding all logits of an image."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor
from torch.nn import functional as F


def logit_bands(
    predict: Callable[[Tensor], Tensor], images: Tensor, window: tuple[int, int] | None = None, overlap: int = 0
) -> Iterator[Tensor]:
    """The logits of images in bands of rows, each given as soon as no further window touches it.

    Windows lie as MMSeg's ``slide_inference`` lays them. It weighs all alike, which leaves seams; here a window counts
    less towards its borders, where another overlaps it.

    Args:
        predict: Images (N, 3, h, w) to logits (N, C, h, w).
        images: (N, 3, H, W).
        window: Height and width of a window; None, or at least the images' size: the whole image.
        overlap: Pixels by which neighbouring windows overlap, at least; less than the window.

    Yields:
        (N, C, h, W) float32, on the device of the logits; the heights h add up to H.
    """
    height, width = images.shape[-2:]
    window = window or (height, width)
    rows, columns = _Axis(height, window[0], overlap), _Axis(width, window[1], overlap)
    rest = None
    for top, following in zip(rows.starts, [*rows.starts[1:], height], strict=True):
        strip = _predict_strip(predict, images[:, :, top:top + rows.window], columns)
        strip *= rows.ramp.to(strip.device)[:, None]
        if rest is not None:
            strip[:, :, :rest.shape[2]] += rest
        total = rows.total[top:following, None] * columns.total
        yield strip[:, :, :following - top] / total.to(strip.device)
        rest = strip[:, :, following - top:]


def _predict_strip(predict: Callable[[Tensor], Tensor], strip: Tensor, columns: '_Axis') -> Tensor:
    """The weighted sum of the windows side by side."""
    logits = None
    for left in columns.starts:
        span = slice(left, left + columns.window)
        predicted = predict(strip[..., span]).float()
        if logits is None:
            logits = predicted.new_zeros(*predicted.shape[:3], strip.shape[3])
        logits[..., span] += predicted * columns.ramp.to(predicted.device)
    return logits


class _Axis:
    """Windows along one axis.

    Attributes:
        window: Length of each.
        starts: Where they begin; the last one is moved back to end with the image.
        ramp: (window,) weight of each of a window's pixels.
        total: (size,) sum of the weights of all windows.
    """

    def __init__(self, size: int, window: int, overlap: int) -> None:
        self.window = min(window, size)
        last = size - self.window
        stride = max(window - overlap, 1)
        self.starts = [*range(0, last, stride), last]
        from_border = torch.arange(1.0, self.window + 1)
        overlap = max(overlap, 1) if last else 1
        self.ramp = torch.minimum(from_border, from_border.flip(0)).clamp(max=overlap) / overlap
        self.total = torch.zeros(size)
        for start in self.starts:
            self.total[start:start + self.window] += self.ramp


def resized_bands(logits: Tensor, size: tuple[int, int], align_corners: bool, rows: int = 256) -> Iterator[Tensor]:
    """Bilinear interpolation, as of :func:`torch.nn.functional.interpolate`, in bands of rows.

    Args:
        logits: (N, C, h, w).
        size: Height and width of the result.
        align_corners: As for ``interpolate``.
        rows: Height of a band.

    Yields:
        (N, C, at most ``rows``, width); the heights add up to the result's.
    """
    wide = F.interpolate(logits, (logits.shape[2], size[1]), mode='bilinear', align_corners=align_corners)
    last, row = logits.shape[2] - 1, torch.arange(size[0], dtype=torch.float64, device=logits.device)
    if align_corners:
        position = row * (last / max(size[0] - 1, 1))
    else:
        position = ((row + 0.5) * (logits.shape[2] / size[0]) - 0.5).clamp(0, last)
    for part in position.split(rows):
        above = part.long()
        below = (above + 1).clamp(max=last)
        yield wide[:, :, above].lerp(wide[:, :, below], (part - above).to(wide.dtype)[:, None])
