"""A segmentor around a segmentor: what every domain-adaptation method shares."""

import torch
from mmseg.models.segmentors import BaseSegmentor
from torch import Tensor

from mmdass.registry import MODELS

from ..data_preprocessor import DomainPairDataPreprocessor
from ..utils.counter import Counter
from ..utils.ema_teacher import EMATeacher


class UDASegmentor(BaseSegmentor):
    """Wraps any MMSeg segmentor, trains it on two domains, and answers as that segmentor everywhere else.

    Testing, test-time augmentation, inferencer and export see an ordinary segmentor. A subclass writes ``loss``, which
    returns the losses of all branches, named '<branch>.<loss>', so that MMEngine does one backward pass.

    Args:
        segmentor: Config of the student, with the shape ``model`` has in any MMSeg config.
        teacher: Arguments of ``EMATeacher``; None for a method without a teacher.
        data_preprocessor: Config, usually of ``DomainPairDataPreprocessor``; None: the segmentor's own, for both.
        predict_role: Who predicts: 'student' (the released MADM) or 'teacher'.
        init_cfg: MMEngine's initialisation config.

    Attributes:
        seed: Seed of all random draws; set by ``KeyedRandomnessHook``.
        panels_wanted: Whether the next ``loss`` shall keep pictures; set by ``DomainVisualizationHook``.
        panels: Those pictures, '<branch>/<name>' to images (N, 3, H, W) in [-1, 1], labels (N, H, W) integer, or maps
            (N, H, W) in [0, 1].
    """

    def __init__(
        self,
        segmentor: dict,
        teacher: dict | None = None,
        data_preprocessor: dict | None = None,
        predict_role: str = 'student',
        init_cfg: dict | None = None,
    ) -> None:
        if data_preprocessor is None and segmentor.get('data_preprocessor'):
            data_preprocessor = DomainPairDataPreprocessor(segmentor['data_preprocessor'])
        super().__init__(data_preprocessor=data_preprocessor, init_cfg=init_cfg)
        self.segmentor = MODELS.build(segmentor)
        self.teacher = None if teacher is None else EMATeacher(self.segmentor, **teacher)
        self.iterations = Counter()
        self.seed = 0
        self.panels_wanted = False
        self.panels: dict[str, Tensor] = {}
        self.predict_role = predict_role

    @property
    def iteration(self) -> int:
        """How many training iterations this model has seen; in the checkpoint."""
        return self.iterations.value

    @property
    def predict_role(self) -> str:
        """Who predicts: 'student' or 'teacher'."""
        return self._predict_role

    @predict_role.setter
    def predict_role(self, role: str) -> None:
        if role not in ('student', 'teacher'):
            raise ValueError(f"predict_role must be 'student' or 'teacher', not {role!r}")
        if role == 'teacher' and self.teacher is None:
            raise ValueError(f'{type(self).__name__} has no teacher that could predict')
        self._predict_role = role

    @property
    def predictor(self) -> BaseSegmentor:
        """The segmentor that predicts."""
        return self.segmentor if self.predict_role == 'student' else self.teacher.segmentor

    @property
    def decode_head(self) -> torch.nn.Module:
        """The student's head, for MMSeg's code that asks a segmentor for it."""
        return self.segmentor.decode_head

    @property
    def align_corners(self) -> bool:
        """The head's interpolation convention."""
        return self.segmentor.align_corners

    @property
    def num_classes(self) -> int:
        """Number of classes."""
        return self.segmentor.num_classes

    @property
    def out_channels(self) -> int:
        """Channels of the logits."""
        return self.segmentor.out_channels

    def extract_feat(self, inputs: Tensor) -> tuple[Tensor, ...]:
        """Features of images (N, 3, H, W)."""
        return self.predictor.extract_feat(inputs)

    def encode_decode(self, inputs: Tensor, batch_img_metas: list[dict]) -> Tensor:
        """Logits (N, classes, H, W) of images (N, 3, H, W)."""
        return self.predictor.encode_decode(inputs, batch_img_metas)

    def predict(self, inputs: Tensor, data_samples: list | None = None) -> list:
        """MMSeg's prediction: data samples with ``pred_sem_seg`` and ``seg_logits``."""
        return self.predictor.predict(inputs, data_samples)

    def _forward(self, inputs: Tensor, data_samples: list | None = None) -> Tensor:
        return self.predictor._forward(inputs, data_samples)
