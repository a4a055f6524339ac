"""DAFormer's feature distance: the backbone shall not forget what ImageNet taught it about things."""

import copy
from collections.abc import Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING

import torch
from mmseg.models.segmentors import BaseSegmentor
from torch import Tensor
from torch.nn import functional

from mmdass.datasets.label_space import LabelSpace
from mmdass.registry import MODELS
from mmdass.structures import SelfTrainingStep

from .loss_term import LossTerm

if TYPE_CHECKING:
    from ..segmentors.self_training import SelfTraining

THINGS = ('traffic light', 'traffic sign', 'person', 'rider', 'car', 'truck', 'bus', 'train', 'motorcycle', 'bicycle')


@MODELS.register_module()
class FeatureDistance(LossTerm):
    """Distance of the student's last features of source images from those of the backbone as it was initialised.

    It is the mean Euclidean distance at those places of the feature map where one of the given classes fills most of
    the label. Source: DAFormer (CVPR 2022) section 3.4, ``dacs.py``. Where no place counts the loss is 0 (there NaN
    without a gradient).

    The frozen backbone is a copy that is made when the student's weights are initialised, before a checkpoint is
    loaded; it is in the checkpoint.

    Args:
        label_space: The classes that the model predicts: a preset's name, or what else ``LabelSpace.get`` takes.
        classes: Names of the classes that count; None: all pixels count (DAFormer's ablation).
        loss_weight: DAFormer's lambda.
        min_ratio: Least share of a place that its class must fill.
        init_cfg: MMEngine's initialisation config.
    """

    def __init__(
        self,
        label_space: str | dict,
        classes: Sequence[str] | None = THINGS,
        loss_weight: float = 0.005,
        min_ratio: float = 0.75,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if not 0.5 < min_ratio <= 1:
            raise ValueError(f'min_ratio must be above 0.5, so that one class fills a place, up to 1, not {min_ratio}')
        self.names = LabelSpace.get(label_space).classes
        indices = None if classes is None else torch.tensor([self._index(name) for name in classes])
        self.register_buffer('indices', indices, persistent=False)
        self.loss_weight, self.min_ratio = loss_weight, min_ratio

    def bind(self, segmentor: BaseSegmentor) -> None:
        """Copy the student's backbone.

        Raises:
            ValueError: The label space is not the student's.
            TypeError: It is a diffusion backbone, or SAN's image encoder.
        """
        if segmentor.num_classes != len(self.names):
            raise ValueError(
                f'FeatureDistance knows {len(self.names)} classes and the segmentor predicts {segmentor.num_classes}: '
                'its label_space must be the one that the data sets have'
            )
        if not hasattr(segmentor, 'backbone') or hasattr(segmentor.backbone, 'forward_latents'):
            raise TypeError("FeatureDistance holds a backbone to what ImageNet taught it; a diffusion backbone, or"
                            " SAN's CLIP, has not learned from ImageNet. Leave it out: terms=dict("
                            'feature_distance=None)')
        self._student = [segmentor.backbone]  # in a list, so that it is not registered a second time
        self.reference = copy.deepcopy(segmentor.backbone).requires_grad_(False)
        self.train()

    def init_weights(self) -> None:
        """Take the student's weights, which are initialised first."""
        self.reference.load_state_dict(self._student[0].state_dict())

    def train(self, mode: bool = True) -> 'FeatureDistance':
        """The frozen backbone always evaluates, as in DAFormer."""
        super().train(mode)
        if hasattr(self, 'reference'):
            self.reference.eval()
        return self

    def forward(self, training: 'SelfTraining', step: SelfTrainingStep) -> dict[str, Tensor]:
        """'source.loss_feature_distance'."""
        with torch.no_grad():
            reference = self.reference(step.source)[-1]
        distance = torch.linalg.vector_norm(step.features[-1].float() - reference.float(), dim=1)
        counts = self.places(step.label, distance.shape[1:])
        mean = (distance * counts).sum() / counts.sum().clamp(min=1)
        return {'source.loss_feature_distance': self.loss_weight * mean}

    def places(self, label: Tensor, size: Sequence[int]) -> Tensor:
        """Where the distance counts, (N, h, w) bool, for labels (N, H, W)."""
        if self.indices is None:
            return label.new_ones((len(label), *size), dtype=torch.bool)
        of_class = label[:, None] == self.indices[:, None, None]
        share = functional.adaptive_avg_pool2d(of_class.float(), tuple(size))
        return (share >= self.min_ratio).any(1)

    def _index(self, name: str) -> int:
        if name not in self.names:
            near = get_close_matches(name, self.names, n=1)
            hint = f' Did you mean {near[0]!r}?' if near else ''
            raise ValueError(f'FeatureDistance: no class {name!r} in the label space.{hint} '
                             f'It has: {", ".join(self.names)}')
        return self.names.index(name)
