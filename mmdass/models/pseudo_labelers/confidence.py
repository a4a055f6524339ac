"""Pseudo-labels weighted by the share of confident pixels."""

import torch
from mmengine.dist import all_reduce
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
        weight: 'global': all pixels of the batch weigh the share of confident ones (DACS's ``threshold_uniform``,
            DAFormer, MADM); 'all_ranks': the share is that of all ranks' batches; 'pixel': 1 where the pixel itself is
            confident, else 0 (DACS's ``threshold``).
        ignore_top: This many rows at the top of a crop weigh nothing. DAFormer takes 15 where Cityscapes is the target,
            whose rectification distorts them, as the 120 at the bottom, which show the car's own bonnet. Only
            right for crops as high as the resized image.
        ignore_bottom: The same at the bottom.
        init_cfg: MMEngine's initialisation config.
    """

    def __init__(
        self,
        threshold: float = 0.968,
        weight: str = 'global',
        ignore_top: int = 0,
        ignore_bottom: int = 0,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if weight not in ('global', 'all_ranks', 'pixel'):
            raise ValueError(f"weight must be 'global', 'all_ranks' or 'pixel', not {weight!r}")
        self.threshold, self.weight = threshold, weight
        self.ignore_top, self.ignore_bottom = ignore_top, ignore_bottom

    def timestep(self, iteration: int, generator: torch.Generator) -> int:
        """The noise that the teacher's view of the target gets: none."""
        return 0

    def forward(self, logits: Tensor) -> PseudoLabel:
        """Label target images from the teacher's logits (N, classes, H, W)."""
        confidence, label = logits.float().softmax(1).max(dim=1)
        confident = (confidence >= self.threshold).float()
        share = confident.mean()
        if self.weight == 'all_ranks':
            all_reduce(share, 'mean')
        weight = confident if self.weight == 'pixel' else share.expand_as(confidence).clone()
        weight[:, : self.ignore_top] = 0
        weight[:, max(0, weight.shape[1] - self.ignore_bottom) :] = 0
        return PseudoLabel(label, confidence, weight)
