"""Several modalities in one model, by a real Runner: together, resumed, and one after the other."""

from pathlib import Path

import torch
from mmengine.runner import Runner
from test_shipped import ROOT, shrink

from mmdass.utils.config import load_config


def train(config: str, folder: Path, max_iters: int, options: dict | None = None) -> dict[str, torch.Tensor]:
    """Train a toy config; returns the weights of its last checkpoint."""
    cfg = shrink(load_config(ROOT / f'configs/madm/{config}.py', options), folder)
    cfg.train_cfg.update(max_iters=max_iters, val_interval=100)
    cfg.default_hooks.checkpoint.max_keep_ckpts = -1
    cfg.experiment_name = f'{folder.name}_{max_iters}_{bool(options)}'
    Runner.from_cfg(cfg).train()
    return torch.load(folder / f'iter_{max_iters}.pth', weights_only=True)['state_dict']


def adapters(weights: dict, modality: str) -> dict[str, torch.Tensor]:
    return {name: value for name, value in weights.items() if name.startswith('segmentor.') and f'.{modality}.' in name}


def changed(before: dict, after: dict) -> set[str]:
    return {name for name, value in before.items() if not torch.equal(value, after[name])}


def test_together_and_resumed(tmp_path):
    whole = train('toy_multi_modality_lora', tmp_path / 'whole', 4)  # each of the four images once
    first = torch.load(tmp_path / 'whole/iter_1.pth', weights_only=True)['state_dict']
    for modality in ('depth', 'event'):
        assert changed(adapters(first, modality), adapters(whole, modality))
    assert not any('.base_layer.' in name or '.vae.' in name for name in whole)
    options = dict(resume=True, load_from=str(tmp_path / 'whole/iter_1.pth'))
    resumed = train('toy_multi_modality_lora', tmp_path / 'resumed', 4, options)
    torch.testing.assert_close(resumed, whole, rtol=0, atol=0)


def test_one_after_the_other_keeps_the_first_bit_for_bit(tmp_path):
    first = train('toy_event_lora', tmp_path / 'first', 1)
    options = {
        'load_from': str(tmp_path / 'first/iter_1.pth'),
        'model.segmentor.backbone.lora.modalities': ['event', 'depth'],
        'model.segmentor.backbone.lora.frozen': ['event'],
        'train_dataloader.dataset.target.modality': 'depth'}
    second = train('toy_event_lora', tmp_path / 'second', 2, options)
    assert len(adapters(first, 'event')) == len(adapters(second, 'depth')) > 0
    assert not changed(adapters(first, 'event'), second)
    assert any(value.any() for name, value in adapters(second, 'depth').items() if 'lora_B' in name)
