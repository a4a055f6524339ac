"""The schedule's numbers are those of the released code (spec 2.1)."""

from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.optim import LinearLR, MultiStepLR, build_optim_wrapper
from mmengine.registry import PARAM_SCHEDULERS, DefaultScope
from torch import nn

from mmdass.engine import AutocastOptimWrapper

SCHEDULE = Path(__file__).parents[2] / 'configs/_base_/schedules/madm_10k.py'


@pytest.fixture
def cfg() -> Config:
    return Config.fromfile(SCHEDULE)


@pytest.fixture
def optim_wrapper(cfg) -> AutocastOptimWrapper:
    with DefaultScope.overwrite_default_scope('mmdass'):
        return build_optim_wrapper(nn.Sequential(nn.Linear(2, 2), nn.GroupNorm(1, 2)), cfg.optim_wrapper)


def test_learning_rate(cfg, optim_wrapper):
    steered = dict(optimizer=optim_wrapper)
    schedulers = [PARAM_SCHEDULERS.build(item, default_args=steered) for item in cfg.param_scheduler]
    assert [type(scheduler) for scheduler in schedulers] == [LinearLR, MultiStepLR]
    factors = []
    for _ in range(cfg.train_cfg.max_iters):
        factors.append(optim_wrapper.param_groups[0]['lr'] / 5e-6)
        for scheduler in schedulers:
            scheduler.step()
    assert factors[0] == pytest.approx(0.067)
    for iteration in (1, 14, 26):  # linear over 27.1 iterations in the released code; 27 here
        assert factors[iteration] == pytest.approx(0.067 + 0.933 * iteration / 27.1, abs=5e-3)
    assert factors[27] == pytest.approx(1)
    assert [factors[iteration] for iteration in (8888, 8889, 9629, 9630, 9999)] == pytest.approx([1, .1, .1, .01, .01])


def test_norms_and_biases_do_not_decay(optim_wrapper):
    decays = [group['weight_decay'] for group in optim_wrapper.param_groups if group['params']]
    assert decays == [0.05, 0, 0, 0]  # weight and bias of the linear layer, of the norm
    assert {group['lr'] for group in optim_wrapper.param_groups} == {5e-6}
