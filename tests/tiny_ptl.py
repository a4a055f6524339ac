"""Progressive translation learning with all its parts at the smallest size: seconds a run.

Runs that are to be killed, or that are one rank of several, are forked from the test, whose imports they share.
"""

import itertools
import os
import signal
import time
import traceback
from collections.abc import Callable
from pathlib import Path

import psutil
import torch
from mmengine.config import Config
from mmengine.runner import Runner

from mmdass.apis.launch import build_runner

ROOT = Path(__file__).parents[1]
CONFIG = """
_base_ = ['{root}/configs/_base_/default_runtime.py']
pipeline = [dict(type='RenderToyScene'), dict(type='PackSegInputs')]
source_dataset = dict(
    type='ToyStreetDataset', look='synthetic', num_images=3, size=(32, 16), seed=0, pipeline=pipeline)
train_dataloader = dict(
    batch_size=2, num_workers=0, sampler=dict(type='KeyedSampler'),
    dataset=dict(type='KeyedDataset', dataset=source_dataset))
val_dataloader = dict(
    batch_size=1, num_workers=0, sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='ToyStreetDataset', look='real', num_images=2, size=(32, 16), seed=1, split='val',
                 test_mode=True, pipeline=pipeline))
val_evaluator = dict(type='DomainIoUMetric', iou_metrics=['mIoU'])
val_cfg = dict(type='ValLoop')
translator = dict(
    type='DiffusionTranslator', num_steps=3,
    denoiser=dict(
        type='Denoiser',
        unet=dict(block_out_channels=(4, 8), layers_per_block=1, norm_num_groups=4, attention_head_dim=4,
                  down_block_types=('DownBlock2D',) * 2, up_block_types=('UpBlock2D',) * 2),
        init_cfg=dict(type='Constant', layer=['Conv2d', 'Linear', 'GroupNorm'], val=0.02)),  # equal in all processes
    sgg_hooks=[dict(type='LocalClassGuidanceHook', phase=1), dict(type='GlobalSceneGuidanceHook')])
model = dict(
    type='EncoderDecoder',
    data_preprocessor=dict(type='SegDataPreProcessor', size=(16, 32), bgr_to_rgb=True, seg_pad_val=255,
                           mean=[127.5] * 3, std=[127.5] * 3),
    backbone=dict(type='ResNetV1c', depth=18, stem_channels=4, base_channels=4, norm_cfg=dict(type='BN')),
    decode_head=dict(
        type='FCNHead', in_channels=32, in_index=3, channels=8, num_convs=1, concat_input=False, num_classes=11,
        norm_cfg=dict(type='BN'), loss_decode=dict(type='CrossEntropyLoss')),
    test_cfg=dict(mode='whole'))
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='AdamW', lr=0.01))
param_scheduler = [dict(type='PolyLR', eta_min=0.0, power=1.0, by_epoch=False)]
train_cfg = dict(
    type='ProgressiveTranslationLoop', stages=[10, 20], source_iters=3, stage_iters=2, final_iters=2,
    replay=(0.7, 0.2, 0.1), guard=dict(num_images=1, tolerance=100), robustness=dict(noise=0.5, region=0.25),
    translated_pipeline=[dict(type='LoadModalityImage'), dict(type='LoadMappedLabel'), dict(type='PackSegInputs')])
default_hooks = dict(logger=dict(interval=1), checkpoint=dict(interval=2))
"""
_numbers = itertools.count()


def config(folder: Path, **options) -> Config:
    """The config, with dotted ``options`` (``train_cfg__guard`` for ``train_cfg.guard``) and a work dir in a folder."""
    path = folder / 'tiny_ptl.py'
    path.write_text(CONFIG.format(root=ROOT))
    cfg = Config.fromfile(path)
    cfg.work_dir = str(folder / 'work')
    cfg.merge_from_dict({name.replace('__', '.'): value for name, value in options.items()})
    return cfg


def train(cfg: Config, resume: bool = False) -> Runner:
    """Train as ``tools/train.py`` does; MMEngine wants every Runner of a process to have a name of its own."""
    cfg.experiment_name = f'ptl_{next(_numbers)}_{Path(cfg.work_dir).parent.name}'
    cfg.resume = resume
    while Path(cfg.work_dir, time.strftime('%Y%m%d_%H%M%S')).exists():  # two starts would share a log
        time.sleep(0.1)
    runner = build_runner(cfg)
    runner.train()
    return runner


def fork(function: Callable[[], object]) -> int:
    """Call a function in a child process; returns its id."""
    pid = os.fork()
    if pid:
        return pid
    torch.set_num_threads(1)  # threads do not survive a fork
    status = 1
    try:
        function()
        status = 0
    except SystemExit as left:
        status = left.code
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


def wait(pid: int) -> int:
    """The exit status of a child; negative for a signal."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def kill_after(pid: int, seconds: float) -> None:
    """SIGKILL a child when it has computed for so long, however busy the machine is, or has ended."""
    process = psutil.Process(pid)
    while process.status() != psutil.STATUS_ZOMBIE and sum(process.cpu_times()[:2]) < seconds:
        time.sleep(0.03)
    os.kill(pid, signal.SIGKILL)


def die_at(call: int, function: Callable, number: int = signal.SIGKILL) -> Callable:
    """The function, whose ``call``-th call (from 1) begins with a signal to its process."""
    calls = itertools.count(1)

    def counted(*args, **kwargs):
        if next(calls) == call:
            os.kill(os.getpid(), number)
        return function(*args, **kwargs)

    return counted
