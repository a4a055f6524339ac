"""MIC: the student learns the teacher's labels from images with hidden blocks."""

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from mmdass.registry import MODELS
from mmdass.structures import SelfTrainingStep

from .loss_term import LossTerm

if TYPE_CHECKING:
    from ..segmentors.self_training import SelfTraining


@MODELS.register_module()
class MaskedConsistency(LossTerm):
    """Masked image consistency.

    Source: MIC (CVPR 2023) section 3.2, ``masking_consistency_module.py``: the pseudo-labels are those of the mixed
    images' teacher, and their weights too; the image is augmented like a mixed one, by draws of its own, then masked.

    Args:
        mask: Config of what hides blocks.
        loss_weight: Weight of the masked images' losses.
        domains: 'target' (MIC's ``separatetrg``), or 'both': the first half of the batch's places goes to source images
            with their labels (MIC's ``separate``, its choice for ACDC and Dark Zurich).
        augmented: Augment the images first (MIC's ``...aug``; not for ACDC and Dark Zurich).
        init_cfg: MMEngine's initialisation config.

    Raises:
        ValueError: In ``forward``: the batch has one image, of which 'both' domains cannot have a share.
    """

    def __init__(
        self,
        mask: dict = dict(type='mmdass.BlockMask'),
        loss_weight: float = 1.0,
        domains: str = 'target',
        augmented: bool = True,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if domains not in ('target', 'both'):
            raise ValueError(f"domains must be 'target' or 'both', not {domains!r}")
        self.mask = MODELS.build(mask)
        self.loss_weight, self.domains, self.augmented = loss_weight, domains, augmented

    def forward(self, training: 'SelfTraining', step: SelfTrainingStep) -> dict[str, Tensor]:
        """'masked.<loss>'."""
        images, label, weight, from_source = self._examples(step)
        if self.augmented:
            images = training.augment(images, 'masked/augment', from_source)
        images = self.mask(images, training.generator('masked/mask'))
        losses = training.student_loss('masked', images, label, weight)
        training.keep_panels('masked', from_source, image=images, label=label, weight=weight)
        return {name: value * self.loss_weight if 'loss' in name else value for name, value in losses.items()}

    def _examples(self, step: SelfTrainingStep) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Images, labels, weights, and which pixels (N, H, W) are of the source."""
        size = len(step.target)
        if self.domains == 'both' and size < 2:
            raise ValueError("MaskedConsistency(domains='both') needs a source and a target image in each batch: set "
                             "train_dataloader.batch_size to 2 at least, or domains='target'")
        sources = size // 2 if self.domains == 'both' else 0
        pairs = ((step.source, step.target), (step.label, step.pseudo.label),
                 (torch.ones_like(step.pseudo.weight), step.pseudo.weight))
        images, label, weight = (torch.cat([source[:sources], target[: size - sources]]) for source, target in pairs)
        from_source = torch.zeros_like(label, dtype=torch.bool)
        from_source[:sources] = True
        return images, label, weight, from_source
