"""Self-training with a mean teacher and class mixing."""

from collections.abc import Callable, Sequence
from contextlib import nullcontext

import torch
from mmengine.logging import print_log
from mmengine.model import ModuleDict
from mmengine.structures import PixelData
from mmseg.datasets.transforms import GenerateEdge
from mmseg.models.decode_heads import PIDHead
from mmseg.structures import SegDataSample
from mmseg.utils import add_prefix
from torch import Tensor, nn

from mmdass.registry import MODELS
from mmdass.structures import PseudoLabel, SelfTrainingStep
from mmdass.utils.random import keyed_generator

from ..pseudo_labelers.diffusion import DiffusionPseudoLabeler
from ..utils.class_logits import class_logits
from ..utils.decode_features import decode_features
from ..utils.mixing import paste
from ..utils.padding import ignore_padding
from ..utils.pixel_range import from_pictures, to_pictures
from ..utils.pixel_weights import heads_without_weights, pixel_weights, segmentor_heads
from ..utils.recorded import recorded
from .uda_segmentor import UDASegmentor


@MODELS.register_module()
class SelfTraining(UDASegmentor):
    """The scheme of DACS and DAFormer for any MMSeg segmentor.

    One iteration: the student learns the source; a teacher labels the target; the student learns a mixture of both,
    pseudo-labelled pixels weighted by the teacher's confidence; and what else ``terms`` name. Source: DAFormer (CVPR
    2022) section 3.2, ``dacs.py``.

    Heads that cannot weigh pixels, because they have a loss of their own, get them as ignored where the teacher is not
    confident; the log says so.

    Args:
        segmentor: Config of the student.
        pseudo_labeler: Config of the pseudo-labeler.
        mixing: Config of what chooses the source pixels to paste; None: target images are learned as they are.
        augmentation: Config of the mixed images' augmentation; None for none.
        terms: Further losses, each the config of a ``LossTerm`` under a name of your choice; None switches one off.
        teacher: Arguments of ``EMATeacher``.
        kwargs: Of ``UDASegmentor``.
    """

    def __init__(
        self,
        segmentor: dict,
        pseudo_labeler: dict = dict(type='mmdass.ConfidencePseudoLabeler'),
        mixing: dict | None = dict(type='mmdass.ClassMix'),
        augmentation: dict | None = dict(type='mmdass.StrongAugmentation'),
        terms: dict[str, dict | None] = dict(),
        teacher: dict = dict(),
        **kwargs,
    ) -> None:
        super().__init__(segmentor, teacher=teacher, **kwargs)
        self.pseudo_labeler = MODELS.build(pseudo_labeler)
        self.mixing = None if mixing is None else MODELS.build(mixing)
        self.augmentation = None if augmentation is None else MODELS.build(augmentation)
        # MMEngine's, which hands on init_weights: after the segmentor's, whose weights a term may refer to.
        self.terms = ModuleDict({name: MODELS.build(term) for name, term in terms.items() if term is not None})
        for term in self.terms.values():
            term.bind(self.segmentor)
        self._check_pseudo_labeler()
        self.weighs_pixels = self._weighs_pixels()
        self.needs_edges = any(isinstance(head, PIDHead) for head in segmentor_heads(self.segmentor))

    @property
    def backbone(self) -> nn.Module:
        """The student's backbone; MMSeg's SAN calls it the image encoder."""
        name = 'backbone' if hasattr(self.segmentor, 'backbone') else 'image_encoder'
        return getattr(self.segmentor, name)

    def loss(self, inputs: dict[str, Tensor], data_samples: dict[str, list[SegDataSample]]) -> dict[str, Tensor]:
        """The losses of one iteration.

        Args:
            inputs: 'source' and 'target' images, each (N, 3, H, W), of one size.
            data_samples: The same branches' data samples; those of 'source' hold ``gt_sem_seg``.

        Returns:
            'source.<loss>', 'mix.<loss>' and the terms' scalars, and values to log.
        """
        self.begin_iteration(inputs)
        source, target = inputs['source'], inputs['target']
        label = stack_labels(data_samples['source'])
        with recorded(self.backbone) as features:
            losses = add_prefix(self.segmentor.loss(source, data_samples['source']), 'source')

        timestep = self.pseudo_labeler.timestep(self.iteration, self.generator('timestep'))
        pseudo = self.pseudo_label(target, timestep)
        ignore_padding(pseudo, data_samples['target'])
        mask = self.choose_pasted(label)
        mixed = self.augment(paste(mask, source, target), 'augment', mask)
        mixed_label, weight = self.mix_labels(mask, label, pseudo)
        losses |= self.student_loss('mix', mixed, mixed_label, weight)
        losses |= self.term_losses(SelfTrainingStep(source, target, label, pseudo, *features))

        self.keep_panels('source', True, image=source, label=label)
        self.keep_panels('target', False, image=target, pseudo_label=pseudo.label, confidence=pseudo.confidence)
        self.keep_panels('mix', mask, image=mixed, label=mixed_label, weight=weight)
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
        confident = (pseudo.confidence >= self.pseudo_labeler.threshold).float().mean()
        return {'pseudo/confident': confident, 'pseudo/timestep': torch.tensor(float(timestep))}

    def generator(self, purpose: str) -> torch.Generator:
        """The generator of this iteration's draws for one purpose."""
        return keyed_generator(self.seed, self.iteration, purpose)

    @torch.no_grad()
    def pseudo_label(self, target: Tensor, timestep: int) -> PseudoLabel:
        """The teacher's labels of target images (N, 3, H, W), which a diffusion backbone sees at ``timestep``."""
        teacher, size = self.teacher.segmentor, target.shape[2:]
        if timestep:
            return self.decode_pseudo_label(teacher.backbone(target, timestep=timestep), size)
        predicted = teacher.encode_decode(target, image_metas(len(target), size))
        return self.pseudo_labeler(class_logits(teacher.decode_head, predicted))

    def decode_pseudo_label(self, features: tuple[Tensor, ...], size: Sequence[int]) -> PseudoLabel:
        """The teacher's labels from its backbone's features, at ``size`` (H, W)."""
        teacher = self.teacher.segmentor
        predicted = decode_features(teacher, features, image_metas(len(features[0]), torch.Size(size)))
        return self.pseudo_labeler(class_logits(teacher.decode_head, predicted))

    def choose_pasted(self, label: Tensor) -> Tensor:
        """Which pixels (N, H, W) of the mixed images are the source's, labelled ``label``."""
        if self.mixing is None:
            return torch.zeros_like(label, dtype=torch.bool)
        return self.mixing(label, self.generator('mix'))

    def augment(self, images: Tensor, purpose: str, from_source: Tensor) -> Tensor:
        """Strongly augment normalised images (N, 3, H, W), whose pixels ``from_source`` (N, H, W) are the source's."""
        if self.augmentation is None:
            return images
        pictures = self.augmentation(self.pictures(images, from_source), self.generator(purpose))
        return self._by_domain(from_pictures, pictures, from_source)

    def mix_labels(self, mask: Tensor, label: Tensor, pseudo: PseudoLabel) -> tuple[Tensor, Tensor]:
        """Labels and weights (N, H, W) of mixed images: the source's own, weight 1, where pasted."""
        weight = torch.where(mask, 1.0, pseudo.weight)
        return paste(mask, label, pseudo.label), weight

    def student_loss(self, branch: str, images: Tensor, label: Tensor, weight: Tensor) -> dict[str, Tensor]:
        """The student's losses on images (N, 3, H, W), as '<branch>.<loss>'.

        Args:
            branch: What to call them.
            images: Normalised as the student expects.
            label: (N, H, W) in 0..classes-1, or 255.
            weight: (N, H, W) in [0, 1], weight of each pixel.
        """
        label, weight = self.ignore_or_weigh(label, weight)
        with nullcontext() if weight is None else pixel_weights(self.segmentor, weight):
            losses = self.segmentor.loss(images, label_samples(label, self.needs_edges))
        return add_prefix(losses, branch)

    def ignore_or_weigh(self, label: Tensor, weight: Tensor) -> tuple[Tensor, Tensor | None]:
        """The same labels and weights; or where a head cannot weigh, light pixels as ignored and None."""
        return (label, weight) if self.weighs_pixels else (label.masked_fill(weight < 0.5, 255), None)

    def term_losses(self, step: SelfTrainingStep) -> dict[str, Tensor]:
        """The losses of all ``terms``."""
        losses = {}
        for term in self.terms.values():
            losses |= term(self, step)
        return losses

    def keep_panels(self, branch: str, from_source: Tensor | bool = False, **panels: Tensor | None) -> None:
        """Keep pictures for the hook that asked for them; an ``image`` is normalised, in part as the source's are."""
        if self.panels_wanted:
            if panels.get('image') is not None:
                panels['image'] = self.pictures(panels['image'], from_source)
            self.panels |= {f'{branch}/{name}': x.detach() for name, x in panels.items() if x is not None}

    def pictures(self, images: Tensor, from_source: Tensor | bool) -> Tensor:
        """Normalised images (N, 3, H, W) in [-1, 1]."""
        return self._by_domain(to_pictures, images, from_source)

    def _by_domain(self, convert: Callable, images: Tensor, from_source: Tensor | bool) -> Tensor:
        """Convert pixels as the preprocessor of their domain says."""
        domains = getattr(self.data_preprocessor, 'domains', None)
        if domains is None:
            return convert(images, self.data_preprocessor)
        source, target = (convert(images, domains[name]) for name in ('source', 'target'))
        return paste(torch.as_tensor(from_source, device=images.device).expand(images[:, 0].shape), source, target)

    def _weighs_pixels(self) -> bool:
        """Whether all heads take weights; if not, say so, and have each pixel judged alone."""
        heads = heads_without_weights(self.segmentor)
        if heads:
            self.pseudo_labeler.weight = 'pixel'
            print_log(
                f'Self-training: {", ".join(heads)} cannot weigh pixels, so pixels that the teacher is not sure of are '
                'ignored (255) instead, and the others weigh 1.', logger='current')
        return not heads

    def _check_pseudo_labeler(self) -> None:
        """Refuse what a head or a backbone does not give."""
        is_diffusion = hasattr(self.backbone, 'forward_latents')
        if isinstance(self.pseudo_labeler, DiffusionPseudoLabeler) and not is_diffusion:
            raise TypeError(
                f'DiffusionPseudoLabeler adds noise in latent space, so it needs a diffusion backbone, not '
                f"{type(self.backbone).__name__}; use type='ConfidencePseudoLabeler' here"
            )
        if self.segmentor.out_channels == 1:
            raise ValueError(
                'A head with one output channel has no probability for each class: set out_channels=2, and '
                'use_sigmoid=False in loss_decode'
            )


def stack_labels(data_samples: list[SegDataSample]) -> Tensor:
    """The labels of a batch, (N, H, W) int64."""
    return torch.stack([sample.gt_sem_seg.data.squeeze(0) for sample in data_samples]).long()


def label_samples(label: Tensor, with_edges: bool = False) -> list[SegDataSample]:
    """Data samples that hold the labels (N, H, W), and their edges for PIDNet."""
    meta = dict(img_shape=tuple(label.shape[1:]))  # MaskFormer asks for it
    samples = [SegDataSample(metainfo=meta, gt_sem_seg=PixelData(data=one[None])) for one in label]
    for sample in samples if with_edges else []:
        one = sample.gt_sem_seg.data[0]
        edges = GenerateEdge(edge_width=4)(dict(img_shape=one.shape, gt_seg_map=one.cpu().numpy()))['gt_edge_map']
        sample.gt_edge_map = PixelData(data=torch.from_numpy(edges)[None].to(one))
    return samples


def image_metas(number: int, size: torch.Size) -> list[dict]:
    """What MMSeg's heads want to know of images of ``size`` (H, W)."""
    return [dict(img_shape=size, ori_shape=size)] * number
