"""Both scopes, each with a real Runner: plain names under 'mmdass', prefixed ones under 'mmseg'."""

import mmengine.registry
import mmseg.registry
import pytest
from mmengine.config import Config
from mmengine.registry import MODELS as ROOT_MODELS
from mmengine.registry import Registry
from mmengine.runner import Runner
from mmseg.registry import MODELS as MMSEG_MODELS

from mmdass import registry
from mmdass.engine import AutocastOptimWrapper, CheckpointCompatibilityHook, KeyedRandomnessHook

PREFIXED_HOOKS = dict(
    checkpoint=dict(type='CheckpointHook', by_epoch=False, interval=1),
    logger=dict(type='LoggerHook', interval=1, log_metric_by_epoch=False),
    randomness=dict(type='mmdass.KeyedRandomnessHook'),
    compatibility=dict(type='mmdass.CheckpointCompatibilityHook'))


def plain_names(cfg: Config) -> None:
    cfg.optim_wrapper.type = 'AutocastOptimWrapper'


def prefixed_names(cfg: Config) -> None:
    cfg.default_scope = 'mmseg'
    cfg.custom_imports = dict(imports=['mmdass'])
    cfg.optim_wrapper.type = 'mmdass.AutocastOptimWrapper'
    cfg.visualizer.type = 'mmdass.DomainVisualizer'
    cfg.default_hooks = PREFIXED_HOOKS


@pytest.mark.parametrize('spell', [plain_names, prefixed_names])
def test_trains_in_both_scopes(tiny_config, spell):
    spell(tiny_config)
    runner = Runner.from_cfg(tiny_config)
    runner.train()
    assert runner.iter == 2
    assert isinstance(runner.optim_wrapper, AutocastOptimWrapper)
    assert {KeyedRandomnessHook, CheckpointCompatibilityHook} <= {type(hook) for hook in runner.hooks}


def test_every_registry_of_mmengine_has_a_child():
    roots = {name for name, node in vars(mmengine.registry).items() if isinstance(node, Registry)}
    ours = {name: node for name, node in vars(registry).items() if isinstance(node, Registry)}
    assert set(ours) == roots
    for name, node in ours.items():
        assert node.parent is getattr(mmseg.registry, name, getattr(mmengine.registry, name))


@pytest.mark.parametrize('name', ['DATASETS', 'MODELS', 'HOOKS', 'METRICS', 'VISUALIZERS'])
def test_locations_can_be_imported(name):
    assert getattr(registry, name).get('NoSuchName') is None


def test_names_resolve_upwards_and_by_prefix():
    assert registry.MODELS.get('EncoderDecoder') is MMSEG_MODELS.get('EncoderDecoder')
    assert ROOT_MODELS.get('mmseg.EncoderDecoder') is MMSEG_MODELS.get('EncoderDecoder')
    assert registry.HOOKS.parent.get('mmdass.KeyedRandomnessHook') is KeyedRandomnessHook
