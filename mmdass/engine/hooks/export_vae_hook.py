"""Turns a trained VAE into a folder that diffusers and our backbone read."""

from itertools import islice
from pathlib import Path

from mmengine.dist import master_only
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmdass.engine.unwrap import trained_model
from mmdass.registry import HOOKS


@HOOKS.register_module()
class ExportVAEHook(Hook):
    """Writes the VAE of an ``AutoencoderTrainer`` to ``WORK_DIR/vae`` when the training ends: its average with EMAHook.

    Args:
        num_batches: Batches whose latents decide the scaling factor.
    """

    def __init__(self, num_batches: int = 16) -> None:
        self.num_batches = num_batches

    @master_only
    def after_train(self, runner: Runner) -> None:
        """Export."""
        model = trained_model(runner)
        batches = islice(runner.train_loop.dataloader, self.num_batches)
        model.export((model.data_preprocessor(batch)['inputs'] for batch in batches), str(Path(runner.work_dir, 'vae')))
