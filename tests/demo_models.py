"""Models of the toy world with random weights, as `mmdass demo` takes them: a config and a checkpoint each."""

from pathlib import Path

import torch
from mmengine.registry import init_default_scope

from mmdass.registry import MODELS
from mmdass.utils.config import load_config

CONFIGS = Path(__file__).parents[1] / 'configs'


def write_madm(folder: Path) -> tuple[str, str]:
    """`toy_event.py` whose head has opinions, so that what it says depends on what it sees."""
    config, checkpoint = str(CONFIGS / 'madm/toy_event.py'), str(folder / 'madm.pth')
    return config, _write(config, checkpoint)


def write_plain(folder: Path) -> tuple[str, str]:
    """A segmentor without diffusion."""
    config, checkpoint = str(CONFIGS / 'sgg_ptl/toy.py'), str(folder / 'plain.pth')
    return config, _write(config, checkpoint)


def write_translator(folder: Path) -> str:
    """`sgg_ptl/toy.py` in four steps."""
    config = folder / 'translate.py'
    config.write_text(f"_base_ = ['{CONFIGS}/sgg_ptl/toy.py']\ntranslator = dict(num_steps=4)\n")
    return str(config)


def _write(config: str, checkpoint: str) -> str:
    init_default_scope('mmdass')
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        model = MODELS.build(load_config(config).model)
        for name, value in model.named_parameters():
            if 'conv_seg' in name:
                torch.nn.init.normal_(value, std=0.5)
    torch.save(dict(state_dict=model.state_dict(), meta={}), checkpoint)
    return checkpoint
