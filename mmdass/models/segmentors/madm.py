"""MADM: modality adaptation with a text-to-image diffusion model."""

from contextlib import nullcontext

import torch
from mmseg.structures import SegDataSample
from mmseg.utils import add_prefix
from torch import Tensor

from mmdass.registry import MODELS
from mmdass.structures import PseudoLabel, SelfTrainingStep

from ..backbones.stable_diffusion import StableDiffusionBackbone, StableDiffusionOutput
from ..utils.finite_check import NonFiniteError
from ..utils.mixing import paste
from ..utils.padding import ignore_padding
from ..utils.pixel_weights import pixel_weights
from .self_training import SelfTraining, label_samples, stack_labels


@MODELS.register_module()
class MADM(SelfTraining):
    """Self-training on a Stable Diffusion backbone, with DPLG and LPLR.

    Source: "Unsupervised Modality Adaptation with Text-to-Image Diffusion Models for Semantic Segmentation" (NeurIPS
    2024), sections 3.1 to 3.3, and its released code, ``mtmadise.py``. DPLG is ``DiffusionPseudoLabeler``, LPLR is
    ``LatentPaletteHead``; the teacher runs the student's live UNet if ``teacher.modules`` leaves it out.

    Args:
        segmentor: Config of the student, with a ``StableDiffusionBackbone`` and a neck.
        latent_palette_head: Config of the ``LatentPaletteHead``; None for MADM without LPLR.
        kwargs: Of ``SelfTraining``.

    Raises:
        TypeError: The backbone is none of diffusion.
        ValueError: The palette is of another number of classes.
    """

    def __init__(self, segmentor: dict, latent_palette_head: dict | None = None, **kwargs) -> None:
        super().__init__(segmentor, **kwargs)
        self.latent_palette_head = None if latent_palette_head is None else MODELS.build(latent_palette_head)
        if not isinstance(self.segmentor.backbone, StableDiffusionBackbone):
            raise TypeError(
                f'MADM needs a StableDiffusionBackbone, not {type(self.segmentor.backbone).__name__}; '
                'SelfTraining adapts any other segmentor'
            )
        if latent_palette_head is not None and self.latent_palette_head.num_classes != self.num_classes:
            raise ValueError(
                f'the segmentor predicts {self.num_classes} classes, and `latent_palette_head` has colours for '
                f'{self.latent_palette_head.num_classes}: set its `label_space` to that of the data sets'
            )

    def loss(self, inputs: dict[str, Tensor], data_samples: dict[str, list[SegDataSample]]) -> dict[str, Tensor]:
        """The losses of one iteration; see ``SelfTraining.loss``."""
        self.begin_iteration(inputs)
        self.choose_adapter(data_samples['target'])
        source, target = inputs['source'], inputs['target']
        label = stack_labels(data_samples['source'])
        mask = self.choose_pasted(label)
        mixed = self.augment(paste(mask, source, target), 'augment', mask)
        images = dict(source=source, target=target, mix=mixed, painted=self.paint('source', label))
        latents = self.encode(images, data_samples)

        # The student goes first: a teacher's pass through the shared UNet would fill autocast's cache without a graph.
        both = self.segmentor.backbone.forward_latents(torch.cat([latents['source'], latents['mix']]))
        source_output, mix_output = both.halves()
        losses = self.branch_loss('source', source_output, label, painted=latents.get('painted'))
        timestep = self.pseudo_labeler.timestep(self.iteration, self.generator('timestep'))
        pseudo = self.pseudo_label_latents(latents['target'], timestep)
        ignore_padding(pseudo, data_samples['target'])
        mixed_label, weight = self.mix_labels(mask, label, pseudo)
        painted = self.encode(dict(painted=self.paint('mix', mixed_label)), data_samples).get('painted')
        latent_weight = pseudo.weight if painted is not None and self.latent_palette_head.weigh_pasted else weight
        losses |= self.branch_loss('mix', mix_output, mixed_label, weight, painted, latent_weight)
        losses |= self.term_losses(SelfTrainingStep(source, target, label, pseudo, features=()))

        self.keep_panels('source', True, image=source, label=label)
        self.keep_panels('target', False, image=target, pseudo_label=pseudo.label, confidence=pseudo.confidence)
        self.keep_panels('mix', mask, image=mixed, label=mixed_label, weight=weight)
        return losses | self.end_iteration(pseudo, timestep)

    def branch_loss(
        self,
        branch: str,
        output: StableDiffusionOutput,
        label: Tensor,
        weight: Tensor | None = None,
        painted: Tensor | None = None,
        latent_weight: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """The student's losses on one branch.

        Args:
            branch: 'source', 'mix' or 'masked'.
            output: What the UNet makes of the branch's images.
            label: (N, H, W) in 0..classes-1, or 255.
            weight: (N, H, W), weight of each pixel's classification; None: 1, or what the head's own sampler says.
            painted: (N, 4, H/8, W/8), the encoded painted label; None leaves LPLR out.
            latent_weight: (N, H, W), weight of each pixel's regression, 1 if None; ignored pixels weigh nothing.
        """
        features = self.segmentor.neck(output.features) if self.segmentor.with_neck else output.features
        if weight is not None:
            label, weight = self.ignore_or_weigh(label, weight)
        samples = label_samples(label)
        with nullcontext() if weight is None else pixel_weights(self.segmentor, weight):
            losses = self.segmentor._decode_head_forward_train(features, samples)
            if self.segmentor.with_auxiliary_head:
                losses |= self.segmentor._auxiliary_head_forward_train(features, samples)
        if painted is not None:
            valid = (label != 255).float()
            latent_weight = valid if latent_weight is None else latent_weight * valid
            losses['loss_latent'] = self.latent_palette_head.loss(output.latents, painted, latent_weight, branch)
        self.keep_panels(branch, palette=output.decoded)
        return add_prefix(losses, branch)

    def student_loss(self, branch: str, images: Tensor, label: Tensor, weight: Tensor) -> dict[str, Tensor]:
        """The student's losses on images (N, 3, H, W), without LPLR."""
        backbone = self.segmentor.backbone
        return self.branch_loss(branch, backbone.forward_latents(backbone.encode(images)), label, weight)

    @torch.no_grad()
    def pseudo_label_latents(self, latents: Tensor, timestep: int) -> PseudoLabel:
        """The teacher's labels of encoded target images (N, 4, H/8, W/8), noised to ``timestep``."""
        output = self.teacher.segmentor.backbone.forward_latents(latents, timestep)
        self.keep_panels('target', palette=output.decoded)
        size = [size * self.segmentor.backbone.vae_stride for size in latents.shape[2:]]
        return self.decode_pseudo_label(output.features, size)

    def paint(self, branch: str, label: Tensor) -> Tensor | None:
        """The painted label (N, 3, H, W) if LPLR works on this branch."""
        head = self.latent_palette_head
        return head.paint(label) if head is not None and head.weights[branch] else None

    def encode(
        self, images: dict[str, Tensor | None], data_samples: dict[str, list[SegDataSample]]
    ) -> dict[str, Tensor]:
        """Latents of several batches (N, 3, H, W) in one call of the VAE."""
        images = {name: batch for name, batch in images.items() if batch is not None}
        if not images:
            return {}
        paths = {name: image_paths(samples) for name, samples in data_samples.items()}
        paths['painted'] = paths['source']
        paths['mix'] = [' and '.join(pair) for pair in zip(paths['source'], paths['target'], strict=True)]
        names = [f'{name} of {path}' for name in images for path in paths[name]]
        latents = self.segmentor.backbone.encode(torch.cat(list(images.values())), names)
        return dict(zip(images, latents.split([len(batch) for batch in images.values()]), strict=True))

    def choose_adapter(self, data_samples: list[SegDataSample]) -> None:
        """Let student and teacher see what follows through the adapter of the samples' modality, if there are several.

        The source too: so what an adapter learns does not depend on how many there are.

        Raises:
            ValueError: The samples' modality is unknown, not one, or has no adapter.
        """
        if len(self.segmentor.backbone.adapters) > 1:
            modality = common_modality(data_samples)
            for segmentor in (self.segmentor, self.teacher.segmentor):
                segmentor.backbone.use_adapter(modality)

    def predict(self, inputs: Tensor, data_samples: list | None = None) -> list:
        """MMSeg's prediction; an image on which the VAE overflows is named."""
        if data_samples is not None:
            self.choose_adapter(data_samples)
        try:
            return super().predict(inputs, data_samples)
        except NonFiniteError as error:
            if error.names or data_samples is None:  # the former: of a training step before
                raise
            raise NonFiniteError(error.origin, error.indices, image_paths(data_samples)) from error


def image_paths(data_samples: list[SegDataSample]) -> list[str]:
    """The files that a batch was read from."""
    return [str(sample.get('img_path', '(no path)')) for sample in data_samples]


def common_modality(data_samples: list[SegDataSample]) -> str:
    """The modality that all samples of a batch say they have."""
    modalities = {sample.get('modality') for sample in data_samples}
    if None in modalities:
        raise ValueError(
            'the backbone has several adapters, and these images do not say their modality: set `modality` of the data '
            "set, and let the pipeline end with dict(type='PackModalityInputs')"
        )
    if len(modalities) > 1:
        raise ValueError(
            f'a batch has images of {", ".join(sorted(modalities))}, but one adapter sees all of it: set batch_size=1 '
            '(and optim_wrapper.accumulative_counts for larger steps)'
        )
    return modalities.pop()
