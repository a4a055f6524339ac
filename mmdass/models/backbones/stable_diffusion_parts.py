"""The parts of a Stable Diffusion model: read from a folder or hub id, or made with random weights."""

import hashlib
import os
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from diffusers import AutoencoderKL, DDPMScheduler, UNet2DConditionModel
from torch import Tensor
from transformers import CLIPTextModel, CLIPTokenizer

from .stable_diffusion_sizes import STABLE_DIFFUSION_SIZES

_SHIPPED = Path(__file__).parents[1] / 'weights/toy_sd'
_SUBFOLDERS = ('vae', 'unet', 'text_encoder', 'tokenizer', 'scheduler')


@dataclass
class StableDiffusionParts:
    """The networks, the noise schedule and the text encoder's output (1, tokens, channels) for the empty prompt."""

    vae: AutoencoderKL
    unet: UNet2DConditionModel
    scheduler: DDPMScheduler
    empty_prompt: Tensor


def build_parts(
    pretrained: str | None = None,
    revision: str | None = None,
    random_init: str | dict | None = None,
    vae: str | None = None,
) -> StableDiffusionParts:
    """What models have as options: :func:`load_parts` or :func:`random_parts`, and :func:`load_vae` for another VAE.

    Raises:
        ValueError: Not exactly one of ``pretrained`` and ``random_init``.
    """
    if (pretrained is None) == (random_init is None):
        raise ValueError('Stable Diffusion needs exactly one of `pretrained` and `random_init`')
    parts = random_parts(random_init) if pretrained is None else load_parts(pretrained, revision)
    return parts if vae is None else replace(parts, vae=load_vae(vae))


def load_parts(pretrained: str, revision: str | None = None) -> StableDiffusionParts:
    """Read a Stable Diffusion 1.x or 2.x model in diffusers' layout.

    Args:
        pretrained: A local folder, a hub id such as ``CompVis/stable-diffusion-v1-4``, or 'toy': the one shipped,
            which ``configs/prior`` trained.
        revision: Commit of the hub repository.

    Raises:
        FileNotFoundError: The folder or one of its sub-folders is missing, or the hub cannot be reached.
    """
    pretrained = _locate(pretrained)
    _check_folder(pretrained)
    options = dict(revision=revision)
    try:
        return StableDiffusionParts(
            vae=AutoencoderKL.from_pretrained(pretrained, subfolder='vae', **options),
            unet=UNet2DConditionModel.from_pretrained(pretrained, subfolder='unet', **options),
            scheduler=DDPMScheduler.from_pretrained(pretrained, subfolder='scheduler', **options),
            empty_prompt=encode_empty_prompt(*load_text_encoder(pretrained, revision)),
        )
    except OSError as error:
        raise FileNotFoundError(
            f'cannot read the Stable Diffusion model {pretrained!r} (revision {revision}): {error}\n'
            "Set `pretrained` to a local folder in diffusers' layout (vae/ unet/ text_encoder/ "
            'tokenizer/ scheduler/), or to a hub id this machine can reach; `random_init` builds one without weights.'
        ) from error


def load_text_encoder(pretrained: str, revision: str | None = None) -> tuple[CLIPTokenizer, CLIPTextModel]:
    """Read the text encoder alone, which models need no more once the empty prompt is encoded."""
    pretrained, options = _locate(pretrained), dict(revision=revision)
    return (
        CLIPTokenizer.from_pretrained(pretrained, subfolder='tokenizer', **options),
        CLIPTextModel.from_pretrained(pretrained, subfolder='text_encoder', **options),
    )


def random_parts(size: str | dict) -> StableDiffusionParts:
    """Make a Stable Diffusion model with random weights, the same each time: the frozen VAE is not in checkpoints.

    Args:
        size: A key of ``STABLE_DIFFUSION_SIZES``, or a dict with the arguments of ``unet`` and ``vae``.
    """
    if isinstance(size, str) and size not in STABLE_DIFFUSION_SIZES:
        raise ValueError(f'unknown size {size!r} for `random_init`; choose one of {sorted(STABLE_DIFFUSION_SIZES)}')
    size = STABLE_DIFFUSION_SIZES[size] if isinstance(size, str) else size
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        vae, unet = AutoencoderKL(**size['vae']), UNet2DConditionModel(**size['unet'])
    return StableDiffusionParts(
        vae=vae,
        unet=unet,
        # Stable Diffusion's own schedule, see its scheduler_config.json.
        scheduler=DDPMScheduler(
            beta_schedule='scaled_linear', beta_start=0.00085, beta_end=0.012, steps_offset=1, clip_sample=False),
        empty_prompt=torch.randn(1, 77, unet.config.cross_attention_dim, generator=torch.Generator().manual_seed(0)),
    )


def load_vae(pretrained: str) -> AutoencoderKL:
    """Read a VAE alone.

    Args:
        pretrained: A folder or hub id with a VAE in diffusers' layout, or 'toy': that of the shipped model.

    Raises:
        FileNotFoundError: It is not there.
    """
    if pretrained != 'toy' and _is_no_folder(pretrained):
        raise FileNotFoundError(
            f"VAE folder {pretrained!r} does not exist. Set `vae` to a folder in diffusers' layout, as the training of "
            "a VAE writes (WORK_DIR/vae), to a hub id of the form 'owner/name', or to 'toy'.")
    try:
        return AutoencoderKL.from_pretrained(_SHIPPED / 'vae' if pretrained == 'toy' else pretrained)
    except OSError as error:
        raise FileNotFoundError(f'cannot read the VAE {pretrained!r}; set `vae`: {error}') from error


@torch.no_grad()
def encode_images(vae: AutoencoderKL, images: Tensor) -> Tensor:
    """The mean of images' latents (N, 4, H/8, W/8), scaled by the VAE's factor, in the precision of its weights.

    Args:
        vae: The VAE.
        images: (N, 3, H, W), RGB in [-1, 1].
    """
    with torch.autocast(images.device.type, enabled=False):
        mean = vae.encode(images.to(vae.dtype)).latent_dist.mean
    return mean.to(images.dtype) * vae.config.scaling_factor


@torch.no_grad()
def encode_empty_prompt(tokenizer: CLIPTokenizer, text_encoder: CLIPTextModel) -> Tensor:
    """The last hidden states (1, tokens, channels) of the empty prompt."""
    if len(tokenizer) != text_encoder.config.vocab_size:  # transformers makes an empty one when the files are missing
        raise OSError(f'the tokenizer has {len(tokenizer)} words, the text encoder {text_encoder.config.vocab_size}')
    tokens = tokenizer('', padding='max_length', max_length=tokenizer.model_max_length, return_tensors='pt').input_ids
    # No attention mask: Stable Diffusion was trained on all 77 positions, padding included.
    return text_encoder(tokens).last_hidden_state.float()


def weights_hash(state_dict: dict[str, Tensor]) -> str:
    """SHA-256 of weights in order of name, rounded to float16, so that full and half precision files agree."""
    digest = hashlib.sha256()
    for name, value in sorted(state_dict.items()):
        digest.update(name.encode())
        digest.update(value.detach().to('cpu', torch.float16).contiguous().numpy().tobytes())
    return digest.hexdigest()


def _locate(pretrained: str) -> str:
    return str(_SHIPPED) if pretrained == 'toy' else pretrained


def _check_folder(pretrained: str) -> None:
    if _is_no_folder(pretrained):
        raise FileNotFoundError(
            f"Stable Diffusion folder {pretrained!r} does not exist. Set `pretrained` to a folder "
            "in diffusers' layout or to a hub id of the form 'owner/name'."
        )
    missing = [name for name in _SUBFOLDERS if not os.path.isdir(os.path.join(pretrained, name))]
    if missing and os.path.isdir(pretrained):
        raise FileNotFoundError(
            f"{pretrained!r} is not a Stable Diffusion folder in diffusers' layout: {', '.join(missing)} missing. "
            'A single-file .ckpt can be turned into this layout with '
            'StableDiffusionPipeline.from_single_file(FILE).save_pretrained(FOLDER).'
        )


def _is_no_folder(pretrained: str) -> bool:
    """Whether this is a path, not a hub id, and there is no folder."""
    is_path = os.path.isabs(pretrained) or pretrained.startswith(('.', '~')) or pretrained.count('/') != 1
    return is_path and not os.path.isdir(pretrained)
