"""A run that is asked to leave saves what it has and says so by its exit code."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import tiny_ptl
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmdass.checkpoints import load_checkpoint_file
from mmdass.engine.hooks import PreemptionHook
from mmdass.utils.compat import prepare_cpu_distributed

ROOT = Path(__file__).parents[2]


class SignalHook(Hook):
    """Sends this process (or with ``group`` its data workers too) a signal in some method's ``call``-th call."""

    def __init__(self, method: str, call: int, number: int = signal.SIGTERM, group: bool = False) -> None:
        def send(*args, **kwargs) -> None:
            self.calls += 1
            if self.calls == call and group:  # from another process, as launchers do
                subprocess.run(['kill', f'-{int(number)}', '--', f'-{os.getpgid(0)}'], check=False)
            elif self.calls == call:
                os.kill(os.getpid(), number)

        self.calls = 0
        setattr(self, method, send)


@pytest.fixture
def cfg(tiny_config) -> Config:
    tiny_config.train_cfg.update(max_iters=4, val_interval=2)
    tiny_config.default_hooks.checkpoint.update(interval=10)
    return tiny_config


@pytest.fixture(autouse=True)
def restore_handlers():
    """A run that leaves usually ends its process."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGUSR1)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def train(cfg: Config, *hooks: Hook) -> Runner:
    runner = Runner.from_cfg(cfg)
    for hook in hooks:
        runner.register_hook(hook)
    runner.train()
    return runner


def check_leaves(cfg: Config, iterations: int, *hooks: Hook) -> None:
    """The run leaves after some iterations, saved, with the code for trying again."""
    with pytest.raises(SystemExit) as left:
        train(cfg, *hooks)
    assert left.value.code == 75
    checkpoints = list(Path(cfg.work_dir).glob('iter_*.pth'))
    assert [load_checkpoint_file(path)['meta']['iter'] for path in checkpoints] == [iterations]


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Configs laid out for readers in each checkpoint would take most of a run's time."""
    monkeypatch.setattr(Config, 'pretty_text', property(lambda self: ''))


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGUSR1])
def test_the_iteration_is_finished_first(cfg, number):
    check_leaves(cfg, 1, SignalHook('before_train_iter', 1, number))


def test_in_a_validation_too(cfg):
    check_leaves(cfg, 2, SignalHook('before_val_iter', 2))


def test_in_a_validation_of_averages_the_raw_weights_are_saved(cfg):
    cfg.custom_hooks = [dict(type='EMAHook', momentum=0.5)]
    cfg.default_hooks.checkpoint.interval = 2
    train(cfg)  # saves after two iterations, before it validates
    undisturbed = load_checkpoint_file(Path(cfg.work_dir, 'iter_2.pth'))
    cfg.default_hooks.checkpoint.interval, cfg.work_dir = 10, f'{cfg.work_dir}_stopped'
    cfg.experiment_name += '_stopped'
    check_leaves(cfg, 2, SignalHook('before_val_iter', 2))
    saved = load_checkpoint_file(Path(cfg.work_dir, 'iter_2.pth'))
    for part in ('state_dict', 'ema_state_dict'):
        for name, weight in undisturbed[part].items():
            torch.testing.assert_close(saved[part][name], weight, rtol=0, atol=0, msg=f'{part} {name}')


def test_not_with_half_a_gradient(cfg):
    cfg.optim_wrapper.accumulative_counts = 3
    check_leaves(cfg, 3, SignalHook('before_train_iter', 1))


def test_what_is_saved_already_is_not_saved_again(cfg, monkeypatch):
    cfg.default_hooks.checkpoint.interval = 1
    saved = []
    monkeypatch.setattr(Runner, 'save_checkpoint', lambda self, folder, name, *_, **__: saved.append(name))
    with pytest.raises(SystemExit):
        train(cfg, SignalHook('before_train_iter', 1))
    assert saved == ['iter_1.pth']


def test_a_run_that_is_over_handles_signals_as_before(cfg):
    before = signal.getsignal(signal.SIGTERM)
    train(cfg)
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_run_that_leaves_is_deaf(cfg):
    """Launchers send another signal when the first rank is gone."""
    check_leaves(cfg, 1, SignalHook('before_train_iter', 1))
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN


def in_processes(*bodies: Callable[[], object]) -> list[int]:
    """Exit codes of forked processes."""
    return [tiny_ptl.wait(pid) for pid in [tiny_ptl.fork(body) for body in bodies]]


def test_data_workers_survive_the_signal(cfg):
    """torchrun and Slurm send it to all processes of a rank."""
    cfg.train_dataloader.num_workers = 1

    def body() -> None:
        os.setpgid(0, 0)
        check_leaves(cfg, 2, SignalHook('before_train_iter', 2, group=True))
        raise SystemExit(75)

    assert in_processes(body) == [75]


def test_what_is_caught_for_a_data_worker_reaches_a_run_of_its_own():
    """In a process forked within a run, as data workers are, that trains itself, either thread may get a signal."""
    hook = PreemptionHook()
    hook.before_run(None)

    def body() -> None:
        heard = []
        signal.signal(signal.SIGTERM, lambda *_: heard.append(True))
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
        signal.pthread_kill(threading.enumerate()[-1].ident, signal.SIGTERM)
        patience = time.monotonic() + 30
        while not heard and time.monotonic() < patience:
            time.sleep(0.01)
        raise SystemExit(75 if heard else 1)

    try:
        assert in_processes(body) == [75]
    finally:
        hook.after_run(None)


def test_data_workers_end_with_their_process(tiny_config_file):
    """Multiprocessing ends those that still wait for work by SIGTERM, and then waits for them."""
    tiny_config_file.write_text(tiny_config_file.read_text().replace(
        'batch_size=2, num_workers=0', 'batch_size=2, num_workers=1, persistent_workers=True'))
    subprocess.run([sys.executable, ROOT / 'tools/train.py', tiny_config_file], check=True, timeout=300)


def test_all_ranks_leave_after_the_same_iteration(cfg, tmp_path):
    """Though one of them alone was asked."""
    cfg.launcher = 'pytorch'

    def rank(number: int) -> None:
        os.environ.update(RANK=str(number), LOCAL_RANK=str(number), WORLD_SIZE='2')
        torch.distributed.init_process_group(
            'gloo', init_method=f'file://{tmp_path}/rendezvous', rank=number, world_size=2)
        prepare_cpu_distributed(cfg)
        train(cfg, *[SignalHook('before_train_iter', 2)] * number)

    assert in_processes(lambda: rank(0), lambda: rank(1)) == [75, 75]
    assert load_checkpoint_file(Path(cfg.work_dir, 'iter_2.pth'))['meta']['iter'] == 2
