"""Stable Diffusion as an MMSeg backbone."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor

from mmdass.registry import MODELS

from ..utils.finite_check import FiniteCheck
from .adapters import add_adapters, base_names, use_adapter
from .stable_diffusion_parts import build_parts, encode_images
from .stable_diffusion_recipe import StableDiffusionRecipe


@dataclass
class StableDiffusionOutput:
    """What one UNet pass gives.

    Attributes:
        features: The tapped features in the order of ``taps``, preceded by ``decoded`` if it is an output.
        latents: (N, 4, H/8, W/8), the UNet's output, read by MADM as the scaled latent of a painted label.
        decoded: (N, 3, H, W), the VAE's picture of ``latents``, RGB around [-1, 1], unclipped and without gradient;
            None unless ``decode_output``.
    """

    features: tuple[Tensor, ...]
    latents: Tensor
    decoded: Tensor | None

    def halves(self) -> tuple['StableDiffusionOutput', 'StableDiffusionOutput']:
        """The outputs of the first and of the second half of the batch."""
        features = zip(*(feature.chunk(2) for feature in self.features), strict=True)
        decoded = (None, None) if self.decoded is None else self.decoded.chunk(2)
        first, second = map(StableDiffusionOutput, features, self.latents.chunk(2), decoded)
        return first, second


@MODELS.register_module()
class StableDiffusionBackbone(StableDiffusionRecipe, BaseModule):
    """One UNet pass of Stable Diffusion at a timestep near 0, its up-path features as a pyramid.

    Source: MADM section 3.1 and its ``ldm_diffusers.py``; networks and noise schedule are diffusers', untouched.
    The frozen VAE is not in checkpoints: the recipe that names it (id, revision, hash) is.

    Args:
        pretrained: Folder in diffusers' layout or hub id of a Stable Diffusion 1.x or 2.x model; or 'toy', the small
            one that is shipped.
        revision: Commit of the hub repository.
        random_init: Instead of ``pretrained``: a size ('sd1', 'sd2', 'tiny', or a dict) built with random weights.
        vae: Another VAE than the model's own, as diffusers' pipelines take one: a folder, a hub id, or 'toy', that of
            the shipped model.
        taps: Names of the UNet's modules whose outputs are the features, fine to coarse.
        decode_output: Decode the UNet's output with the VAE and prepend that picture to the features (MADM's s0).
        conditioning: Config of the prompt and time conditioning; None conditions on the empty prompt alone.
        noise_seed: Seed of the one noise tensor that is added to every latent (MADM: 42).
        noise_size: (H, W) of that tensor in latent pixels (MADM: 64 x 64, for 512 x 512 images).
        noise_resize: At other sizes, resize that tensor ('bicubic', MADM; changes its variance) or 'draw' a new one of
            the size from the same seed.
        paper_noise: The paper's noise instead of its code's fixed tensor: none at timestep 0, elsewhere drawn anew for
            each batch, from torch's generator (which ``KeyedRandomnessHook`` keys).
        train_unet: Train the UNet, or freeze it.
        lora: Freeze the UNet and train low-rank adapters of its attention layers instead: ``dict(rank=16)``, with
            ``alpha``, ``target_modules``, and, for an adapter each, ``modalities`` and ``frozen``; see
            :func:`add_adapters`. Checkpoints then hold the adapters and the hash of the UNet, but not the UNet.
        freeze_tail: Keep ``conv_norm_out`` and ``conv_out`` frozen, as MADM's code does. Trained, they learn by LPLR
            alone: without it, several GPUs need ``find_unused_parameters=True``.
        vae_dtype: Precision of the VAE; float16 overflows on some images.
        with_cp: Gradient checkpointing in the UNet: less memory for one more forward pass.
        init_cfg: MMEngine's initialisation config.

    Attributes:
        recipe: Which Stable Diffusion model a checkpoint goes with: folder or hub id, revision, hash of the VAE (and
            of the UNet, with adapters).
        adapters: Name to scale of each adapter.
        adapter: The one in effect; None while there are several and none was chosen, or if there is none.

    Raises:
        ValueError: An option is none of its values, or ``taps`` or ``lora`` names no module of the UNet.
        FileNotFoundError: ``pretrained`` is not there, or not in diffusers' layout.
    """

    def __init__(
        self,
        pretrained: str | None = None,
        revision: str | None = None,
        random_init: str | dict | None = None,
        vae: str | None = None,
        taps: Sequence[str] = ('up_blocks.3.attentions.2', 'up_blocks.2.attentions.2', 'up_blocks.1.attentions.2'),
        decode_output: bool = True,
        conditioning: dict | None = None,
        noise_seed: int = 42,
        noise_size: tuple[int, int] = (64, 64),
        noise_resize: str = 'bicubic',
        paper_noise: bool = False,
        train_unet: bool = True,
        lora: dict | None = None,
        freeze_tail: bool = True,
        vae_dtype: str = 'float32',
        with_cp: bool = False,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if noise_resize not in ('bicubic', 'draw'):
            raise ValueError(f"noise_resize must be 'bicubic' or 'draw', not {noise_resize!r}")
        parts = build_parts(pretrained, revision, random_init, vae)
        self.unet, self.scheduler, self.vae = parts.unet, parts.scheduler, parts.vae
        unknown = set(taps) - {name for name, _ in self.unet.named_modules()}
        if unknown:
            raise ValueError(f'taps: the UNet has no {sorted(unknown)}; its names look like up_blocks.3.attentions.2')
        frozen = dict(vae=self.vae) if lora is None else dict(vae=self.vae, unet=self.unet)
        self.record_recipe(pretrained, revision, vae, frozen)
        self.taps, self.decode_output, self.vae_dtype = tuple(taps), decode_output, getattr(torch, vae_dtype)
        self.noise_seed, self.noise_resize, self.paper_noise = noise_seed, noise_resize, paper_noise
        self.register_buffer('noise', self._draw_noise(noise_size))
        self._last_drawn = self.noise
        self.register_buffer('empty_prompt', parts.empty_prompt)
        self.conditioning = conditioning and MODELS.build(
            dict(
                prompt_shape=tuple(parts.empty_prompt.shape[1:]),
                time_channels=self.unet.time_embedding.linear_2.out_features,
                **conditioning,
            )
        )
        self.vae_stride = 2 ** (len(self.vae.config.block_out_channels) - 1)
        self.size_divisor = self.vae_stride * 2 ** (len(self.unet.config.block_out_channels) - 1)
        self._check_finite = FiniteCheck('the VAE')
        self._freeze(train_unet, freeze_tail)
        if with_cp:
            self.unet.enable_gradient_checkpointing()
        left_out = [f'vae.{name}' for name in self.vae.state_dict()]
        self.adapters: dict[str, float] = {}
        if lora is not None:
            self.adapters = self.recipe['lora_scales'] = add_adapters(self.unet, **lora)
            left_out += [f'unet.{name}' for name in base_names(self.unet)]
        self.adapter = next(iter(self.adapters)) if len(self.adapters) == 1 else None
        self.leave_out_of_checkpoints(left_out)

    def _draw_noise(self, size: Sequence[int]) -> Tensor:
        generator = torch.Generator().manual_seed(self.noise_seed)
        return torch.randn(1, self.vae.config.latent_channels, *size, generator=generator)

    def _freeze(self, train_unet: bool, freeze_tail: bool) -> None:
        self.vae.requires_grad_(False).type(self.vae_dtype).eval()
        self.unet.requires_grad_(train_unet)
        if freeze_tail:
            self.unet.conv_norm_out.requires_grad_(False)
            self.unet.conv_out.requires_grad_(False)

    def use_adapter(self, name: str) -> None:
        """From now on the UNet sees images through this adapter.

        Raises:
            ValueError: There is none of this name.
        """
        if name not in self.adapters:
            raise ValueError(
                f'there is no adapter for {name!r}, but for {", ".join(self.adapters)}; `lora.modalities` of the '
                'backbone names them, `modality` of a data set what its images are'
            )
        if name != self.adapter:
            use_adapter(self.unet, name)
            self.adapter = name

    def train(self, mode: bool = True) -> 'StableDiffusionBackbone':
        """Set the mode; the VAE stays in eval mode."""
        super().train(mode)
        self.vae.eval()
        return self

    def forward(self, images: Tensor, timestep: int = 0) -> tuple[Tensor, ...]:
        """Extract features, fine to coarse.

        Args:
            images: (N, 3, H, W), RGB in [-1, 1], H and W divisible by ``size_divisor`` (64).
            timestep: How much noise is added to the latents, 0 (almost none) to 999.

        Returns:
            For Stable Diffusion 1.x and the default taps: (N, 3, H, W) if ``decode_output``, (N, 320, H/8, W/8),
            (N, 640, H/16, W/16), (N, 1280, H/32, W/32).
        """
        return self.forward_latents(self.encode(images), timestep).features

    @torch.no_grad()
    def encode(self, images: Tensor, names: Sequence[str] | None = None) -> Tensor:
        """Encode images, or painted labels, to the mean of their latents.

        Args:
            images: (N, 3, H, W), RGB in [-1, 1].
            names: What to call each image in an error message.

        Returns:
            (N, 4, H/8, W/8) float32, scaled by the VAE's scaling factor.

        Raises:
            ValueError: H or W is not divisible by ``size_divisor``.
            NonFiniteError: The VAE overflowed; while training on a GPU raised at a later call, so that no step waits.
        """
        height, width = images.shape[-2:]
        if height % self.size_divisor or width % self.size_divisor:
            raise ValueError(
                f'StableDiffusionBackbone got images of {height} x {width}, which {self.size_divisor} does not divide. '
                f"Change the crop size, or set the data preprocessor's `size_divisor={self.size_divisor}` to pad."
            )
        latents = encode_images(self.vae, images)
        self._check_finite(latents, names, late=self.training)
        return latents

    @torch.no_grad()
    def decode(self, latents: Tensor) -> Tensor:
        """Decode scaled latents (N, 4, H/8, W/8) to pictures (N, 3, H, W), RGB around [-1, 1], unclipped, float32."""
        unscaled = latents.float() * (1 / self.vae.config.scaling_factor)
        with torch.autocast(latents.device.type, enabled=False):
            pictures = self.vae.decode(unscaled.to(self.vae_dtype)).sample.float()
        if not self.training:  # in training the losses tell
            self._check_finite(pictures)
        return pictures

    def forward_latents(self, latents: Tensor, timestep: int = 0) -> StableDiffusionOutput:
        """One UNet pass from encoded images.

        Args:
            latents: (N, 4, H/8, W/8), scaled latents of images, without noise.
            timestep: How much noise is added, 0 (almost none) to 999.

        Raises:
            RuntimeError: There are several adapters, and nobody said which.
        """
        if self.adapters and self.adapter is None:
            raise RuntimeError(
                f'which of the adapters {", ".join(self.adapters)}? MADM chooses by the `modality` of its batches; '
                'elsewhere call `use_adapter` of the backbone first'
            )
        batch = latents.shape[0]
        timesteps = torch.full((batch,), timestep, device=latents.device)
        noisy = latents
        if timestep > 0 or not self.paper_noise:
            noisy = self.scheduler.add_noise(latents, self._noise_like(latents).expand_as(latents), timesteps)
        prompt, time_residual = self.empty_prompt, None
        if self.conditioning is not None:
            prompt, time_residual = self.conditioning(self.empty_prompt)
        with self._tapped(time_residual) as tapped:
            output = self.unet(noisy, timesteps, encoder_hidden_states=prompt.expand(batch, -1, -1)).sample
        features = tuple(tapped[name] for name in self.taps)
        decoded = self.decode(output.detach()) if self.decode_output else None
        return StableDiffusionOutput(features if decoded is None else (decoded, *features), output, decoded)

    def _noise_like(self, latents: Tensor) -> Tensor:
        size = latents.shape[-2:]
        if self.paper_noise:
            return torch.randn_like(latents)
        if self.noise.shape[-2:] == size:
            return self.noise
        if self.noise_resize == 'draw':
            return self._noise_of(size, latents.device)
        return F.interpolate(self.noise, size, mode='bicubic', align_corners=False)

    def _noise_of(self, size: torch.Size, device: torch.device) -> Tensor:
        """The noise drawn for a size. The last is kept: a traced graph takes it as it is, and would draw another."""
        noise = self._last_drawn
        if noise.shape[-2:] != size or noise.device != device:
            noise = self._last_drawn = self._draw_noise(size).to(device, non_blocking=True)
        return noise

    @contextmanager
    def _tapped(self, time_residual: Tensor | None) -> Iterator[dict[str, Tensor]]:
        """Hooks on the stock UNet for one pass: read the taps, and add the time residual after the time embedding."""
        tapped: dict[str, Tensor] = {}

        def tap(name):
            def read(module, args, output):
                tapped[name] = output[0] if isinstance(output, tuple) else getattr(output, 'sample', output)

            return read

        hooks = [self.unet.get_submodule(name).register_forward_hook(tap(name)) for name in self.taps]
        if time_residual is not None:
            add = lambda module, args, output: output + time_residual  # noqa: E731
            hooks.append(self.unet.time_embedding.register_forward_hook(add))
        try:
            yield tapped
        finally:
            for hook in hooks:
                hook.remove()
