"""Takes the segmentor out of a wrapper when its training ends."""

from pathlib import Path

from mmengine.dist import master_only
from mmengine.hooks import Hook
from mmengine.runner import Runner, weights_to_cpu

from mmdass.checkpoints.convert import find_dataset_meta
from mmdass.checkpoints.mmseg import plain_config, write_plain
from mmdass.engine.unwrap import unwrap_model
from mmdass.registry import HOOKS


@HOOKS.register_module()
class ExportSegmentorHook(Hook):
    """Writes a plain MMSeg checkpoint and config, ``WORK_DIR/segmentor.pth`` and ``.py``: of who predicts.

    ``mmdass convert --to mmseg`` does the same to any checkpoint.

    Raises:
        CheckpointError: before the training, if its config cannot be written for MMSeg.
    """

    def before_train(self, runner: Runner) -> None:
        """Try what the end will need."""
        plain_config(runner.cfg)

    @master_only
    def after_train(self, runner: Runner) -> None:
        """Export."""
        weights = weights_to_cpu(unwrap_model(runner.model).predictor.state_dict())
        dataset_meta = getattr(runner.train_dataloader.dataset, 'metainfo', None)
        meta = find_dataset_meta(dict(meta=dict(dataset_meta=dataset_meta)))
        write_plain(Path(runner.work_dir, 'segmentor.pth'), weights, runner.cfg, meta)
