"""Checkpoints of OpenAI's guided-diffusion (github openai/guided-diffusion): a bare state dict of its ``UNetModel``."""

import math

import torch
from diffusers import DDPMPipeline, DDPMScheduler, UNet2DModel
from torch import Tensor

from mmdass.models.translators.denoiser_sizes import DENOISER_SIZES

from .convert import ConvertReport, StateDict
from .loader import CheckpointError

_SIZES = ('adm256', 'adm512', 'adm_lite')

# Our name: official name, within one module.
_OUTSIDE = {
    'time_embedding.linear_1': 'time_embed.0',
    'time_embedding.linear_2': 'time_embed.2',
    'time_proj': 'time_embed.0',  # the table of adm512
    'conv_in': 'input_blocks.0.0',
    'conv_norm_out': 'out.0',
    'conv_out': 'out.2',
}
_RESNET = {
    'norm1': 'in_layers.0',
    'conv1': 'in_layers.2',
    'time_emb_proj': 'emb_layers.1',
    'norm2': 'out_layers.0',
    'conv2': 'out_layers.3',
    'conv_shortcut': 'skip_connection',
}
_ATTENTION = {'group_norm': 'norm', 'to_q': 'qkv', 'to_k': 'qkv', 'to_v': 'qkv', 'to_out.0': 'proj_out'}


def convert(state_dict: StateDict) -> ConvertReport:
    """Rename an official state dict for diffusers' ``UNet2DModel``; the report's ``model`` is a ``DDPMPipeline``.

    The unconditional models fit whole. Of a class-conditional one ``label_emb.weight`` is left over: without it the
    network is a start for training, no finished model. The published files have the legacy order of queries, keys and
    values, by heads first; ours have the heads within each.

    Raises:
        CheckpointError: The file is something else, or a model of another size than adm256, adm512 and adm_lite.
    """
    if 'input_blocks.0.0.weight' not in state_dict:
        raise CheckpointError('it has no input_blocks.0.0.weight, with which a guided-diffusion U-Net begins')
    layouts = {size: _layout(DENOISER_SIZES[size]) for size in _SIZES}
    size = min(layouts, key=lambda size: len(layouts[size].keys() ^ state_dict.keys()))
    layout, arguments = layouts[size], DENOISER_SIZES[size]
    missing = [name for name in layout if name not in state_dict]
    if missing:
        raise CheckpointError('\n  '.join([
            f'of the sizes {", ".join(_SIZES)} it is nearest to {size}, of which {len(missing)} keys are missing',
            *missing]))
    try:
        converted = {}
        for name, ours in layout.items():
            converted.update(zip(ours, _ours(name, state_dict[name], len(ours), arguments), strict=True))
        unet = _meta_unet(arguments)
        unet.load_state_dict(converted, assign=True)
    except RuntimeError as error:
        raise CheckpointError(f'its tensors have other shapes than those of {size}: {error}') from error
    return ConvertReport(
        state_dict=converted,
        used=list(layout),
        unused=[name for name in state_dict if name not in layout],
        model=DDPMPipeline(unet, DDPMScheduler(variance_type='learned_range')))


def _layout(arguments: dict) -> dict[str, list[str]]:
    """Official name to our names."""
    modules = _official_modules(arguments)
    layout = {}
    for ours in _meta_unet(arguments).state_dict():
        module, parameter = ours.rsplit('.', 1)
        layout.setdefault(f'{modules[module]}.{parameter}', []).append(ours)
    return layout


def _meta_unet(arguments: dict) -> UNet2DModel:
    with torch.device('meta'):
        return UNet2DModel(**arguments)


def _official_modules(arguments: dict) -> dict[str, str]:
    """Our modules' names to official ones: guided-diffusion counts the blocks of all levels through."""
    layers, last = arguments['layers_per_block'], len(arguments['block_out_channels']) - 1
    modules = dict(_OUTSIDE)

    def add(ours: str, official: str) -> None:
        parts = _ATTENTION if '.attentions.' in ours else _RESNET
        modules.update({f'{ours}.{part}': f'{official}.{theirs}' for part, theirs in parts.items()})

    block = 1
    for level in range(last + 1):
        for layer in range(layers):
            add(f'down_blocks.{level}.resnets.{layer}', f'input_blocks.{block}.0')
            add(f'down_blocks.{level}.attentions.{layer}', f'input_blocks.{block}.1')
            block += 1
        add(f'down_blocks.{level}.downsamplers.0', f'input_blocks.{block}.0')
        block += 1
    for part, ours in enumerate(('resnets.0', 'attentions.0', 'resnets.1')):
        add(f'mid_block.{ours}', f'middle_block.{part}')
    block = 0
    for level, kind in enumerate(arguments['up_block_types']):
        for layer in range(layers + 1):
            add(f'up_blocks.{level}.resnets.{layer}', f'output_blocks.{block}.0')
            add(f'up_blocks.{level}.attentions.{layer}', f'output_blocks.{block}.1')
            block += 1
        add(f'up_blocks.{level}.upsamplers.0', f'output_blocks.{block - 1}.{2 if kind.startswith("Attn") else 1}')
    return modules


def _ours(name: str, value: Tensor, parts: int, arguments: dict) -> list[Tensor]:
    """One official tensor as our one, or as our several."""
    if '.qkv.' in name:
        return _split_qkv(value, arguments['attention_head_dim'])
    if '.proj_out.' in name:
        return [value.flatten(1)] if value.ndim == 3 else [value]
    if name == 'time_embed.0.weight' and parts == 2:
        return _tabulate_timesteps(value, arguments)
    return [value]


def _split_qkv(value: Tensor, head_dim: int) -> list[Tensor]:
    """A 1 x 1 convolution's (heads * 3 * head_dim, channels, 1), or its bias, as three linear layers'."""
    by_head = value.reshape(-1, 3, head_dim, *value.shape[1:2])
    return [by_head[:, part].flatten(0, 1).contiguous() for part in range(3)]


def _tabulate_timesteps(weight: Tensor, arguments: dict) -> list[Tensor]:
    """The sinusoids of all timesteps and the layer that reads them, in as many channels as the first block has.

    The sinusoids (1000, 256) have rank 112 up to the rounding of float64, since the slow ones are nearly collinear.
    """
    half = weight.shape[1] // 2
    frequencies = torch.exp(-math.log(10000) / half * torch.arange(half, dtype=torch.float64))
    angles = torch.arange(arguments['num_train_timesteps'], dtype=torch.float64)[:, None] * frequencies
    left, scale, right = torch.linalg.svd(torch.cat([angles.cos(), angles.sin()], 1), full_matrices=False)
    rank = arguments['block_out_channels'][0]
    table, basis = left[:, :rank] * scale[:rank], right[:rank]
    return [table.to(weight), (weight.double() @ basis.T).to(weight)]
