"""A run that stopped and was resumed is, bit for bit, the run that never stopped: toy configs of all kinds, tiny."""

import gc
import itertools
import os
import time
from pathlib import Path

import pytest
import tiny_ptl
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from same_run import assert_same_run
from test_shipped import ROOT, _save_teacher, shrink

from mmdass.apis.launch import build_runner
from mmdass.utils.compat import prepare_cpu_distributed
from mmdass.utils.config import load_config

FAMILIES = ['madm/toy_event', 'self_training/toy_mic', *(pytest.param(name, marks=pytest.mark.slow) for name in (
    'madm/toy_multi_modality_lora', 'self_training/toy_source_only', 'self_training/toy_dacs',
    'self_training/toy_daformer', 'distill/toy_segformer_b0', 'sgg_ptl/denoiser_toy', 'sgg_ptl/latent_lora_toy',
    'prior/toy_vae'))]
ITERATIONS = 4
PRETTY_TEXT = Config.pretty_text
_numbers = itertools.count()


@pytest.fixture(autouse=True, scope='module')
def quick():
    """Neither are configs laid out for readers in each checkpoint nor all imports searched for garbage with each data
    set: most of a run's time."""
    gc.freeze()
    with pytest.MonkeyPatch.context() as patch:
        for name in ('TEACHER_CONFIG', 'TEACHER_CHECKPOINT'):
            patch.setenv(name, '')  # to be restored
        patch.setattr(Config, 'pretty_text', property(lambda self: ''))
        yield
    gc.unfreeze()


class Stop(Exception):
    """The end of a run before its time."""


class StopHook(Hook):
    """Ends a run in an iteration of training, or in the validation after it."""

    def __init__(self, iteration: int, validating: bool = False) -> None:
        self.iteration, self.validating = iteration, validating

    def after_train_iter(self, runner, *args, **kwargs) -> None:
        if not self.validating and runner.iter + 1 == self.iteration:
            raise Stop

    def after_val_iter(self, runner, *args, **kwargs) -> None:
        if self.validating and runner.iter == self.iteration:
            raise Stop


def config(family: str, folder: Path) -> Config:
    """A shipped config, tiny, that saves and validates after two iterations and at its end, after four."""
    if family.startswith('distill'):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Config, 'pretty_text', PRETTY_TEXT)
            _save_teacher(folder)
        os.environ.update(TEACHER_CONFIG=f'{folder}/teacher.py', TEACHER_CHECKPOINT=f'{folder}/teacher.pth')
    cfg = shrink(load_config(str(ROOT / f'configs/{family}.py')), folder / 'work')
    cfg.train_cfg.update(max_iters=ITERATIONS, val_interval=2)
    cfg.default_hooks.checkpoint.interval = 2
    return cfg


def train(cfg: Config, stop: StopHook | None = None, resume: bool = False) -> None:
    cfg = Config(cfg._cfg_dict.to_dict())
    cfg.experiment_name = f'exact_resume_{next(_numbers)}'
    cfg.resume = resume
    while Path(cfg.work_dir, time.strftime('%Y%m%d_%H%M%S')).exists():  # two starts would share a log
        time.sleep(0.1)
    runner = build_runner(cfg)
    if stop:
        runner.register_hook(stop, 'LOW')
        with pytest.raises(Stop):
            runner.train()
    else:
        runner.train()


@pytest.fixture
def folders(tmp_path) -> tuple[Path, Path]:
    """Of the undisturbed and of the resumed run."""
    folders = tmp_path / 'undisturbed', tmp_path / 'resumed'
    for folder in folders:
        folder.mkdir()
    return folders


@pytest.mark.parametrize('family', FAMILIES)
def test_resumed_run_equals_the_undisturbed_one(family, folders):
    """Stopped after the third iteration, it continues after the second, whose validation comes after its checkpoint."""
    undisturbed, resumed = (folder / 'work' for folder in folders)
    cfg = config(family, folders[0])
    train(cfg)
    cfg.work_dir = str(resumed)
    cfg.train_dataloader.num_workers = 1  # nor does it matter who loads the data
    train(cfg, StopHook(3))
    train(cfg, resume=True)
    assert_same_run(resumed, undisturbed)


@pytest.mark.slow
def test_stopped_while_validating(folders):
    """The first validation, then the last, after which there is nothing to train."""
    undisturbed, resumed = (folder / 'work' for folder in folders)
    cfg = config('self_training/toy_source_only', folders[0])
    train(cfg)
    cfg.work_dir = str(resumed)
    train(cfg, StopHook(2, validating=True))
    train(cfg, StopHook(4, validating=True), resume=True)
    train(cfg, resume=True)
    assert_same_run(resumed, undisturbed)


@pytest.mark.slow
def test_two_ranks(folders, tmp_path):
    """No generator's state is in the checkpoint, of neither rank: draws are keyed by seed, iteration and rank."""
    undisturbed, resumed = (folder / 'work' for folder in folders)
    cfg = config('self_training/toy_daformer', folders[0])
    cfg.launcher = 'pytorch'

    def rank(number: int) -> None:
        os.environ.update(RANK=str(number), LOCAL_RANK=str(number), WORLD_SIZE='2')
        torch.distributed.init_process_group(
            'gloo', init_method=f'file://{tmp_path}/rendezvous', rank=number, world_size=2)
        prepare_cpu_distributed(cfg)
        train(cfg)
        cfg.work_dir = str(resumed)
        train(cfg, StopHook(3))
        train(cfg, resume=True)

    ranks = [tiny_ptl.fork(lambda number=number: rank(number)) for number in range(2)]
    assert [tiny_ptl.wait(pid) for pid in ranks] == [0, 0]
    assert_same_run(resumed, undisturbed)
