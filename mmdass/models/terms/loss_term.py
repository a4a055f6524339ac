"""One more loss in each iteration of self-training."""

from abc import abstractmethod
from typing import TYPE_CHECKING

from mmengine.model import BaseModule
from mmseg.models.segmentors import BaseSegmentor
from torch import Tensor

from mmdass.structures import SelfTrainingStep

if TYPE_CHECKING:
    from ..segmentors.self_training import SelfTraining


class LossTerm(BaseModule):
    """What ``SelfTraining`` calls once an iteration, after source and mixed images; one class, one loss."""

    def bind(self, segmentor: BaseSegmentor) -> None:
        """Look at the student once, when the model is built."""

    @abstractmethod
    def forward(self, training: 'SelfTraining', step: SelfTrainingStep) -> dict[str, Tensor]:
        """The losses of one iteration, '<branch>.<name>' to scalars.

        Args:
            training: The model, whose ``student_loss``, ``augment`` and ``generator`` are of use.
            step: The iteration's images and labels.
        """
