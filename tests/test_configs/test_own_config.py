"""The six lines of configs/self_training/README.md on a config as MMSeg's users have them."""

import re
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.runner import Runner

from mmdass.utils.config import load_config

README = Path(__file__).parents[2] / 'configs/self_training/README.md'
# As MMSeg writes them: no name of ours, SyncBN, statistics of ImageNet, PhotoMetricDistortion, stock loops and hooks.
OWN_CONFIG = """
default_scope = 'mmseg'
work_dir = '{folder}/work'
norm_cfg = dict(type='SyncBN', requires_grad=True)
model = dict(
    type='EncoderDecoder',
    data_preprocessor=dict(
        type='SegDataPreProcessor', mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], bgr_to_rgb=True,
        pad_val=0, seg_pad_val=255, size=(32, 32)),
    backbone=dict(
        type='ResNetV1c', depth=18, num_stages=4, out_indices=(0, 1, 2, 3), stem_channels=8, base_channels=8,
        norm_cfg=norm_cfg),
    decode_head=dict(
        type='FCNHead', in_channels=64, in_index=3, channels=8, num_convs=1, concat_input=False, num_classes=3,
        norm_cfg=norm_cfg, loss_decode=dict(type='CrossEntropyLoss', use_sigmoid=False, loss_weight=1.0)),
    train_cfg=dict(), test_cfg=dict(mode='whole'))
train_pipeline = [
    dict(type='LoadImageFromFile'), dict(type='LoadAnnotations'),
    dict(type='RandomCrop', crop_size=(32, 32), cat_max_ratio=0.75), dict(type='RandomFlip', prob=0.5),
    dict(type='PhotoMetricDistortion'), dict(type='PackSegInputs')]
target_pipeline = [
    dict(type='LoadImageFromFile'), dict(type='RandomCrop', crop_size=(32, 32)), dict(type='PackSegInputs')]
test_pipeline = [dict(type='LoadImageFromFile'), dict(type='LoadAnnotations'), dict(type='PackSegInputs')]
data = dict(
    type='BaseSegDataset', data_root='{folder}', data_prefix=dict(img_path='day', seg_map_path='label'),
    img_suffix='.png', metainfo=dict(classes=('a', 'b', 'c'), palette=[[0, 0, 0], [9, 9, 9], [99, 99, 99]]))
train_dataloader = dict(
    batch_size=2, num_workers=0, sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(data, pipeline=train_pipeline))
val_dataloader = dict(
    batch_size=1, num_workers=0, sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(data, pipeline=test_pipeline))
val_evaluator = dict(type='IoUMetric', iou_metrics=['mIoU'])
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=0.01, momentum=0.9))
param_scheduler = [dict(type='PolyLR', eta_min=1e-4, power=0.9, begin=0, end=2, by_epoch=False)]
train_cfg = dict(type='IterBasedTrainLoop', max_iters=2, val_interval=2)
val_cfg = dict(type='ValLoop')
default_hooks = dict(
    timer=dict(type='IterTimerHook'), logger=dict(type='LoggerHook', interval=1, log_metric_by_epoch=False),
    param_scheduler=dict(type='ParamSchedulerHook'), checkpoint=dict(type='CheckpointHook', by_epoch=False, interval=2),
    sampler_seed=dict(type='DistSamplerSeedHook'), visualization=dict(type='SegVisualizationHook'))
"""


@pytest.fixture
def folder(tmp_path) -> Path:
    draws = np.random.default_rng(0)
    for name in ('day', 'night', 'label'):
        (tmp_path / name).mkdir()
        for index in range(3):
            image = draws.integers(0, 3 if name == 'label' else 256, (40, 48) + (3,) * (name != 'label'), np.uint8)
            cv2.imwrite(str(tmp_path / name / f'{index}.png'), image)
    (tmp_path / 'my_mmseg_config.py').write_text(OWN_CONFIG.format(folder=tmp_path))
    return tmp_path


def test_six_lines_adapt_a_config_of_mmseg(folder):
    block = re.search(r"```python\n(_base_ = './my_mmseg_config.py'\n.*?)```", README.read_text(), re.S)[1]
    assert len(block.splitlines()) == 1 + 6
    path = folder / 'adapted.py'
    path.write_text(block)
    runner = Runner.from_cfg(load_config(path))
    runner.train()
    model = runner.model
    assert (model.iteration, model.teacher.steps.value) == (2, 2)
    assert 0 <= runner.message_hub.get_scalar('val/mIoU').current() <= 100
    teacher, student = (next(part.parameters()) for part in (model.teacher, model.segmentor))
    assert not torch.equal(teacher, student)
    assert runner.train_dataloader.dataset[0]['target']['data_samples'].img_path.startswith(str(folder / 'night'))
