"""What one iteration of self-training knows when its further losses are computed."""

from dataclasses import dataclass

from torch import Tensor

from .pseudo_label import PseudoLabel


@dataclass
class SelfTrainingStep:
    """One iteration's images and labels.

    Attributes:
        source: (N, 3, H, W), source images as the student saw them.
        target: (N, 3, H, W), target images, not augmented.
        label: (N, H, W) int64, the source's labels, 0..classes-1 or 255.
        pseudo: The teacher's labels of the target.
        features: What the student's backbone made of the source, with gradients; fine to coarse, each (N, C, h, w).
    """

    source: Tensor
    target: Tensor
    label: Tensor
    pseudo: PseudoLabel
    features: tuple[Tensor, ...]
