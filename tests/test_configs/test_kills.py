"""Runs killed (SIGKILL) and resumed end with the state of the run that was left alone.

Progressive translation and ``mmdass translate`` have such tests of their own.
"""

import itertools
import random
import signal
from pathlib import Path

import pytest
import tiny_ptl
from mmengine.config import Config
from mmengine.fileio import LocalBackend
from same_run import assert_same_run
from test_exact_resume import config, quick, train

from mmdass.engine import TeacherStudentValLoop
from mmdass.models import UDASegmentor

__all__ = ['quick']  # a fixture

MOMENTS = {  # what is called for the n-th time when the process is killed
    'training': (UDASegmentor, 'train_step', 3),
    'validating': (TeacherStudentValLoop, '_run_roles_iter', 2),
    'writing': (LocalBackend, 'put', 2),
}


@pytest.fixture(scope='module')
def undisturbed(quick, tmp_path_factory) -> Config:
    """A run that was left alone."""
    cfg = config('self_training/toy_dacs', tmp_path_factory.mktemp('undisturbed'))
    train(cfg)
    return cfg


def assert_nothing_is_lost(cfg: Config, undisturbed: Config) -> None:
    folder, whole = Path(cfg.work_dir), Path(undisturbed.work_dir)
    assert_same_run(folder, whole)
    assert sorted(path.name for path in folder.glob('*.pth')) == sorted(path.name for path in whole.glob('*.pth'))
    assert not list(folder.glob('.*.partial'))


@pytest.mark.parametrize('moment', MOMENTS)
def test_killed_at_a_moment(undisturbed, tmp_path, moment):
    cfg = Config(dict(undisturbed._cfg_dict.to_dict(), work_dir=str(tmp_path / 'work')))

    def run_and_die() -> None:
        owner, name, call = MOMENTS[moment]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(owner, name, tiny_ptl.die_at(call, getattr(owner, name)))
            train(cfg)

    assert tiny_ptl.wait(tiny_ptl.fork(run_and_die)) == -signal.SIGKILL
    assert tiny_ptl.wait(tiny_ptl.fork(lambda: train(cfg, resume=True))) == 0
    assert_nothing_is_lost(cfg, undisturbed)


@pytest.mark.slow
def test_killed_at_thirty_random_moments(undisturbed, tmp_path):
    draws, kills, late = random.Random(0), 0, 0
    for run in itertools.count():
        cfg, status = Config(dict(undisturbed._cfg_dict.to_dict(), work_dir=str(tmp_path / str(run)))), None
        while status != 0:
            pid = tiny_ptl.fork(lambda cfg=cfg: train(cfg, resume=True))
            if kills < 30:
                tiny_ptl.kill_after(pid, draws.uniform(0, 1.5))
            status = tiny_ptl.wait(pid)
            assert status in (0, -signal.SIGKILL)
            kills += status == -signal.SIGKILL
            late += status == -signal.SIGKILL and any(Path(cfg.work_dir).glob('iter_*.pth'))
        assert_nothing_is_lost(cfg, undisturbed)
        if kills >= 30:
            break
    assert 5 < late < 30  # not all while it starts
