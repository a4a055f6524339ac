"""A run that the scheduler wants out of the way saves itself and asks to be run again."""

import os
import signal
import threading

import torch
from mmengine.hooks import EMAHook, Hook
from mmengine.hooks.hook import DATA_BATCH
from mmengine.runner import Runner
from torch import distributed

from mmdass.registry import HOOKS

from .safe_checkpoint_hook import SafeCheckpointHook

SIGNALS = (signal.SIGTERM, signal.SIGUSR1)


@HOOKS.register_module()
class PreemptionHook(Hook):
    """On SIGTERM or SIGUSR1 (Slurm's ``--signal=USR1@120``): finish the iteration, save, leave with an exit code.

    All ranks leave after the same iteration, if only one of them was asked. In the midst of a validation each leaves
    after its batch; the resumed run validates anew. Translating a stage, a run leaves at once: nothing needs saving.

    Args:
        exit_code: 75 is "temporary failure, try again" (EX_TEMPFAIL of sysexits.h); ``tools/slurm_train.sh`` requeues
            on it. Grid Engine requeues on 99.
    """

    priority = 'HIGHEST'  # before others begin an iteration that will not take place

    def __init__(self, exit_code: int = 75) -> None:
        self.exit_code = exit_code
        self._asked: signal.Signals | None = None
        self._training = False
        self._before: dict = {}
        self._group = None

    def before_run(self, runner: Runner) -> None:
        """Listen, in this process alone: torchrun and Slurm signal the data workers too, which must not die of it."""
        if threading.current_thread() is threading.main_thread():  # where Python handles signals
            signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)  # if forked within another run
            self._before = {number: signal.signal(number, self._ask) for number in SIGNALS}
            os.register_at_fork(after_in_child=self._shield)
        if distributed.is_initialized():
            self._group = distributed.new_group(backend='gloo')  # no synchronisation with a GPU

    def after_run(self, runner: Runner) -> None:
        """Listen no more."""
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}

    def before_train(self, runner: Runner) -> None:
        """From here on there is something to save."""
        self._training = True

    def after_train(self, runner: Runner) -> None:
        """From here on there is not."""
        self._training = False
        if self._any_asked():
            self._leave()

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: DATA_BATCH = None) -> None:
        """Leave if any rank was asked to, but not with a gradient half accumulated."""
        if _has_stepped(runner) and self._any_asked():
            self._save(runner)
            if self._group is not None:
                distributed.barrier(self._group)  # when the first is gone, launchers end the others
            self._leave()

    def before_val(self, runner: Runner) -> None:
        """The same."""
        if self._training:
            self.before_train_iter(runner, batch_idx=0)

    def after_val_iter(
        self, runner: Runner, batch_idx: int, data_batch: DATA_BATCH = None, outputs: list | None = None
    ) -> None:
        """Leave if asked to; ranks may have different numbers of batches, so they do not ask each other."""
        if self._asked and self._training and _has_stepped(runner):
            for hook in runner.hooks:
                if isinstance(hook, EMAHook):  # which has its averages validated, and takes saved weights for the raw
                    hook.after_val_epoch(runner)
            self._save(runner)
            self._leave()

    def _ask(self, number: int, frame: object) -> None:
        self._asked = signal.Signals(number)
        if not self._training:
            self._leave()

    def _any_asked(self) -> bool:
        if self._group is None:
            return self._asked is not None
        asked = torch.tensor(int(self._asked is not None))
        distributed.all_reduce(asked, distributed.ReduceOp.MAX, group=self._group)
        return bool(asked)

    def _save(self, runner: Runner) -> None:
        for hook in runner.hooks:
            if isinstance(hook, SafeCheckpointHook):
                hook.save_between_iterations(runner)
        name = self._asked.name if self._asked else 'a signal to another rank'
        runner.logger.warning(f'Stopped after iteration {runner.iter} because of {name}; exit code {self.exit_code}. '
                              'Continue with --resume.')

    def _leave(self) -> None:
        for number in self._before:  # launchers send another one to who is still about to leave
            signal.signal(number, signal.SIG_IGN)
        self._before = {}
        raise SystemExit(self.exit_code)

    def _shield(self) -> None:
        if self._before and hasattr(signal, 'sigwaitinfo'):  # not on macOS
            signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
            threading.Thread(target=_heed_parent_alone, daemon=True).start()


def _heed_parent_alone() -> None:
    """End this data worker when its own process asks for it, as multiprocessing does on leaving.

    Others' signals go to the main thread. A data worker's blocks them; that of a process that was forked within another
    run and trains itself does not, and must not miss what this thread caught in its place.
    """
    while (caught := signal.sigwaitinfo(SIGNALS)).si_pid != os.getppid():
        signal.pthread_kill(threading.main_thread().ident, caught.si_signo)
    os._exit(0)


def _has_stepped(runner: Runner) -> bool:
    """Whether no gradient is half accumulated, which a checkpoint would not hold. (DeepSpeed's wrapper cannot say.)"""
    return getattr(runner.optim_wrapper, 'should_update', lambda: True)()
