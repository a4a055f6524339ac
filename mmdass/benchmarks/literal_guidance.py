"""LCG as the paper writes it, a mean for each class: what the exact reformulation is tested and measured against."""

import torch
from torch import Tensor
from torch.nn import functional as F

from mmdass.engine.hooks import LocalClassGuidanceHook
from mmdass.structures import VOID, ReverseStep


class LiteralLocalClassGuidance(LocalClassGuidanceHook):
    """A forward and a backward pass of the segmentor for each class region, and a merge of the guided means by masks.

    The denoiser runs once for all classes, and absent ones are skipped: the naive loop at its best. One draw of noise
    on the merged mean is distributed as a draw for each class, merged, since the masks are disjoint.
    """

    def adjust_mean(self, mean: Tensor, variance: Tensor, x: Tensor, step: ReverseStep, label: Tensor) -> Tensor:
        """Guide one reverse step; arguments as those of ``SGGHook.adjust_mean``."""
        if step.remaining % self.every != self.phase:
            return mean
        variance = variance.expand_as(mean)
        merged = mean.clone()
        for i, one in enumerate(label):
            for value in one.unique():
                if value == VOID:
                    continue
                mask = one == value
                gradient = self._gradient(x, step, i, torch.where(mask, one, VOID), mask)
                guided = mean[i] - self.scale * variance[i] * gradient
                merged[i] = torch.where(mask, guided, merged[i])
        return merged

    def _gradient(self, x: Tensor, step: ReverseStep, i: int, target: Tensor, mask: Tensor) -> Tensor:
        with torch.enable_grad():
            state = x.detach().requires_grad_()
            region = step.to_image(self.seen(state, step))[i] * mask
            loss = F.cross_entropy(step.guide(region[None]), target[None], ignore_index=VOID)
            return torch.autograd.grad(loss, state)[0][i]
