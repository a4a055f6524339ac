"""What a resumed run needs beyond its checkpoint to be the run that never stopped."""

from itertools import chain, repeat

from mmengine.hooks import Hook
from mmengine.runner import IterBasedTrainLoop, Runner

from mmdass.engine.buffers import share_buffers
from mmdass.registry import HOOKS

_VALIDATED = 'last_validation'


@HOOKS.register_module()
class ExactResumeHook(Hook):
    """Makes up for a validation that the checkpoint was written before, and replays no data.

    MMEngine saves first and validates then, so a run that is killed in between would never log that validation, nor
    would ``save_best`` hear of it. And the classic family loads all samples again that were trained on; samplers with
    ``skip`` (:class:`KeyedSampler`) are placed instead, as the onedl family does by itself. Several ranks validate with
    the same buffers.
    """

    priority = 'LOW'  # after those that prepare a training, before SafeCheckpointHook

    def before_train_epoch(self, runner: Runner) -> None:
        """Place the data and validate, where the loop is MMEngine's."""
        loop = runner.train_loop
        if not isinstance(loop, IterBasedTrainLoop):
            return
        if not hasattr(loop.dataloader_iterator, 'skip_iter') and hasattr(loop.dataloader.sampler, 'skip'):
            loop.dataloader.sampler.skip(loop.iter * loop.dataloader.batch_size)
            loop.dataloader_iterator = chain(repeat(None, loop.iter), iter(loop.dataloader))
        if runner.val_loop is not None and _validation_due(loop) and not is_validated(runner):
            runner.val_loop.run()

    def before_val(self, runner: Runner) -> None:
        """Validate the model that was saved."""
        share_buffers(runner.model)

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Note it, for a checkpoint that is written after it: by ``save_best``, or before a preemption."""
        note_validation(runner)


def note_validation(runner: Runner) -> None:
    """Note, for the next checkpoint, that the present iteration was validated."""
    runner.message_hub.update_info(_VALIDATED, runner.iter)


def is_validated(runner: Runner) -> bool:
    """Whether the present iteration was validated before the checkpoint that the run was resumed from."""
    return runner.message_hub.runtime_info.get(_VALIDATED) == runner.iter


def _validation_due(loop: IterBasedTrainLoop) -> bool:
    """Whether the loop validates after the iterations done; the loop's own rule, but for ``dynamic_intervals``."""
    at_interval = loop.iter % loop.val_interval == 0 or loop.iter == loop.max_iters
    return 0 < loop.iter and loop.val_begin <= loop.iter and at_interval
