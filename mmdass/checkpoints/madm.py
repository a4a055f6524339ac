"""Checkpoints of the official MADM code (github XiaRho/MADM), which Detectron2 writes as ``{'model': state_dict}``."""

import json
import re

import torch
from diffusers import UNet2DConditionModel

from mmdass.models.backbones.stable_diffusion_parts import weights_hash

from .convert import ConvertReport, StateDict
from .loader import CheckpointError

_EXTRACTOR = 'backbone.feature_extractor'
_DIFFUSION = f'{_EXTRACTOR}.ldm_extractor'
_STUDENT, _TEACHER = 'segmentor', 'teacher.averaged'

# Official prefix: ours.
_PREFIXES = {
    f'{_DIFFUSION}.unet.': f'{_STUDENT}.backbone.unet.',
    f'{_DIFFUSION}.shared_noise': f'{_STUDENT}.backbone.noise',
    f'{_DIFFUSION}.uncond_inputs': f'{_STUDENT}.backbone.empty_prompt',
    f'{_EXTRACTOR}.clip_project_rgb.': f'{_STUDENT}.backbone.conditioning.',
    'backbone.feature_projections.': f'{_STUDENT}.neck.projections.',
    'sem_seg_head.': f'{_STUDENT}.decode_head.',
    f'{_EXTRACTOR}.ema_clip_project_others.': f'{_TEACHER}.backbone_conditioning.',
    'backbone.ema_feature_projections.': f'{_TEACHER}.neck.projections.',
    'ema_sem_seg_head.': f'{_TEACHER}.decode_head.',
}
# The second modality's modules are the same objects as the first's in the released configs, saved twice.
_COPIES = {
    f'{_EXTRACTOR}.clip_project_others.': f'{_EXTRACTOR}.clip_project_rgb.',
    'sem_seg_head_sec_modal.': 'sem_seg_head.',
}
# Detectron2's convolutions carry their norm inside, mmcv's beside.
_CONVOLUTION = re.compile(r'(projections\.\d)\.0\.(conv\d|shortcut)\.(norm\.)?')


def convert(state_dict: StateDict) -> ConvertReport:
    """Rename an official state dict for our ``MADM``.

    The frozen VAE and text encoder are left out, as in our own checkpoints; the recipe that goes with them keeps the
    VAE's hash. Counters are not in official files: a converted model trained on starts its schedules anew.

    Raises:
        CheckpointError: The file is something else, or its two modalities have parameters of their own.
    """
    if not any(name.startswith(f'{_DIFFUSION}.unet.') for name in state_dict):
        raise CheckpointError(f'no key begins with {_DIFFUSION}.unet.; the official files of MADM have 686 such keys')
    _check_copies(state_dict)
    report = ConvertReport(state_dict={})
    for name, value in state_dict.items():
        ours = _rename(name)
        if ours is None:
            report.unused.append(name)
        else:
            report.used.append(name)
            report.state_dict[ours] = value
    report.missing = sorted(_expected_names() - set(report.used))
    if any(name.startswith(f'{_DIFFUSION}.vae.') for name in state_dict):
        report.state_dict[f'{_STUDENT}.backbone._extra_state'] = _recipe(state_dict)
    return report


def _rename(name: str) -> str | None:
    for theirs, ours in _PREFIXES.items():
        if name.startswith(theirs):
            return _CONVOLUTION.sub(_mmcv_name, ours + name.removeprefix(theirs))
    return None


def _mmcv_name(match: re.Match) -> str:
    level, convolution, norm = match.groups()
    return f'{level}.{convolution}.{"gn" if norm else "conv"}.'


def _check_copies(state_dict: StateDict) -> None:
    for copy, original in _COPIES.items():
        for name in state_dict:
            twin = state_dict.get(name.replace(copy, original, 1)) if name.startswith(copy) else None
            if twin is not None and not torch.equal(state_dict[name], twin):
                raise CheckpointError(
                    f'{name} differs from {original}…: this model was trained with separate parameters for the second '
                    'modality, which the released configs do not do and mmdass does not support'
                )


def _expected_names() -> set[str]:
    """The official names of a model with Stable Diffusion 1.x's UNet layout and four projected levels."""
    with torch.device('meta'):
        unet = UNet2DConditionModel().state_dict()
    conditioning = ('prompt_embed', 'alpha_cond_prompt', 'alpha_uncond_prompt', 'alpha_cond_time', 'time_embed')
    convolution = ('weight', *_norm('norm', statistics=False))
    bottleneck = [f'0.{conv}.{name}' for conv in ('conv1', 'conv2', 'conv3', 'shortcut') for name in convolution]
    branches = ['conv.weight', *_norm('bn')]
    separable = [f'{conv}.{name}' for conv in ('depthwise_conv', 'pointwise_conv') for name in branches]
    head = [
        *('conv_seg.weight', 'conv_seg.bias'),
        *(f'embed_layers.{level}.proj.{p}' for level in range(4) for p in ('weight', 'bias')),
        *(f'fuse_layer.bottleneck.{name}' for name in branches),
        *(f'fuse_layer.aspp_modules.0.{name}' for name in branches),
        *(f'fuse_layer.aspp_modules.{branch}.{name}' for branch in (1, 2, 3) for name in separable),
    ]
    names = {f'{_DIFFUSION}.{name}' for name in ('shared_noise', 'uncond_inputs', *(f'unet.{key}' for key in unet))}
    for prefix in ('clip_project_rgb', 'ema_clip_project_others'):
        names |= {f'{_EXTRACTOR}.{prefix}.{name}' for name in conditioning}
    for prefix in ('feature_projections', 'ema_feature_projections'):
        names |= {f'backbone.{prefix}.{level}.{name}' for level in range(4) for name in bottleneck}
    return names | {f'{prefix}.{name}' for prefix in ('sem_seg_head', 'ema_sem_seg_head') for name in head}


def _norm(name: str, statistics: bool = True) -> list[str]:
    parts = ['weight', 'bias', *(['running_mean', 'running_var', 'num_batches_tracked'] if statistics else [])]
    return [f'{name}.{part}' for part in parts]


def _recipe(state_dict: StateDict) -> torch.Tensor:
    prefix = f'{_DIFFUSION}.vae.'
    vae = {name.removeprefix(prefix): value for name, value in state_dict.items() if name.startswith(prefix)}
    recipe = dict(pretrained='of the official MADM checkpoint', revision=None, vae_sha256=weights_hash(vae))
    return torch.tensor(list(json.dumps(recipe).encode()), dtype=torch.uint8)
