"""Plain MMSeg checkpoints: into our wrappers, and out of them with a config that stock MMSeg runs.

MMSeg 1.x reads the weights of MMSeg 0.x as they are, so both are one family.
"""

import copy
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config

from mmdass.models.utils.ema_teacher import module_key
from mmdass.registry import MODELS, TRANSFORMS
from mmdass.utils.config import load_config

from .config_text import read_config_text
from .convert import ConvertReport, StateDict, convert_weights, find_dataset_meta, find_meta, find_state_dict
from .loader import CheckpointError, load_checkpoint_file
from .saver import replace_atomically

_BACKBONES = ('backbone', 'image_encoder')  # the latter is SAN's
_STUDENT, _TEACHER = 'segmentor.', 'teacher.averaged.'
# Our transforms of a test pipeline, and MMSeg's that make the same of image files.
_STOCK = {
    'LoadModalityImage': 'LoadImageFromFile',
    'RenderToyScene': 'LoadImageFromFile',
    'PackModalityInputs': 'PackSegInputs',
}
_WRITTEN = '# Written by mmdass: the plain config of the checkpoint beside it.'
_OF_LABELS = ('LoadAnnotations', 'LoadMappedLabel', 'EvaluateAtCurrentSize')


def convert(state_dict: StateDict) -> ConvertReport:
    """A plain segmentor's weights as the student of any of our wrappers; the teacher will start as its copy.

    Raises:
        CheckpointError: The weights are not a segmentor's.
    """
    names = {name: name.removeprefix('module.') for name in state_dict}
    known = [name for name, plain in names.items() if plain.split('.')[0] in (
        *_BACKBONES, 'text_encoder', 'neck', 'decode_head', 'auxiliary_head')]
    if not any(names[name].split('.')[0] in _BACKBONES for name in known):
        first = next(iter(state_dict), 'nothing')
        raise CheckpointError(f"no key begins with backbone., as a segmentor's do; the first is {first}")
    return ConvertReport(
        state_dict={_STUDENT + names[name]: state_dict[name] for name in known},
        used=known,
        unused=[name for name in state_dict if name not in set(known)])


def export(state_dict: StateDict, role: str = 'student') -> ConvertReport:
    """The segmentor in one of our wrappers' checkpoints, under the names that it has without the wrapper.

    Args:
        state_dict: Weights of a ``UDASegmentor``.
        role: 'student', or 'teacher': the student with the averaged modules in their places.

    Raises:
        CheckpointError: The weights are another model's, or there is no teacher among them.
    """
    prefixes = {_STUDENT: ''} | (_averaged_modules(state_dict) if role == 'teacher' else {})
    report = ConvertReport(state_dict={})
    for prefix, plain in prefixes.items():
        found = [name for name in state_dict if name.startswith(prefix)]
        report.used += found
        report.state_dict.update({plain + name.removeprefix(prefix): state_dict[name] for name in found})
    if not report.used or len(prefixes) == 1 and role == 'teacher':
        begin = _TEACHER if report.used else _STUDENT
        hint = '; a plain MMSeg checkpoint needs no export' if 'decode_head.conv_seg.weight' in state_dict else ''
        raise CheckpointError(f'no key begins with {begin}, so it holds no {role} of a model of mmdass{hint}')
    report.unused = [name for name in state_dict if name not in set(report.used)]
    return report


def _averaged_modules(state_dict: StateDict) -> dict[str, str]:
    """What the teacher's weights begin with, module by module, and what the same weights of the student begin with."""
    student = [name.removeprefix(_STUDENT) for name in state_dict if name.startswith(_STUDENT)]
    modules = {name[:end] for name in student for end, character in enumerate(name) if character == '.'}
    names = {module_key(name): f'{name}.' for name in modules} | {module_key(''): ''}
    keys = {name.removeprefix(_TEACHER).split('.')[0] for name in state_dict if name.startswith(_TEACHER)}
    return {f'{_TEACHER}{key}.': names[key] for key in keys}


def export_file(
    source: Path, target: Path, role: str = 'student', config: str | None = None, family: str | None = None
) -> ConvertReport:
    """Write the segmentor in a checkpoint of ours, or of another code base, as ``write_plain`` does.

    Args:
        source: The checkpoint.
        target: The plain checkpoint.
        role: 'student' or 'teacher'.
        config: Its training's config; None: the one that MMEngine wrote into the checkpoint, if there is one.
        family: Code base that it comes from; None: ours.

    Raises:
        CheckpointError: It cannot be read, is of another kind, or its model cannot be described to MMSeg.
    """
    checkpoint = load_checkpoint_file(source)
    report = ConvertReport(find_state_dict(checkpoint))
    if family is not None:
        report = convert_weights(family, source, report.state_dict)
    text = find_meta(checkpoint).get('cfg') if family is None else None
    try:
        cfg = load_config(config) if config else read_config_text(text) if text else None
        exported = export(report.state_dict, role)
        write_plain(target, exported.state_dict, cfg, find_dataset_meta(checkpoint))
    except CheckpointError as error:
        raise CheckpointError(f'{source} cannot become a plain checkpoint: {error}') from error
    return exported if family is None else replace(report, state_dict=exported.state_dict)


def write_plain(target: Path, state_dict: StateDict, cfg: Config | None, meta: Mapping[str, Any]) -> None:
    """Write a plain checkpoint, and where there is a config of its training, the plain config in it and beside it.

    Raises:
        CheckpointError: See ``plain_config``; or ``target`` is named like a kind of file that MMEngine does not read.
        FileExistsError: The ``.py`` beside it is none that this wrote.
    """
    if target.suffix != '.pth':
        raise CheckpointError(f'MMSeg reads .pth files; name one instead of {target.name}')
    meta = dict(meta)
    if cfg is not None:
        plain = plain_config(cfg, meta.get('dataset_meta'))
        meta['cfg'] = plain.pretty_text
        beside = target.with_suffix('.py')
        if beside.exists() and not beside.read_text(errors='replace').startswith(_WRITTEN):
            raise FileExistsError(f'{beside}, where the plain config would go, is another file. Choose another name.')
        with replace_atomically(beside) as partial:
            partial.write_text(f'{_WRITTEN}\n{meta["cfg"]}')
    with replace_atomically(target) as partial:
        torch.save(dict(meta=meta, state_dict=state_dict), partial)


def plain_config(cfg: Config, dataset_meta: Mapping[str, Any] | None = None) -> Config:
    """A config for MMSeg's own tools and inferencer: the segmentor in a wrapper's config, and how it is tested.

    Parts of ours in the segmentor get our prefix, and the config imports mmdass; without any, it runs without mmdass.

    Raises:
        CheckpointError: The model is no wrapper, or the test images are loaded in a way that MMSeg does not have.
    """
    if 'segmentor' not in cfg.get('model', {}):
        raise CheckpointError(f'the model of its config, {cfg.get("model", {}).get("type")}, has no segmentor inside')
    model = copy.deepcopy(cfg.model.segmentor)
    preprocessor = cfg.model.get('data_preprocessor')
    if preprocessor is not None:
        model.data_preprocessor = preprocessor.get('target') or preprocessor.get('source') or preprocessor
    for part in (model, *model.values()):  # whose weights are in the checkpoint
        for initial in ('init_cfg', 'pretrained'):
            if isinstance(part, dict) and part.get(initial) and not _is_ours(part):
                part[initial] = None
    pipeline = _plain_pipeline(cfg)
    plain = dict(
        default_scope='mmseg',
        model=model,
        test_pipeline=pipeline,
        test_dataloader=dict(
            batch_size=1, num_workers=1, sampler=dict(type='DefaultSampler', shuffle=False),
            dataset=dict(type='BaseSegDataset', metainfo=dict(dataset_meta or {}), pipeline=pipeline)),
        visualizer=dict(type='SegLocalVisualizer', name='visualizer', vis_backends=[dict(type='LocalVisBackend')]))
    if _prefix_ours(model):
        plain['custom_imports'] = dict(imports=['mmdass'])
    return Config(plain)


def _plain_pipeline(cfg: Config) -> list[dict]:
    from mmdass.apis.inference_pipeline import tested_datasets  # it imports this package
    try:
        pipelines = [dataset.pipeline for dataset in tested_datasets(cfg).values()]
    except ValueError:  # it says nothing of testing
        pipelines = [[dict(type='LoadImageFromFile'), dict(type='PackSegInputs')]]
    transforms, *others = pipelines
    if any(other != transforms for other in others):
        raise CheckpointError('it tests several modalities, each loaded in its own way; name a config that tests on '
                              'the one that the plain model is for: --config CONFIG')
    pipeline = []
    for transform in transforms:
        kind = transform['type'].removeprefix('mmdass.')
        options = {name: value for name, value in transform.items() if name != 'type' and value is not None}
        if kind in _STOCK and not options:
            pipeline.append(dict(type=_STOCK[kind]))
        elif kind in TRANSFORMS.module_dict and kind not in _OF_LABELS:
            call = f'{kind}({", ".join(f"{name}={value!r}" for name, value in options.items())})'
            raise CheckpointError(
                f'its test images go through {call}, which MMSeg does not have; store images as it makes them, and '
                'name a config that tests on those with LoadModalityImage(): --config CONFIG')
        elif kind not in _OF_LABELS:
            pipeline.append(dict(transform))
    return pipeline


def _prefix_ours(node: Any) -> bool:
    """Write our prefix before our types; whether there are any."""
    children = node.values() if isinstance(node, dict) else node if isinstance(node, (list, tuple)) else ()
    found = any([_prefix_ours(child) for child in children])
    if _is_ours(node):
        node['type'] = f'mmdass.{node["type"].removeprefix("mmdass.")}'
        return True
    return found


def _is_ours(node: Any) -> bool:
    kind = node.get('type') if isinstance(node, dict) else None
    return isinstance(kind, str) and kind.removeprefix('mmdass.') in MODELS.module_dict
