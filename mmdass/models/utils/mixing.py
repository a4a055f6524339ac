"""Class mixing of source and target images."""

import torch
from mmengine.dist import all_reduce
from mmengine.model import BaseModule
from torch import Tensor

from mmdass.registry import MODELS


@MODELS.register_module()
class ClassMix(BaseModule):
    """Paste the pixels of half of the source label's classes onto the target image.

    Source: ClassMix (WACV 2021) in the form of DAFormer's and MADM's ``dacs_transforms.py``. Nothing here waits for the
    device: how many classes there are is never read.

    Args:
        pool: 'batch': the classes to choose from are the whole batch's (DAFormer, MADM); 'all_ranks': those of all
            ranks' batches; 'sample': the sample's own.
        mix_ignored: Treat the ignored label 255 as a class that can be pasted (DAFormer, MADM).
        init_cfg: MMEngine's initialisation config.
    """

    def __init__(self, pool: str = 'batch', mix_ignored: bool = True, init_cfg: dict | None = None) -> None:
        super().__init__(init_cfg)
        if pool not in ('batch', 'all_ranks', 'sample'):
            raise ValueError(f"pool must be 'batch', 'all_ranks' or 'sample', not {pool!r}")
        self.pool, self.mix_ignored = pool, mix_ignored

    def forward(self, label: Tensor, generator: torch.Generator) -> Tensor:
        """Choose the pixels to paste.

        Args:
            label: (N, H, W), source labels in 0..255.
            generator: A CPU generator.

        Returns:
            (N, H, W) bool, True where the source pixel is pasted.
        """
        present = torch.zeros(len(label), 256, dtype=torch.bool, device=label.device)
        present.scatter_(1, label.flatten(1).long(), True)
        if not self.mix_ignored:
            present[:, 255] = False
        if self.pool != 'sample':
            pool = present.any(0).byte()
            if self.pool == 'all_ranks':
                all_reduce(pool, 'max')
            present = pool.bool().expand_as(present)
        score = torch.rand(present.shape, generator=generator).to(label.device, non_blocking=True)
        rank = torch.where(present, score, 2.0).argsort(dim=1).argsort(dim=1)
        chosen = rank < (present.sum(1, keepdim=True) + 1) // 2
        return chosen.gather(1, label.flatten(1).long()).view_as(label)


def paste(mask: Tensor, source: Tensor, target: Tensor) -> Tensor:
    """Source where ``mask`` (N, H, W) is true, target elsewhere; images (N, C, H, W) or maps (N, H, W)."""
    return torch.where(mask[:, None] if source.dim() == 4 else mask, source, target)
