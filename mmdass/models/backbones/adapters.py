"""Low-rank adapters (LoRA) of Stable Diffusion's U-Net, through PEFT: adding, choosing, writing and reading them."""

import difflib
from collections.abc import Sequence
from pathlib import Path

from diffusers import StableDiffusionPipeline, UNet2DConditionModel
from diffusers.utils import convert_state_dict_to_diffusers  # not at the top level, as used by its training scripts
from peft import LoraConfig, get_peft_model_state_dict
from peft.tuners.tuners_utils import BaseTunerLayer
from torch import nn

ATTENTION = ('to_q', 'to_k', 'to_v', 'to_out.0')


def add_adapter(
    unet: UNet2DConditionModel,
    rank: int,
    alpha: float | None = None,
    target_modules: Sequence[str] = ATTENTION,
    name: str = 'default',
) -> float:
    """Freeze a U-Net and add trainable low-rank adapters, which do nothing yet, to some of its layers.

    Args:
        unet: The U-Net, changed in place.
        rank: Rank of the adapters.
        alpha: They are scaled by alpha / rank; None: by 1.
        target_modules: Endings of the layers' names; the default, of all attention layers, is that of MADM's code.
        name: What to call the adapter, for a U-Net may have several.

    Returns:
        The scale of the adapters, alpha / rank.

    Raises:
        ValueError: A name belongs to no layer.
    """
    _check_targets(unet, target_modules)
    unet.requires_grad_(False)
    alpha = rank if alpha is None else alpha
    # Gaussian, as in MADM's code and diffusers' own trainings; the other factor starts at zero.
    config = LoraConfig(r=rank, lora_alpha=alpha, target_modules=list(target_modules), init_lora_weights='gaussian')
    unet.add_adapter(config, name)
    return alpha / rank


def add_adapters(
    unet: UNet2DConditionModel, modalities: str | Sequence[str] = 'default', frozen: Sequence[str] = (), **options
) -> dict[str, float]:
    """Freeze a U-Net and add an adapter for each modality.

    Args:
        unet: The U-Net, changed in place.
        modalities: Names of the adapters.
        frozen: Those of them that are not trained, since they were before.
        options: Of :func:`add_adapter`.

    Returns:
        The scale, alpha / rank, of each adapter.

    Raises:
        ValueError: ``frozen`` names no adapter.
    """
    modalities = (modalities,) if isinstance(modalities, str) else tuple(modalities)
    frozen = (frozen,) if isinstance(frozen, str) else tuple(frozen)
    for name in frozen:
        if name not in modalities:
            raise ValueError(f'lora: frozen={name!r} is none of the modalities {", ".join(modalities)}')
    scales = {name: add_adapter(unet, name=name, **options) for name in modalities}
    for name, parameter in unet.named_parameters():
        parameter.requires_grad_(_is_adapter(name) and name.split('.')[-2] not in frozen)
    return scales


def use_adapter(unet: UNet2DConditionModel, name: str) -> None:
    """From now on only this adapter is in effect; what is trainable, which PEFT would change too, stays as it was."""
    trainable = [(parameter, parameter.requires_grad) for parameter in unet.parameters()]
    unet.set_adapter(name)
    for parameter, flag in trainable:
        parameter.requires_grad_(flag)


def base_names(unet: UNet2DConditionModel) -> list[str]:
    """Names in a U-Net's state dict that are not an adapter's."""
    return [name for name in unet.state_dict() if not _is_adapter(name)]


def save_adapter(unet: UNet2DConditionModel, folder: str | Path, unet_sha256: str) -> None:
    """Write a U-Net's adapter as ``pytorch_lora_weights.safetensors``, which diffusers' pipelines read too.

    Args:
        unet: Has the adapter.
        folder: To write to.
        unet_sha256: Hash of the U-Net's own weights, kept in the file.
    """
    metadata = unet.peft_config['default'].to_dict() | dict(base_model_name_or_path=unet_sha256)
    StableDiffusionPipeline.save_lora_weights(
        folder, convert_state_dict_to_diffusers(get_peft_model_state_dict(unet)), unet_lora_adapter_metadata=metadata)


def load_adapter(unet: UNet2DConditionModel, folder: str, unet_sha256: str) -> None:
    """Read an adapter of :func:`save_adapter` or of diffusers' training scripts; it alone is trainable.

    Raises:
        FileNotFoundError: There is none.
        ValueError: It says that it goes with another U-Net.
    """
    try:
        unet.load_lora_adapter(folder, prefix='unet', adapter_name='default', use_safetensors=True)
    except (OSError, ValueError) as error:  # a path that cannot be a hub id is the latter
        raise FileNotFoundError(
            f'cannot read the adapter {folder!r}: {error}\nSet `lora` to a folder with pytorch_lora_weights.safetensors'
            ', as the training of one writes (WORK_DIR/denoiser), or to dict(rank=16) for a new one.') from error
    trained_with = unet.peft_config['default'].base_model_name_or_path
    if trained_with not in (None, unet_sha256):
        raise ValueError(f'the adapter {folder!r} was trained with another U-Net ({trained_with[:12]}) than that of '
                         f'`pretrained` ({unet_sha256[:12]}); set that to the model it was trained with')
    for name, parameter in unet.named_parameters():
        parameter.requires_grad_(_is_adapter(name))


def _is_adapter(name: str) -> bool:
    return '.lora_' in name


def _check_targets(unet: UNet2DConditionModel, targets: Sequence[str]) -> None:
    """PEFT complains only if none of the names fits."""
    layers = [name for name, layer in unet.named_modules() if isinstance(layer, (nn.Linear, nn.Conv2d, BaseTunerLayer))]
    for target in targets:
        if not any(f'.{name}'.endswith(f'.{target}') for name in layers):
            parts = [name.split('.') for name in layers]
            endings = {'.'.join(path[start:]) for path in parts for start in range(len(path))}
            near = ', '.join(difflib.get_close_matches(target, endings, n=3))
            hint = f'the nearest names are {near}' if near else f'attention layers are {", ".join(ATTENTION)}'
            raise ValueError(f'lora: the UNet has no layer {target!r} among `target_modules`; {hint}')
