"""What guidance may know of one reverse step of a diffusion chain."""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from .label_regions import LabelRegions


@dataclass
class ReverseStep:
    """One reverse step of N images, as a translator hands it to its SGG hooks.

    Attributes:
        timestep: Of the state, 0-based.
        previous: The timestep that the step leads to; -1 at the last one.
        remaining: How many steps follow; 0 at the last one.
        noise: (N, C, H, W), predicted in the state.
        alpha_cumprod: Scalar, the share of the signal's variance in the state (alpha-bar).
        guide: Images (N, 3, H, W), RGB in [-1, 1], to logits (N, classes, H, W), differentiable.
        to_image: States to images, differentiable.
        classes: The labels' class regions.
        scenes: The labels' whole scenes.
        generators: One for each image, for the hooks' random choices.
        losses: By hook, the loss (N,) that it descends; filled in by the hooks.
    """

    timestep: int
    previous: int
    remaining: int
    noise: Tensor
    alpha_cumprod: Tensor
    guide: Callable[[Tensor], Tensor]
    to_image: Callable[[Tensor], Tensor]
    classes: LabelRegions
    scenes: LabelRegions
    generators: list[torch.Generator]
    losses: dict[str, Tensor] = field(default_factory=dict)

    def clean(self, x: Tensor) -> Tensor:
        """The clean states (N, C, H, W) that the predicted noise says are in states ``x``; not clipped."""
        return (x - (1 - self.alpha_cumprod).sqrt() * self.noise) / self.alpha_cumprod.sqrt()
