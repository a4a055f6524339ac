"""Block masks of masked image consistency."""

import torch
from mmengine.model import BaseModule
from torch import Tensor
from torch.nn import functional

from mmdass.registry import MODELS


@MODELS.register_module()
class BlockMask(BaseModule):
    """Hides square blocks of an image, each with the same probability.

    Source: MIC (CVPR 2023) section 3.2, ``masking_transforms.py``.

    Args:
        block_size: Side of a block in pixels: 64 for MIC's crops at full resolution; its DAFormer experiments, at half
            of it, take 32. A grid that does not fit is stretched to the image.
        ratio: Probability that a block is hidden.
        init_cfg: MMEngine's initialisation config.
    """

    def __init__(self, block_size: int = 64, ratio: float = 0.7, init_cfg: dict | None = None) -> None:
        super().__init__(init_cfg)
        self.block_size, self.ratio = block_size, ratio

    def forward(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Images (N, C, H, W) with hidden blocks at 0, which is the mean colour of normalised ones."""
        size = images.shape[-2:]
        blocks = [max(1, round(side / self.block_size)) for side in size]
        visible = torch.rand(len(images), 1, *blocks, generator=generator) > self.ratio
        visible = visible.to(images.device, images.dtype, non_blocking=True)
        return images * functional.interpolate(visible, size, mode='nearest')
