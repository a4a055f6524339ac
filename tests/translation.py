"""A tiny labelled source set and a config that translates it, for the tests of translation."""

import shutil
from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from tiny_translator import CLASSES, UNET
from trees import noise, write_png

from mmdass.registry import DATASETS, MODELS

ROOT = Path(__file__).parents[1]
CLASS_NAMES = tuple(f'class {index}' for index in range(CLASSES))
CONFIG = """
_base_ = ['{root}/configs/_base_/default_runtime.py']
source_dataset = dict(
    type='ModalityDataset', data_root='{folder}/source', images='image/*.png', labels=('image/', 'label/'),
    label_space=dict(classes={classes}), serialize_data=False, pipeline=[
        dict(type='LoadModalityImage'), dict(type='LoadMappedLabel'),
        dict(type='Resize', scale={scale}, keep_ratio=False), dict(type='PackSegInputs')])
translator = dict(
    type='DiffusionTranslator', start=20, num_steps=4, denoiser=dict(type='Denoiser', unet={unet}),
    sgg_hooks=[dict(type='LocalClassGuidanceHook', scale=7., phase=1), dict(type='GlobalSceneGuidanceHook', scale=8.)])
model = dict(
    type='EncoderDecoder',
    data_preprocessor=dict(
        type='SegDataPreProcessor', size={size}, mean=[127.5] * 3, std=[127.5] * 3, bgr_to_rgb=True),
    backbone=dict(
        type='ResNetV1c', depth=18, stem_channels=4, base_channels=4, num_stages=2, strides=(1, 2), dilations=(1, 1),
        out_indices=(1, ), norm_cfg=dict(type='BN')),
    decode_head=dict(
        type='FCNHead', in_channels=8, in_index=0, channels=4, num_convs=1, concat_input=False,
        num_classes={num_classes}, norm_cfg=dict(type='BN')),
    test_cfg=dict(mode='whole'))
"""


def write_source(folder: Path, images: int = 4, width: int = 20, height: int = 12) -> Path:
    """Reddish images and labels of blocks with a void stripe."""
    for index in range(images):
        image = noise(height, width, 3, high=80, seed=index)
        image[..., 0] += 170
        label = noise(height // 4, width // 4, high=CLASSES, seed=index).repeat(4, 0).repeat(4, 1)
        label[:2] = 255
        write_png(folder / f'image/{index:02d}.png', image)
        write_png(folder / f'label/{index:02d}.png', label)
    return folder


def write_task(folder: Path, images: int = 4, width: int = 20, height: int = 12) -> Path:
    """A source set, the config ``tiny.py``, which is returned, ``denoiser.pth`` and ``segmentor.pth``."""
    write_source(folder / 'source', images, width, height)
    path = folder / 'tiny.py'
    path.write_text(CONFIG.format(
        root=ROOT, folder=folder, scale=(width, height), size=(height, width), unet=UNET, classes=CLASS_NAMES,
        num_classes=CLASSES))
    cfg = Config.fromfile(path)
    init_default_scope('mmdass')
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        for name, model in (('denoiser', cfg.translator.denoiser), ('segmentor', cfg.model)):
            torch.save(dict(state_dict=MODELS.build(model).state_dict()), folder / f'{name}.pth')
    return path


def build_source(folder: Path, **options):
    """The source set alone."""
    init_default_scope('mmdass')
    pipeline = [dict(type='LoadModalityImage'), dict(type='LoadMappedLabel'), dict(type='PackSegInputs')]
    return DATASETS.build(dict(
        type='ModalityDataset', data_root=str(folder), images='image/*.png', labels=('image/', 'label/'),
        label_space=dict(classes=CLASS_NAMES), pipeline=pipeline, serialize_data=False) | options)


def contents(folder: Path) -> dict[str, bytes]:
    """All files of a translated folder but locks and journals."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob('*')
        if path.is_file() and '.translate' not in path.parts}


def journals(folder: Path) -> list[Path]:
    """The journals of shards that are at work, or were killed."""
    return sorted((folder / '.translate').glob('*.jsonl'))


def read_rgb(path: Path) -> np.ndarray:
    """(H, W, 3) or (H, W) uint8."""
    from PIL import Image
    return np.asarray(Image.open(path)).copy()


def copy_task(config: Path, folder: Path) -> Path:
    """The same task in another folder, which its config reads."""
    shutil.copytree(config.parent, folder)
    path = folder / config.name
    path.write_text(path.read_text().replace(str(config.parent), str(folder)))
    return path
