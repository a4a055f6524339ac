"""What a teacher says about unlabelled images."""

from dataclasses import dataclass

from torch import Tensor


@dataclass
class PseudoLabel:
    """Pseudo-labels of N images of H x W pixels.

    Attributes:
        label: (N, H, W) int64, the most likely class.
        confidence: (N, H, W) float in [0, 1], its probability.
        weight: (N, H, W) float in [0, 1], what multiplies the loss.
    """

    label: Tensor
    confidence: Tensor
    weight: Tensor
