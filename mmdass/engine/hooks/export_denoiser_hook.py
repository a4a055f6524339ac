"""Turns a trained denoiser into a folder that diffusers and our translator read."""

from pathlib import Path

from mmengine.dist import master_only
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmdass.engine.unwrap import trained_model
from mmdass.registry import HOOKS


@HOOKS.register_module()
class ExportDenoiserHook(Hook):
    """Writes a ``Denoiser`` to ``WORK_DIR/denoiser`` when the training ends: its average where an EMAHook keeps one."""

    @master_only
    def after_train(self, runner: Runner) -> None:
        """Export."""
        trained_model(runner).export(Path(runner.work_dir, 'denoiser'))
