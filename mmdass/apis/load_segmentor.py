"""A trained segmentor from its config and checkpoint."""

from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner.checkpoint import CheckpointLoader
from mmseg.models.segmentors import BaseSegmentor

from mmdass.checkpoints.convert import find_dataset_meta
from mmdass.checkpoints.loader import CheckpointError
from mmdass.datasets.label_space import LabelSpace
from mmdass.registry import MODELS
from mmdass.utils.config import load_config

_OF_TRAINING = ('iterations.', 'teacher.steps.', 'terms.')
"""What no prediction needs, and what `mmdass convert` does not find in other code bases' checkpoints."""


def load_segmentor(
    config: str | Path | Config, checkpoint: str | Path, device: str | torch.device = 'cpu'
) -> BaseSegmentor:
    """Build a config's model, ours or MMSeg's, with a checkpoint's weights: frozen, and in eval mode.

    The checkpoint is a file, or an address that MMEngine loads from.

    MMSeg's ``init_model`` sets arguments that only its own segmentors have, and lets missing weights pass. Here only
    what training alone needs may be missing: counts of iterations, and what further losses hold.

    Returns:
        The segmentor; ``dataset_meta`` holds the classes and palette that the checkpoint names, or is None.

    Raises:
        CheckpointError: The checkpoint is damaged, or its weights are another model's.
    """
    cfg = config if isinstance(config, Config) else load_config(config)
    init_default_scope(cfg.get('default_scope', 'mmseg'))
    segmentor = MODELS.build(cfg.model)
    loaded = CheckpointLoader.load_checkpoint(str(checkpoint), map_location='cpu', logger='silent')
    try:
        missing, unexpected = segmentor.load_state_dict(loaded.get('state_dict', loaded), strict=False)
    except RuntimeError as error:
        raise _misfit(cfg, checkpoint, str(error)) from error
    missing = [name for name in missing if not name.startswith(_OF_TRAINING)]
    if missing or unexpected:
        raise _misfit(cfg, checkpoint, '; '.join(
            f'{len(names)} weights are {what}, the first is {names[0]}'
            for what, names in (('missing', missing), ('not of the model', unexpected)) if names))
    segmentor.dataset_meta = find_dataset_meta(loaded).get('dataset_meta')
    return segmentor.requires_grad_(False).to(device).eval()


def config_metainfo(cfg: Config) -> dict:
    """The classes that a config tests, and their palette, as MMSeg's data sets carry them; {} if it names none."""
    dataset = (cfg.get('test_dataloader') or {}).get('dataset') or {}
    space = dataset.get('label_space') or cfg.get('label_space')
    return LabelSpace.get(space).metainfo if space else dict(dataset.get('metainfo') or {})


def _misfit(cfg: Config, checkpoint: str | Path, reason: str) -> CheckpointError:
    return CheckpointError(f'{checkpoint} does not fit the model of {cfg.filename or "the config"}: {reason}')
