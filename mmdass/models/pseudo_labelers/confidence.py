"""Pseudo-labels weighted by the share of confident pixels."""

import torch
from mmengine.model import BaseModule
from torch import Tensor

from mmdass.registry import MODELS
from mmdass.structures import PseudoLabel


@MODELS.register_module()
class ConfidencePseudoLabeler(BaseModule):
    """The most likely class of each pixel, weighted by the share of pixels whose confidence reaches a threshold.

    Source: DACS (WACV 2021) and DAFormer, ``dacs.py``; MADM's ``mtmadise.py`` does the same.

    Args:
        threshold: Confidence from which a pixel counts.
        init_cfg: MMEngine's initialisation config.
    """

    def __init__(self, threshold: float = 0.968, init_cfg: dict | None = None) -> None:
        super().__init__(init_cfg)
        self.threshold = threshold

    def timestep(self, iteration: int, generator: torch.Generator) -> int:
        """The noise that the teacher's view of the target gets: none."""
        return 0

    def forward(self, logits: Tensor) -> PseudoLabel:
        """Label target images from the teacher's logits (N, classes, H, W); one weight for the whole batch."""
        confidence, label = logits.float().softmax(dim=1).max(dim=1)
        confident = (confidence >= self.threshold).float().mean()
        return PseudoLabel(label, confidence, confident.expand_as(confidence))
