"""What was changed in a config between a checkpoint and the run that wants to continue from it."""

import json
from typing import Any

from mmengine.config import Config

from mmdass.utils.recipes import differences

from .config_text import read_config_text

# What makes a run the run it is. (Optimizer and schedules continue as saved: changes there would have no effect.)
_DECISIVE = (
    'model', 'train_dataloader', 'source_dataset', 'translator', 'train_cfg', 'optim_wrapper', 'param_scheduler')
# And within these: where files lie, how the work is done, when it is looked at or ends, and what tests alone use.
_HARMLESS = {
    'data_root', 'pretrained', 'init_cfg', 'teacher_config', 'teacher_checkpoint', 'cache_dir', 'statistics',
    'num_workers', 'persistent_workers', 'pin_memory', 'prefetch_factor', 'with_cp', 'max_broken',
    'max_iters', 'val_interval', 'val_begin', 'clip_grad', 'test_cfg', 'predict_role', 'backend_args',
    'translate_batch_size', 'chunk',
}


def decisive_changes(text: str, config: Config) -> list[str]:
    """Why a run would become another one: 'model.decode_head.num_classes was 19, is now 11'.

    Args:
        text: The config in the checkpoint, as MMEngine writes it. Nothing in it is executed.
        config: The run's.

    Raises:
        CheckpointError: The text holds more than names and values.
    """
    before, now = ({key: _plain(cfg.get(key)) for key in _DECISIVE} for cfg in (read_config_text(text), config))
    return list(differences(before, now))


def _plain(value: Any) -> Any:
    """What JSON can hold, without what is harmless."""
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items() if key not in _HARMLESS}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    return json.loads(json.dumps(value, default=str))
