"""LPLR: regress the latent of a label painted in class colours."""

import torch
from mmengine.model import BaseModule
from torch import Tensor
from torch.nn import functional as F

from mmdass.datasets.label_space import LabelSpace
from mmdass.registry import MODELS

_REGRESSIONS = {'l1': F.l1_loss, 'l2': F.mse_loss}


@MODELS.register_module()
class LatentPaletteHead(BaseModule):
    """The latent palette regression of MADM (section 3.3): the UNet's output shall be the latent of the painted label.

    It has no parameters: the UNet regresses, this class paints the target and measures the distance.

    Args:
        label_space: The classes and their colours: a preset's name, or what else ``LabelSpace.get`` takes.
        source_weight: Weight of the loss on source images; 0 leaves it out.
        mix_weight: Weight on mixed images; 0 leaves it out (MADM's released event config).
        regression: 'l1' or 'l2'.
        weigh_pasted: In mixed images, weigh the pasted source pixels like pseudo-labels, as MADM's code does; False
            gives them weight 1.
        init_cfg: MMEngine's initialisation config.
    """

    def __init__(
        self,
        label_space: str | dict,
        source_weight: float = 1.0,
        mix_weight: float = 1.0,
        regression: str = 'l1',
        weigh_pasted: bool = True,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if regression not in _REGRESSIONS:
            raise ValueError(f"regression must be 'l1' or 'l2', not {regression!r}")
        self.weights = dict(source=source_weight, mix=mix_weight)
        self.regress, self.weigh_pasted = _REGRESSIONS[regression], weigh_pasted
        colours = torch.zeros(256, 3)  # whatever is no class, ignored pixels too, is painted black
        palette = torch.tensor(LabelSpace.get(label_space).palette, dtype=torch.float32)
        colours[: len(palette)] = palette
        self.num_classes = len(palette)
        self.register_buffer('colours', colours / 127.5 - 1, persistent=False)

    def paint(self, label: Tensor) -> Tensor:
        """Paint labels (N, H, W) in 0..255 as pictures (N, 3, H, W), RGB in [-1, 1]."""
        return self.colours[label.long()].permute(0, 3, 1, 2)

    def loss(self, latents: Tensor, painted: Tensor, weight: Tensor, branch: str) -> Tensor:
        """Distance of predicted latents from those of the painted label, averaged over all elements.

        Args:
            latents: (N, 4, h, w), the UNet's output.
            painted: (N, 4, h, w), the painted label's latents.
            weight: (N, H, W), weight of each pixel, 0 where the label is ignored; taken at the latents' pixels.
            branch: 'source' or 'mix', whose weight scales the loss.
        """
        weight = F.interpolate(weight[:, None].float(), latents.shape[-2:], mode='nearest')
        distance = self.regress(latents.float(), painted, reduction='none')
        return self.weights[branch] * (distance * weight).mean()
