"""What tests of several packages share: a tiny segmentation task that a Runner can train on in a second."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from mmengine.config import Config
from mmengine.registry import DefaultScope

import mmdass  # noqa: F401, its shims

# A busy machine is not a failure. `make test` searches the same examples each time, `make test-slow` others.
settings.register_profile('random', deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile('repeatable', settings.get_profile('random'), derandomize=True)
settings.load_profile('repeatable')

ROOT = Path(__file__).parents[1]
TINY_CONFIG = """
_base_ = ['{root}/configs/_base_/default_runtime.py']
experiment_name = '{folder.name}'
work_dir = '{folder}/work'
model = dict(
    type='EncoderDecoder',
    data_preprocessor=dict(type='SegDataPreProcessor', size=(32, 64), bgr_to_rgb=True, seg_pad_val=255),
    backbone=dict(type='ResNetV1c', depth=18, stem_channels=8, base_channels=8, norm_cfg=dict(type='BN')),
    decode_head=dict(
        type='FCNHead', in_channels=64, in_index=3, channels=8, num_convs=1, concat_input=False, num_classes=2,
        norm_cfg=dict(type='BN'), loss_decode=dict(type='CrossEntropyLoss')),
    test_cfg=dict(mode='whole'))
load = [dict(type='LoadImageFromFile'), dict(type='LoadAnnotations')]
train_dataloader = dict(
    batch_size=2, num_workers=0, sampler=dict(type='InfiniteSampler'),
    dataset=dict(
        type='BaseSegDataset', data_root='{folder}/data', data_prefix=dict(img_path='image', seg_map_path='label'),
        img_suffix='.png', metainfo=dict(classes=('dark', 'light'), palette=[[0, 0, 0], [255, 255, 255]]),
        pipeline=[*load, dict(type='PackSegInputs')]))
val_dataloader = dict(
    batch_size=1, num_workers=0, sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=train_dataloader['dataset'])
test_dataloader = val_dataloader
val_evaluator = dict(type='IoUMetric')
test_evaluator = dict(type='IoUMetric')
tta_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='TestTimeAug', transforms=[
        [dict(type='RandomFlip', prob=0.), dict(type='RandomFlip', prob=1.)],
        [dict(type='LoadAnnotations')], [dict(type='PackSegInputs')]])]
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=0.01))
train_cfg = dict(type='IterBasedTrainLoop', max_iters=2, val_interval=2)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
default_hooks = dict(logger=dict(interval=1), checkpoint=dict(interval=1))
"""


@pytest.fixture(autouse=True)
def restore_default_scope():
    """A Runner leaves its scope behind as the current one; registries in later tests would search there."""
    before = dict(DefaultScope._instance_dict)
    yield
    DefaultScope._instance_dict.clear()
    DefaultScope._instance_dict.update(before)


@pytest.fixture
def tiny_config_file(tmp_path) -> Path:
    """A config of a tiny FCN on four images of two classes, all below ``tmp_path``."""
    draws = np.random.default_rng(0)
    for name in ('image', 'label'):
        (tmp_path / 'data' / name).mkdir(parents=True)
    for index in range(4):
        label = (draws.random((32, 64)) < 0.5).astype(np.uint8)
        cv2.imwrite(str(tmp_path / f'data/image/{index}.png'), np.repeat(label[..., None] * 200, 3, axis=2))
        cv2.imwrite(str(tmp_path / f'data/label/{index}.png'), label)
    path = tmp_path / 'tiny.py'
    path.write_text(TINY_CONFIG.format(root=ROOT, folder=tmp_path))
    return path


@pytest.fixture
def tiny_config(tiny_config_file) -> Config:
    """The same, read."""
    return Config.fromfile(tiny_config_file)
