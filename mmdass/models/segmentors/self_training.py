"""Self-training with a mean teacher and class mixing."""

from collections.abc import Sequence

import torch
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample
from mmseg.utils import add_prefix
from torch import Tensor

from mmdass.registry import MODELS
from mmdass.structures import PseudoLabel
from mmdass.utils.random import keyed_generator

from ..pseudo_labelers.diffusion import DiffusionPseudoLabeler
from ..utils.mixing import paste
from ..utils.pixel_weights import pixel_weights
from .uda_segmentor import UDASegmentor


@MODELS.register_module()
class SelfTraining(UDASegmentor):
    """The scheme of DACS and DAFormer for any MMSeg segmentor.

    One iteration: the student learns the source; a teacher labels the target; the student learns a mixture of both,
    pseudo-labelled pixels weighted by the teacher's confidence. Source: DAFormer (CVPR 2022) section 3.2, ``dacs.py``.

    Args:
        segmentor: Config of the student.
        pseudo_labeler: Config of the pseudo-labeler.
        mixing: Config of what chooses the source pixels to paste.
        augmentation: Config of the mixed images' augmentation; None for none.
        teacher: Arguments of ``EMATeacher``.
        kwargs: Of ``UDASegmentor``.
    """

    def __init__(
        self,
        segmentor: dict,
        pseudo_labeler: dict = dict(type='mmdass.ConfidencePseudoLabeler'),
        mixing: dict = dict(type='mmdass.ClassMix'),
        augmentation: dict | None = dict(type='mmdass.StrongAugmentation'),
        teacher: dict = dict(),
        **kwargs,
    ) -> None:
        super().__init__(segmentor, teacher=teacher, **kwargs)
        self.pseudo_labeler = MODELS.build(pseudo_labeler)
        self.mixing = MODELS.build(mixing)
        self.augmentation = None if augmentation is None else MODELS.build(augmentation)
        if isinstance(self.pseudo_labeler, DiffusionPseudoLabeler) and not hasattr(
            self.segmentor.backbone, 'forward_latents'
        ):
            raise TypeError(
                f'DiffusionPseudoLabeler adds noise in latent space, so it needs a diffusion backbone, not '
                f"{type(self.segmentor.backbone).__name__}; use type='ConfidencePseudoLabeler' here"
            )

    def loss(self, inputs: dict[str, Tensor], data_samples: dict[str, list[SegDataSample]]) -> dict[str, Tensor]:
        """The losses of one iteration.

        Args:
            inputs: 'source' and 'target' images, each (N, 3, H, W), of one size.
            data_samples: The same branches' data samples; those of 'source' hold ``gt_sem_seg``.

        Returns:
            'source.<loss>' and 'mix.<loss>' scalars, and values to log.
        """
        self.begin_iteration(inputs)
        source, target = inputs['source'], inputs['target']
        label = stack_labels(data_samples['source'])
        losses = add_prefix(self.segmentor.loss(source, data_samples['source']), 'source')

        timestep = self.pseudo_labeler.timestep(self.iteration, self.generator('timestep'))
        pseudo = self.pseudo_label(target, timestep)
        mask = self.mixing(label, self.generator('mix'))
        mixed = self.augment(paste(mask, source, target))
        mixed_label, weight = self.mix_labels(mask, label, pseudo)
        with pixel_weights(self.segmentor, weight):
            losses |= add_prefix(self.segmentor.loss(mixed, label_samples(mixed_label)), 'mix')

        self.keep_panels('source', image=source, label=label)
        self.keep_panels('target', image=target, pseudo_label=pseudo.label, confidence=pseudo.confidence)
        self.keep_panels('mix', image=mixed, label=mixed_label, weight=weight)
        return losses | self.end_iteration(pseudo, timestep)

    def begin_iteration(self, inputs: dict[str, Tensor]) -> None:
        """Check what must hold before an iteration.

        Raises:
            RuntimeError: Nobody will update the teacher.
            ValueError: The domains' images differ in shape.
        """
        if not self.teacher.armed:
            raise RuntimeError(
                f'the teacher of {type(self).__name__} would never be updated: add '
                "dict(type='mmdass.TeacherUpdateHook') to custom_hooks (outside a Runner: model.teacher.arm(), and "
                'model.teacher.update() after each optimizer step)'
            )
        if inputs['source'].shape != inputs['target'].shape:
            raise ValueError(
                f'source and target images are mixed, so their shapes must agree: {tuple(inputs["source"].shape)} and '
                f'{tuple(inputs["target"].shape)}. Give both pipelines the same crop size.'
            )
        self.panels = {}

    def end_iteration(self, pseudo: PseudoLabel, timestep: int) -> dict[str, Tensor]:
        """Count the iteration; return what the log shows of it."""
        self.iterations.value += 1
        return {'pseudo/confident': pseudo.weight.mean(), 'pseudo/timestep': torch.tensor(float(timestep))}

    def generator(self, purpose: str) -> torch.Generator:
        """The generator of this iteration's draws for one purpose."""
        return keyed_generator(self.seed, self.iteration, purpose)

    @torch.no_grad()
    def pseudo_label(self, target: Tensor, timestep: int) -> PseudoLabel:
        """The teacher's labels of target images (N, 3, H, W), which a diffusion backbone sees at ``timestep``."""
        backbone = self.teacher.segmentor.backbone
        features = backbone(target, timestep=timestep) if timestep else backbone(target)
        return self.decode_pseudo_label(features, target.shape[2:])

    def decode_pseudo_label(self, features: tuple[Tensor, ...], size: Sequence[int]) -> PseudoLabel:
        """The teacher's labels from its backbone's features, at ``size`` (H, W)."""
        teacher = self.teacher.segmentor
        features = teacher.neck(features) if teacher.with_neck else features
        size = torch.Size(size)
        metas = [dict(img_shape=size, ori_shape=size)] * len(features[0])
        return self.pseudo_labeler(teacher.decode_head.predict(features, metas, teacher.test_cfg))

    def augment(self, images: Tensor) -> Tensor:
        """Strongly augment mixed images (N, 3, H, W)."""
        return images if self.augmentation is None else self.augmentation(images, self.generator('augment'))

    def mix_labels(self, mask: Tensor, label: Tensor, pseudo: PseudoLabel) -> tuple[Tensor, Tensor]:
        """Labels and weights (N, H, W) of mixed images: the source's own, weight 1, where pasted."""
        weight = torch.where(mask, 1.0, pseudo.weight)
        return paste(mask, label, pseudo.label), weight

    def keep_panels(self, branch: str, **panels: Tensor | None) -> None:
        """Keep pictures for the hook that asked for them."""
        if self.panels_wanted:
            self.panels |= {f'{branch}/{name}': x.detach() for name, x in panels.items() if x is not None}


def stack_labels(data_samples: list[SegDataSample]) -> Tensor:
    """The labels of a batch, (N, H, W) int64."""
    return torch.stack([sample.gt_sem_seg.data.squeeze(0) for sample in data_samples]).long()


def label_samples(label: Tensor) -> list[SegDataSample]:
    """Data samples that hold the labels (N, H, W)."""
    return [SegDataSample(gt_sem_seg=PixelData(data=one[None])) for one in label]
