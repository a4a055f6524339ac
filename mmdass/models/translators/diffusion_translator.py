"""Translates labelled images into the look of the images that a denoiser has learned."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from mmengine.model import BaseModule
from mmseg.models.segmentors import BaseSegmentor
from torch import Tensor
from torch.nn import functional as F

from mmdass.registry import HOOKS, MODELS
from mmdass.structures import VOID, LabelRegions, ReverseStep
from mmdass.utils.random import keyed_generator

from .guide import Guide
from .latent_denoiser import LatentDenoiser
from .posterior import Posterior, posterior
from .profiles import apply_profile

_DTYPES = ('bfloat16', 'float32', 'float64')


@dataclass
class TranslationOutput:
    """Translated images.

    Attributes:
        images: (N, 3, H, W), RGB in [-1, 1].
        unguided: Ids of the images that were translated without guidance, since with it they were not finite.
        losses: For each image, what each hook's loss was on average over the steps ('lcg', summed over the classes, and
            'gsg'); empty for the unguided.
    """

    images: Tensor
    unguided: list[str]
    losses: list[dict[str, float]]


@MODELS.register_module()
class DiffusionTranslator(BaseModule):
    """Noises an image, and walks back to a clean one that looks like the target and still fits its label.

    Source: "Diffusion-based Image Translation with Label Guidance for Domain Adaptive Semantic Segmentation" (ICCV
    2023), Semantic Gradient Guidance. Without hooks it is SDEdit. An image's random numbers depend on the seed, the
    stage and its id alone, so neither the batch nor the process that it is translated in matters.

    Args:
        denoiser: Config of a ``Denoiser``, trained on the target; its ``init_cfg`` is read at once.
        sgg_hooks: Configs of the SGG hooks; None for those of the profile, without a profile none.
        start: Steps of noise that an image is given (n), 1 to the length of the chain.
        num_steps: Reverse steps, evenly spaced over ``start``; where ``start`` is less, each of its steps.
        dtype: 'bfloat16' runs the denoiser and the guide under autocast while the chain itself stays in float32;
            'float32'; 'float64' is for tests.
        seed: Seed of the noise.
        profile: A key of ``PROFILES``, which stands in for those of the above that are None. Without it: 600 steps in
            'float32', no hooks. The full chain of 'paper' has as many steps as ``start``.
        init_cfg: MMEngine's initialisation config.

    Raises:
        ValueError: Unknown profile or dtype, ``num_steps`` less than 1, or hooks that show the guide noisy latents.
    """

    def __init__(
        self,
        denoiser: dict,
        sgg_hooks: Sequence[dict] | None = None,
        start: int | None = None,
        num_steps: int | None = None,
        dtype: str | None = None,
        seed: int = 0,
        profile: str | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        settings = apply_profile(profile, dict(sgg_hooks=sgg_hooks, start=start, num_steps=num_steps, dtype=dtype))
        if settings['dtype'] not in _DTYPES:
            raise ValueError(f'DiffusionTranslator: dtype={settings["dtype"]!r}; choose one of {_DTYPES}')
        self.start: int = settings['start']
        self.num_steps: int | None = settings['num_steps']
        self.sgg_hooks = [HOOKS.build(hook) for hook in settings['sgg_hooks']]
        self.seed = seed
        self.autocast_dtype = torch.bfloat16 if settings['dtype'] == 'bfloat16' else None
        self.dtype = torch.float64 if settings['dtype'] == 'float64' else torch.float32
        self.guide: Guide | None = None
        self.denoiser = MODELS.build(denoiser)
        self._check_seen()
        if any(getattr(module, 'init_cfg', None) for module in self.denoiser.modules()):
            self.denoiser.init_weights()
        self.to(self.dtype).eval().requires_grad_(False)
        self.timesteps(self.start)

    def train(self, mode: bool = True) -> 'DiffusionTranslator':
        """Stay in evaluation mode: nothing is trained here."""
        return super().train(False)

    def guide_with(self, segmentor: BaseSegmentor) -> None:
        """Guide by a copy of this segmentor from now on."""
        device = next(self.denoiser.parameters()).device
        self.guide = Guide(segmentor).to(device, self.dtype)

    def timesteps(self, start: int) -> list[int]:
        """The timesteps of the chain that walks back ``start`` steps, descending, 0-based, to 0.

        Raises:
            ValueError: ``start`` is not within the denoiser's chain, or there would be no step.
        """
        length = self.denoiser.scheduler.config.num_train_timesteps
        if not 1 <= start <= length:
            raise ValueError(f"DiffusionTranslator: start={start}; choose 1 to {length}, the denoiser's steps")
        num_steps = start if self.num_steps is None else self.num_steps
        if num_steps < 1:
            raise ValueError(f'DiffusionTranslator: num_steps={num_steps}; choose at least 1')
        kept = torch.linspace(start - 1, 0, min(num_steps, start), dtype=torch.float64)
        return kept.round().long().tolist()

    @torch.no_grad()
    def translate(
        self,
        images: Tensor,
        labels: Tensor,
        ids: Sequence[str],
        stage: int = 0,
        start: int | None = None,
        watch: Callable[[Tensor, ReverseStep], None] | None = None,
    ) -> TranslationOutput:
        """Translate a batch.

        Args:
            images: (N, 3, H, W), RGB in [-1, 1], of any size: it is padded by reflection, as void, and cropped again.
            labels: (N, H, W) integers, the guide's classes and 255 for void.
            ids: A name for each image, which keys its random numbers.
            stage: Part of that key, so that each stage draws new noise.
            start: Instead of the translator's.
            watch: Called with the states (N, C, h, w) and each reverse step that is taken from them.

        Raises:
            RuntimeError: There are hooks but no guide.
            ValueError: Images, labels and ids do not fit each other, the guide or the denoiser.
            FloatingPointError: An image is not finite even without guidance.
        """
        with torch.inference_mode(False):  # in which the hooks could not take gradients
            return self._translate(images, labels, list(ids), stage, self.start if start is None else start, watch)

    def _translate(
        self, images: Tensor, labels: Tensor, ids: list[str], stage: int, start: int, watch: Callable | None
    ) -> TranslationOutput:
        self._check(images, labels, ids)
        device = next(self.denoiser.parameters()).device
        height, width = images.shape[2:]
        images = self._pad(images.to(device, self.dtype), mode='reflect')
        labels = self._pad(labels.to(device, torch.long), value=VOID)
        state = self.denoiser.encode(images)
        self._check_state(state)
        x, losses = self._walk(state, labels, ids, stage, start, self.sgg_hooks, watch)
        broken = _broken(x)
        if broken and self.sgg_hooks:
            x[broken], _ = self._walk(state[broken], labels[broken], [ids[i] for i in broken], stage, start, [])
        still_broken = _broken(x)
        if still_broken:
            raise FloatingPointError(
                f'the denoiser makes {[ids[i] for i in still_broken]} infinite or not a number, without any guidance; '
                "check the denoiser's weights, or translate in dtype='float32'")
        translated = self.denoiser.decode(x)[..., :height, :width].clamp(-1, 1)
        return TranslationOutput(
            translated, [ids[i] for i in broken], [{} if i in broken else loss for i, loss in enumerate(losses)])

    def _walk(
        self,
        state: Tensor,
        labels: Tensor,
        ids: list[str],
        stage: int,
        start: int,
        hooks: list,
        watch: Callable | None = None,
    ) -> tuple[Tensor, list[dict[str, float]]]:
        """The clean states that clean states come back to, and the mean losses of the hooks on the way."""
        noises, choices = self._generators('translate', ids, stage), self._generators('guide', ids, stage)
        classes, scenes = LabelRegions.of_classes(labels), LabelRegions.of_scenes(labels)
        alphas_cumprod = self.denoiser.scheduler.alphas_cumprod
        timesteps = self.timesteps(start)
        signal = alphas_cumprod[timesteps[0]]
        x = signal.sqrt() * state + (1 - signal).sqrt() * _draw(state, noises)
        losses: dict[str, list[Tensor]] = {}
        for remaining, (timestep, previous) in zip(
                range(len(timesteps) - 1, -1, -1), pairwise([*timesteps, -1]), strict=True):
            with torch.autocast(x.device.type, self.autocast_dtype, enabled=self.autocast_dtype is not None):
                noise, normal = self._reverse(x, timestep, previous)
                step = ReverseStep(
                    timestep=timestep, previous=previous, remaining=remaining, noise=noise,
                    alpha_cumprod=alphas_cumprod[timestep], guide=self.guide, to_image=self.denoiser.decode_for_guide,
                    classes=classes, scenes=scenes, generators=choices)
                if watch is not None:
                    watch(x, step)
                x_next = normal.mean
                for hook in hooks:
                    x_next = hook.adjust_mean(x_next, normal.variance, x, step, labels)
            x = x_next if remaining == 0 else x_next + normal.variance.sqrt() * _draw(x, noises)
            for name, loss in step.losses.items():
                losses.setdefault(name, []).append(loss)
        return x, _means(losses, len(ids))

    def _reverse(self, x: Tensor, timestep: int, previous: int) -> tuple[Tensor, Posterior]:
        """The noise in the states, and what the next ones are drawn from."""
        scheduler = self.denoiser.scheduler
        noise, variance_logits = self.denoiser.predict(x, torch.full((len(x),), timestep, device=x.device))
        clip = scheduler.config.clip_sample
        return noise, posterior(scheduler, x, noise, timestep, previous, variance_logits, clip)

    def _generators(self, purpose: str, ids: list[str], stage: int) -> list[torch.Generator]:
        """One for each image, on the CPU; hooks have their own, so that the noise is the same whatever they draw."""
        return [keyed_generator(self.seed, stage, f'{purpose}/{id_}', rank=0) for id_ in ids]

    def _pad(self, images: Tensor, **kwargs) -> Tensor:
        """Images (N, ..., H, W) with sides that are multiples of the denoiser's stride, filled up right and below."""
        bottom, right = (-side % self.denoiser.stride for side in images.shape[-2:])
        return F.pad(images, (0, right, 0, bottom), **kwargs)

    def _check_state(self, state: Tensor) -> None:
        channels, config = state.shape[1], self.denoiser.unet.config
        if config.in_channels != channels or config.out_channels not in (channels, 2 * channels):
            raise ValueError(
                f"the denoiser's unet has {config.in_channels} input and {config.out_channels} output channels, but "
                f'the states of its chain have {channels}; it needs as many of each, or twice the outputs for a '
                'learned variance')

    def _check_seen(self) -> None:
        if isinstance(self.denoiser, LatentDenoiser) and any(hook.guide_on == 'xk' for hook in self.sgg_hooks):
            raise ValueError(
                "DiffusionTranslator: guide_on='xk' would show the segmentor noisy latents, decoded, which are no "
                "image. Give each hook guide_on='x0_detached', as configs/sgg_ptl/latent_translate.py does, or take "
                "profile='fast'.")

    def _check(self, images: Tensor, labels: Tensor, ids: list[str]) -> None:
        if images.ndim != 4 or images.shape[1] != 3 or not images.is_floating_point():
            raise ValueError(
                f'images must be (N, 3, H, W) floats in [-1, 1], not {tuple(images.shape)} {images.dtype}')
        if labels.shape != images[:, 0].shape:
            raise ValueError(
                f'labels {tuple(labels.shape)} do not fit images {tuple(images.shape)} of {ids}; resize image and '
                'label together, labels without interpolation')
        if len(ids) != len(images):
            raise ValueError(f'{len(ids)} ids for {len(images)} images')
        if not self.sgg_hooks:
            return
        if self.guide is None:
            raise RuntimeError('the translator has SGG hooks but no guide; call `guide_with(segmentor)` first')
        unknown = (labels != VOID) & ((labels < 0) | (labels >= self.guide.num_classes))
        for id_, label, where in zip(ids, labels, unknown, strict=True):
            if where.any():
                raise ValueError(
                    f'the label of {id_!r} has class ids {label[where].unique().tolist()}, but the guide knows 0 to '
                    f'{self.guide.num_classes - 1} and 255 for void; map the labels to its classes by '
                    '`LoadMappedLabel`, or guide with a segmentor of these classes')


def _draw(x: Tensor, generators: list[torch.Generator]) -> Tensor:
    """Normal noise like states (N, C, h, w), each from its own CPU generator."""
    noise = [torch.randn(x.shape[1:], generator=generator, dtype=x.dtype) for generator in generators]
    return torch.stack(noise).to(x.device)


def _broken(x: Tensor) -> list[int]:
    """Which of the states are not finite."""
    return (~x.isfinite().flatten(1).all(1)).nonzero()[:, 0].tolist()


def _means(losses: dict[str, list[Tensor]], num_images: int) -> list[dict[str, float]]:
    means = {name: torch.stack(values).mean(0).tolist() for name, values in losses.items()}
    return [{name: values[i] for name, values in means.items()} for i in range(num_images)]
