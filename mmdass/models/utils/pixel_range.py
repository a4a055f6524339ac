"""From the pixels that a preprocessor normalised to pictures in [-1, 1], and back."""

from mmseg.models import SegDataPreProcessor
from torch import Tensor, nn


def to_pictures(images: Tensor, preprocessor: nn.Module) -> Tensor:
    """Pictures in [-1, 1] of normalised images (N, 3, H, W); as they are behind a preprocessor that is not MMSeg's."""
    scale, shift = _statistics(preprocessor)
    return images * scale + shift


def from_pictures(pictures: Tensor, preprocessor: nn.Module) -> Tensor:
    """The inverse of ``to_pictures``."""
    scale, shift = _statistics(preprocessor)
    return (pictures - shift) / scale


def _statistics(preprocessor: nn.Module) -> tuple[Tensor | float, Tensor | float]:
    """Scale and shift; exactly 1 and 0 for a mean and a deviation of 127.5."""
    if not isinstance(preprocessor, SegDataPreProcessor):
        return 1.0, 0.0
    mean, std = getattr(preprocessor, 'mean', 0.0), getattr(preprocessor, 'std', 1.0)
    return std / 127.5, (mean - 127.5) / 127.5
