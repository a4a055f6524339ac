"""Distillation of a trained segmentor, however slow, into a small one."""

from collections.abc import Mapping
from pathlib import Path

import torch
from mmengine.registry import DefaultScope
from mmengine.structures import PixelData
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from mmseg.models.utils import resize
from mmseg.structures import SegDataSample
from mmseg.utils import add_prefix
from torch import Tensor
from torch.nn import functional as F

from mmdass.datasets.label_space import LabelSpace
from mmdass.registry import MODELS
from mmdass.utils.config import load_config

from ..translators.guide import Guide
from ..utils.choose_adapter import choose_adapter
from ..utils.pixel_range import to_pictures
from .uda_segmentor import UDASegmentor


@MODELS.register_module()
class Distillation(UDASegmentor):
    """A student learns unlabelled target images from a frozen teacher, and the labelled source too, if there is one.

    The student's logits follow the teacher's soft labels, softmax(logits / T), by T^2 KL(teacher || student), the mean
    over pixels at the size of the student's logits; and its heads, auxiliary ones too, learn the teacher's most likely
    class where its confidence reaches the threshold. Source: "Distilling the Knowledge in a Neural Network" (2015),
    section 2, at every pixel. (MMSeg's ``KLDivLoss`` hands probabilities to a function that takes their logarithms.)

    The teacher is in no checkpoint; ``ExportSegmentorHook`` or ``mmdass convert --to mmseg`` takes the student out.

    Args:
        segmentor: Config of the student: one whose head is trained by MMSeg's ``BaseDecodeHead``.
        teacher_config: Path of the teacher's config, ours or MMSeg's.
        teacher_checkpoint: Path of its checkpoint.
        label_space: The student's label space, as ``LabelSpace.get`` takes it; the teacher's must be the same.
        teacher_role: Who teaches, where the teacher is a model of ours: its 'student' or its 'teacher'.
        teacher_modality: Through which adapter it sees, if it has one for each of several modalities.
        temperature: T.
        threshold: Confidence from which a pixel has a hard label.
        soft_weight: Factor of the loss on soft labels.
        hard_weight: Factor of the losses on hard labels.
        kwargs: Of ``UDASegmentor``.

    Raises:
        CheckpointError: The teacher's checkpoint is damaged or does not fit its config.
        TypeError: The student's head has a loss of its own.
        ValueError: Teacher and student have different label spaces, or the teacher has several adapters and
            ``teacher_modality`` names none of them.
    """

    def __init__(
        self,
        segmentor: dict,
        teacher_config: str | Path,
        teacher_checkpoint: str | Path,
        label_space: str | Mapping,
        teacher_role: str = 'student',
        teacher_modality: str | None = None,
        temperature: float = 2.0,
        threshold: float = 0.9,
        soft_weight: float = 1.0,
        hard_weight: float = 1.0,
        **kwargs,
    ) -> None:
        super().__init__(segmentor, **kwargs)
        head = self.segmentor.decode_head
        if getattr(type(head), 'loss_by_feat', None) is not BaseDecodeHead.loss_by_feat:
            raise TypeError(
                f'{type(head).__name__} has a loss of its own, so it has no logits that soft labels could teach; '
                'choose a student with a stock head, such as SegformerHead or FCNHead')
        self.temperature, self.threshold = temperature, threshold
        self.soft_weight, self.hard_weight = soft_weight, hard_weight
        space = LabelSpace.get(label_space)
        # In a list, so that it is no module of this one: it stays out of checkpoints, of DDP and of train().
        self._guide = [_load_guide(teacher_config, teacher_checkpoint, teacher_role, space)]
        choose_adapter(self.guide.segmentor, teacher_modality, 'teacher_modality')
        if self.num_classes != len(space.classes):
            raise ValueError(f'the student has {self.num_classes} classes, its label space {len(space.classes)}')

    @property
    def guide(self) -> Guide:
        """The frozen teacher: logits of pictures in [-1, 1]."""
        return self._guide[0]

    def _apply(self, *args, **kwargs) -> 'Distillation':
        self.guide._apply(*args, **kwargs)
        return super()._apply(*args, **kwargs)

    def loss(
        self, inputs: Tensor | dict[str, Tensor], data_samples: list[SegDataSample] | dict[str, list[SegDataSample]]
    ) -> dict[str, Tensor]:
        """The losses of one iteration.

        Args:
            inputs: 'source' and 'target' images, each (N, 3, H, W); or target images alone.
            data_samples: The same branches' data samples; those of 'source' hold ``gt_sem_seg``.

        Returns:
            'target.<loss>' and, where there is a source, 'source.<loss>' scalars, and the share of confident pixels.
        """
        losses, target = {}, inputs
        if isinstance(inputs, dict):
            target = inputs['target']
            losses |= add_prefix(self.segmentor.loss(inputs['source'], data_samples['source']), 'source')
        self.iterations.value += 1
        return losses | self._target_loss(target)

    def _target_loss(self, images: Tensor) -> dict[str, Tensor]:
        # The student goes first, as in SelfTraining.
        features = self.segmentor.extract_feat(images)
        student = self.segmentor.decode_head(features)
        pictures = to_pictures(images, self._target_preprocessor)
        with torch.no_grad():
            teacher = self.guide(pictures).float()
            confidence, label = teacher.softmax(1).max(1)
            confident = confidence >= self.threshold
        hard = torch.where(confident, label, 255)
        samples = [SegDataSample(gt_sem_seg=PixelData(data=one[None])) for one in hard]
        losses = add_prefix(self.segmentor.decode_head.loss_by_feat(student, samples), 'decode')
        if self.segmentor.with_auxiliary_head:
            losses |= self.segmentor._auxiliary_head_forward_train(features, samples)
        losses = {name: self.hard_weight * value if 'loss' in name else value for name, value in losses.items()}
        losses['decode.loss_soft'] = self.soft_weight * self._soft_loss(student, teacher)
        if self.panels_wanted:
            self.panels = {'target/image': pictures, 'target/pseudo_label': hard, 'target/confidence': confidence}
        return add_prefix(losses, 'target') | {'pseudo/confident': confident.float().mean()}

    def _soft_loss(self, student: Tensor, teacher: Tensor) -> Tensor:
        """T^2 KL(teacher || student) of logits (N, classes, h, w) and (N, classes, H, W), the mean over pixels."""
        teacher = resize(teacher, student.shape[2:], mode='bilinear', align_corners=self.align_corners)
        student, teacher = (F.log_softmax(logits.float() / self.temperature, 1) for logits in (student, teacher))
        return self.temperature**2 * F.kl_div(student, teacher, reduction='none', log_target=True).sum(1).mean()

    @property
    def _target_preprocessor(self) -> torch.nn.Module:
        domains = getattr(self.data_preprocessor, 'domains', None)
        return self.data_preprocessor if domains is None else domains['target']


def _load_guide(config: str | Path, checkpoint: str | Path, role: str, space: LabelSpace) -> Guide:
    from mmdass.apis.load_segmentor import config_metainfo, load_segmentor  # which imports this package

    scope = DefaultScope.get_current_instance()
    with DefaultScope.overwrite_default_scope(scope and scope.scope_name):  # and gives back ours
        teacher = load_segmentor(config, checkpoint)
    classes = (teacher.dataset_meta or {}).get('classes') or config_metainfo(load_config(config)).get('classes')
    if classes is not None and tuple(classes) != space.classes:
        raise ValueError(
            f'the teacher {checkpoint} knows the classes {", ".join(classes)}, but the student shall learn '
            f"{', '.join(space.classes)}; distill within one label space: set `label_space` to the teacher's, in the "
            'data too')
    if teacher.num_classes != len(space.classes):
        raise ValueError(
            f'the teacher {checkpoint} has {teacher.num_classes} classes, but the student shall learn '
            f'{len(space.classes)}: {", ".join(space.classes)}')
    if isinstance(teacher, UDASegmentor):
        teacher.predict_role = role
    return Guide(teacher)
