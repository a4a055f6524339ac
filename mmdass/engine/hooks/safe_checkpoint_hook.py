"""Checkpoints that a kill, a full disk or a bad write cannot take away."""

from pathlib import Path

from mmengine.dist import is_main_process
from mmengine.hooks import CheckpointHook
from mmengine.runner import Runner

from mmdass.checkpoints import AtomicLocalBackend, CheckpointError
from mmdass.checkpoints.newest import PARTS, find_damage
from mmdass.engine.buffers import share_buffers
from mmdass.registry import HOOKS


class _LaterRemoval(AtomicLocalBackend):
    """Notes what shall be removed."""

    def __init__(self) -> None:
        self.outdated: list[str] = []

    def remove(self, filepath: str) -> None:
        self.outdated.append(filepath)

    rmtree = remove

    def remove_now(self) -> None:
        """Remove what was noted."""
        while self.outdated:
            path = self.outdated.pop()
            super().rmtree(path) if Path(path).is_dir() else super().remove(path)


@HOOKS.register_module()
class SafeCheckpointHook(CheckpointHook):
    """MMEngine's ``CheckpointHook`` in the safe order: write (atomically), read back, and only then delete the old one.

    MMEngine deletes first, the best checkpoint of ``save_best`` too, and does not look at what it wrote.

    Args:
        kwargs: Of ``CheckpointHook``, without ``backend_args``: files go to a local or mounted disk.

    Raises:
        CheckpointError: What was written cannot be read back. Older checkpoints are still there.
    """

    def __init__(self, **kwargs) -> None:
        super().__init__(backend_args=dict(backend='mmdass_atomic'), **kwargs)
        self._prepared = False

    def before_train(self, runner: Runner) -> None:
        """Remove what killed runs have left half-written."""
        chosen = self.out_dir
        super().before_train(runner)
        if self._prepared:  # PTL trains several times, and MMEngine would go a folder deeper each time
            self.out_dir = chosen
        self._prepared = True
        self.file_backend = _LaterRemoval()
        if is_main_process():
            for partial in Path(self.out_dir).glob('.*.pth.*.partial'):
                partial.unlink(missing_ok=True)

    def save_between_iterations(self, runner: Runner) -> None:
        """Save the state after ``runner.iter`` iterations, unless that is done. Not for checkpoints by epoch."""
        if not self.by_epoch and Path(self.last_ckpt or '').name != self.filename_tmpl.format(runner.iter):
            self._save_checkpoint_with_step(runner, runner.iter, dict(epoch=runner.epoch, iter=runner.iter))

    def _save_checkpoint(self, runner: Runner) -> None:
        share_buffers(runner.model)
        super()._save_checkpoint(runner)

    def _save_checkpoint_with_step(self, runner: Runner, step: int, meta: dict) -> None:
        super()._save_checkpoint_with_step(runner, step, meta)
        if is_main_process():
            parts = [part for part in PARTS if part != 'optimizer' or self.save_optimizer]
            damage = Path(self.last_ckpt).is_file() and find_damage(self.last_ckpt, parts)
            if damage:
                raise CheckpointError(f'{self.last_ckpt} was written, but read back it is {damage}. Look at the disk; '
                                      '--resume takes the checkpoint before.')
            self.file_backend.remove_now()
