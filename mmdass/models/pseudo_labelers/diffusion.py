"""DPLG: pseudo-labels from a noisy view of the target, less noisy as training goes on."""

from collections.abc import Sequence

import torch

from mmdass.registry import MODELS

from .confidence import ConfidencePseudoLabeler


@MODELS.register_module()
class DiffusionPseudoLabeler(ConfidencePseudoLabeler):
    """The diffusion-based pseudo-label generation of MADM (section 3.2).

    At iteration i the teacher sees the target's latents at timestep ``int(start * (1 - i / end_iteration))``, with
    ``start`` drawn from ``start_timestep``; from ``end_iteration`` on at timestep 0.

    Args:
        start_timestep: The first and the last timestep to draw ``start`` from, both included. The released configs draw
            from {60, 61} (depth) and {50, 51} (infrared, event).
        end_iteration: 5000 (depth) and 8000 (infrared, event) in the released configs.
        kwargs: Of ``ConfidencePseudoLabeler``.
    """

    def __init__(self, start_timestep: Sequence[int] = (60, 61), end_iteration: int = 5000, **kwargs) -> None:
        super().__init__(**kwargs)
        if end_iteration < 1:
            raise ValueError(f"end_iteration must be at least 1, not {end_iteration}; without noise: "
                             "pseudo_labeler=dict(_delete_=True, type='ConfidencePseudoLabeler')")
        self.start_timestep, self.end_iteration = tuple(start_timestep), end_iteration

    def timestep(self, iteration: int, generator: torch.Generator) -> int:
        """The timestep of the teacher's view at a training iteration, counted from 0."""
        first, last = self.start_timestep
        start = int(torch.randint(first, last + 1, (), generator=generator))
        return max(0, int(start * (1 - iteration / self.end_iteration)))
