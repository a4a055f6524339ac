"""Checkpoints of DAFormer (github lhoyer/DAFormer) and of MIC trained with it (lhoyer/MIC): MMSeg 0.x with MiT.

Both wrap the student as ``model``, its mean teacher as ``ema_model``, and the ImageNet network of the feature distance
as ``imnet_model``. A ``source-only`` checkpoint is the bare student.
"""

import re

import torch
from mmseg.models import EncoderDecoder

from mmdass.models import DAFormerHead

from .convert import ConvertReport, StateDict
from .loader import CheckpointError

# Ours: theirs.
_ROLES = {'segmentor.': 'model.', 'teacher.averaged.segmentor.': 'ema_model.'}
# MMSeg's MiT keeps a stage's embedding, blocks and norm in one list. Of a regular expression, in this order.
_STAGE = {'0.projection': 'patch_embed{}.proj', '0.norm': 'patch_embed{}.norm', '1': 'block{}', '2': 'norm{}'}
_BLOCK = {
    'attn.attn.out_proj': 'attn.proj',
    'ffn.layers.0': 'mlp.fc1',
    'ffn.layers.1': 'mlp.dwconv.dwconv',
    'ffn.layers.4': 'mlp.fc2',
}
_EMBEDDING, _CLASSIFIER = 'decode_head.embed_layers.0.proj.weight', 'decode_head.conv_seg.weight'


def convert(state_dict: StateDict) -> ConvertReport:
    """Rename an official state dict for our ``SelfTraining`` around a MiT and a ``DAFormerHead``.

    The teacher's counter is not in official files: a model trained on starts its schedules anew. Two norms are not
    quite the same: MMSeg's MiT has an epsilon of 1e-6 in the norms of embeddings and of reduced keys, the official one
    1e-5.

    Raises:
        CheckpointError: The file is something else, of HRDA, or of another head than the published models'.
    """
    state_dict = {name.removeprefix('module.'): value for name, value in state_dict.items()}
    roles = {ours: theirs for ours, theirs in _ROLES.items() if f'{theirs}backbone.norm1.weight' in state_dict}
    if not roles and 'backbone.norm1.weight' in state_dict:
        roles = {'segmentor.': ''}
    if not roles:
        raise CheckpointError('it has no model.backbone.norm1.weight, as a MiT of DAFormer or MIC has')
    report = ConvertReport(state_dict={})
    for ours, theirs in roles.items():
        _convert_role(state_dict, ours, theirs, report)
    used = set(report.used)
    report.unused = [name for name in state_dict if name not in used]
    return report


def _convert_role(state_dict: StateDict, ours: str, theirs: str, report: ConvertReport) -> None:
    weights = {name.removeprefix(theirs): value for name, value in state_dict.items() if name.startswith(theirs)}
    segmentor = _build_segmentor(weights)
    converted = {}
    for name, own in segmentor.state_dict().items():
        official = _official_names(name)
        missing = [part for part in official if part not in weights]
        report.missing += [theirs + part for part in missing]
        if not missing:
            value = weights[official[0]] if len(official) == 1 else torch.cat([weights[part] for part in official])
            # MMSeg's linear layers of a MiT's MLP are 1 x 1 convolutions.
            converted[name] = value[..., None, None] if value.ndim + 2 == own.ndim else value
            report.used += [theirs + part for part in official]
    try:
        segmentor.load_state_dict(converted, strict=False)
    except RuntimeError as error:
        raise CheckpointError(f'its tensors are not those of a MiT and a DAFormerHead: {error}') from error
    report.state_dict.update({ours + name: value for name, value in converted.items()})


def _official_names(name: str) -> list[str]:
    """The official names of one of our parameters; the weights of queries and of keys and values are two there."""
    match = re.fullmatch(r'backbone\.layers\.(\d)\.(0\.projection|0\.norm|1|2)\.(.+)', name)
    if match is None:
        return [name]
    stage, part, rest = match.groups()
    module = 'backbone.' + _STAGE[part].format(int(stage) + 1)
    if 'in_proj_' in rest:
        return [f'{module}.{rest.replace("attn.attn.in_proj_", f"attn.{layer}.")}' for layer in ('q', 'kv')]
    for mine, official in _BLOCK.items():
        rest = rest.replace(mine, official)
    return [f'{module}.{rest}']


def _build_segmentor(weights: StateDict) -> EncoderDecoder:
    """A segmentor of the size that the file's tensors have."""
    if any(name.startswith(('decode_head.head.', 'decode_head.scale_attention.')) for name in weights):
        raise CheckpointError(
            'it is of HRDA, which fuses two resolutions by a learned attention (decode_head.scale_attention), and '
            'mmdass has no such head. Convert a model trained without HRDA, or start from its backbone alone')
    for name in (_EMBEDDING, _CLASSIFIER, 'decode_head.fuse_layer.aspp_modules.1.depthwise_conv.conv.weight'):
        if name not in weights:
            raise CheckpointError(f'it has no {name}, as the DAFormerHead of the published models has')
    classes, channels = weights[_CLASSIFIER].shape[:2]
    width, heads = len(weights['backbone.norm1.weight']), [1, 2, 5, 8]
    depths = [_count_blocks(weights, stage) for stage in (1, 2, 3, 4)]
    return EncoderDecoder(
        backbone=dict(type='MixVisionTransformer', embed_dims=width, num_layers=depths, num_heads=heads),
        decode_head=dict(
            type=DAFormerHead, in_channels=[width * count for count in heads], in_index=[0, 1, 2, 3],
            channels=channels, embed_dims=len(weights[_EMBEDDING]), num_classes=classes, norm_cfg=dict(type='BN')))


def _count_blocks(weights: StateDict, stage: int) -> int:
    return len({name.split('.')[2] for name in weights if name.startswith(f'backbone.block{stage}.')})
