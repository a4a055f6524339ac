"""A diffusion model of one domain's images in the latent space of Stable Diffusion."""

from pathlib import Path

from diffusers import AutoencoderTiny, StableDiffusionPipeline
from torch import Tensor
from transformers import CLIPTextModel, CLIPTokenizer

from mmdass.registry import MODELS

from ..backbones.adapters import add_adapter, load_adapter, save_adapter
from ..backbones.random_text_encoder import random_text_encoder
from ..backbones.stable_diffusion_parts import build_parts, encode_empty_prompt, encode_images, load_text_encoder
from ..backbones.stable_diffusion_recipe import StableDiffusionRecipe
from .denoiser import Denoiser, half_copy


@MODELS.register_module()
class LatentDenoiser(StableDiffusionRecipe, Denoiser):
    """Stable Diffusion with the empty prompt, fitted to unlabelled images: by an adapter, or all of its U-Net.

    Not the paper's method, whose prior is the target alone, in pixels; with it a translator also reaches looks that
    RGB does not have. The state of the diffusion chain is the mean of the VAE's latents, scaled.

    Frozen parts are not in checkpoints: the recipe that names them is.

    Args:
        pretrained: Folder in diffusers' layout or hub id of a Stable Diffusion 1.x or 2.x model; or 'toy', the small
            one that is shipped.
        revision: Commit of the hub repository.
        random_init: Instead of ``pretrained``: a size ('sd1', 'sd2', 'tiny', or a dict) built with random weights.
        vae: Another VAE than the model's own: a folder, a hub id, or 'toy', that of the shipped model.
        lora: ``dict(rank=16)``, with ``alpha`` (default: the rank), trains low-rank adapters of the attention layers
            and freezes the U-Net; the folder of a trained adapter, ours or diffusers', continues with it; None trains
            the U-Net.
        guide_decoder: Folder or hub id of diffusers' ``AutoencoderTiny`` ('madebyollin/taesd'), which decodes what the
            guide of a translator sees; the pictures that come out are the VAE's. None: the VAE decodes both.
        with_cp: Gradient checkpointing in U-Net and VAE: less memory for one more forward pass.
        scheduler: As for ``Denoiser``; its defaults are the model's own schedule.
        data_preprocessor: Config of one that gives RGB in [-1, 1].
        init_cfg: As for ``Denoiser``.

    Raises:
        ValueError: Not exactly one of ``pretrained`` and ``random_init``, or an adapter of another U-Net.
        FileNotFoundError: A part cannot be read.
    """

    def __init__(
        self,
        pretrained: str | None = None,
        revision: str | None = None,
        random_init: str | dict | None = None,
        vae: str | None = None,
        lora: dict | str | None = None,
        guide_decoder: str | None = None,
        with_cp: bool = False,
        scheduler: dict | None = None,
        data_preprocessor: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        parts = build_parts(pretrained, revision, random_init, vae)
        own = {name: value for name, value in parts.scheduler.config.items() if not name.startswith('_')}
        schedule = {**own, 'clip_sample': False, **(scheduler or {})}  # latents are not bounded as images are
        super().__init__(parts.unet, scheduler=schedule, data_preprocessor=data_preprocessor, init_cfg=init_cfg)
        self.vae = parts.vae.requires_grad_(False)
        self.guide_decoder = guide_decoder and _load_tiny(guide_decoder).requires_grad_(False)
        self._origin = None if pretrained is None else (pretrained, revision)
        prompt = encode_empty_prompt(*self._text_encoder()) if pretrained is None else parts.empty_prompt
        self.register_buffer('empty_prompt', prompt)
        frozen = dict(vae=self.vae) if lora is None else dict(vae=self.vae, unet=self.unet)
        self.record_recipe(pretrained, revision, vae, frozen)
        if isinstance(lora, str):
            load_adapter(self.unet, lora, self.recipe['unet_sha256'])
        elif lora is not None:
            self.recipe['lora_scales'] = dict(default=add_adapter(self.unet, **lora))
        if with_cp:
            self.unet.enable_gradient_checkpointing()
            self.vae.enable_gradient_checkpointing()
        self.leave_out_of_checkpoints(name for name, value in self.named_parameters() if not value.requires_grad)

    @property
    def stride(self) -> int:
        """The sides of an image must be multiples of it; 64 for Stable Diffusion."""
        return super().stride * 2 ** (len(self.vae.config.block_out_channels) - 1)

    def train(self, mode: bool = True) -> 'LatentDenoiser':
        """Set the mode; the VAE stays in eval mode."""
        super().train(mode)
        self.vae.eval()
        return self

    def encode(self, images: Tensor) -> Tensor:
        """Images (N, 3, H, W), RGB in [-1, 1], to scaled latents (N, 4, H/8, W/8), without gradient."""
        return encode_images(self.vae, images)

    def decode(self, x: Tensor) -> Tensor:
        """Scaled latents to images (N, 3, H, W), RGB around [-1, 1], differentiable, of the type of ``x``."""
        return self.vae.decode(x / self.vae.config.scaling_factor).sample.to(x.dtype)

    def decode_for_guide(self, x: Tensor) -> Tensor:
        """Scaled latents to images as a guide sees them, by the tiny decoder if there is one."""
        return self.decode(x) if self.guide_decoder is None else self.guide_decoder.decode(x).sample.to(x.dtype)

    def run_unet(self, x: Tensor, timesteps: Tensor) -> Tensor:
        """The U-Net's output for noisy latents, the prompt being empty."""
        return self.unet(x, timesteps, encoder_hidden_states=self.empty_prompt.expand(len(x), -1, -1)).sample

    def export(self, folder: str | Path) -> None:
        """Write a folder for diffusers.

        An adapter alone, ``pytorch_lora_weights.safetensors``, which ``lora`` and ``load_lora_weights`` read; or, if
        the U-Net was trained, a Stable Diffusion model, which ``pretrained`` of ours and diffusers'
        ``StableDiffusionPipeline`` read.
        """
        if hasattr(self.unet, 'peft_config'):
            save_adapter(self.unet, folder, self.recipe['unet_sha256'])
            return
        tokenizer, text_encoder = self._text_encoder()
        pipeline = StableDiffusionPipeline(
            half_copy(self.vae), text_encoder, tokenizer, half_copy(self.unet), self.scheduler,
            safety_checker=None, feature_extractor=None, requires_safety_checker=False)
        pipeline.save_pretrained(folder)

    def _text_encoder(self) -> tuple[CLIPTokenizer, CLIPTextModel]:
        if self._origin is None:
            return random_text_encoder(self.unet.config.cross_attention_dim)
        return load_text_encoder(*self._origin)


def _load_tiny(pretrained: str) -> AutoencoderTiny:
    try:
        return AutoencoderTiny.from_pretrained(pretrained)
    except OSError as error:
        raise FileNotFoundError(
            f'cannot read the tiny autoencoder {pretrained!r}; set `guide_decoder`: {error}') from error
