"""Mixing of source and target images by rectangles."""

import torch
from mmengine.model import BaseModule
from torch import Tensor

from mmdass.registry import MODELS


@MODELS.register_module()
class CutMix(BaseModule):
    """Paste a random rectangle of the source image onto the target image.

    Source: CutMix for segmentation (French et al., BMVC 2020), with the rectangles of DACS's ablation: half of the
    image's area, and between half and all of its width.

    Args:
        area: Share of the image that the rectangle covers.
        init_cfg: MMEngine's initialisation config.
    """

    def __init__(self, area: float = 0.5, init_cfg: dict | None = None) -> None:
        super().__init__(init_cfg)
        if not 0 < area < 1:
            raise ValueError(f'area is a share of the image, between 0 and 1, not {area}')
        self.area = area

    def forward(self, label: Tensor, generator: torch.Generator) -> Tensor:
        """Choose the pixels to paste.

        Args:
            label: (N, H, W), source labels; only their shape matters.
            generator: A CPU generator.

        Returns:
            (N, H, W) bool, True where the source pixel is pasted.
        """
        mask = torch.zeros_like(label, dtype=torch.bool)
        for one in mask:
            top, bottom, left, right = self._rectangle(*one.shape, generator)
            one[top:bottom, left:right] = True
        return mask

    def _rectangle(self, height: int, width: int, generator: torch.Generator) -> tuple[int, int, int, int]:
        def draw(low: int, high: int) -> int:
            return int(torch.randint(low, high + 1, (), generator=generator))

        columns = draw(max(1, round(self.area * width)), width)
        rows = min(height, max(1, round(self.area * height * width / columns)))
        top, left = draw(0, height - rows), draw(0, width - columns)
        return top, top + rows, left, left + columns
