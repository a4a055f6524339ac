"""MMEngine's strategies: the configs name what exists; a FlexibleRunner trains where it can without a GPU."""

import pytest
from mmengine.config import Config
from mmengine.registry import FUNCTIONS, MODEL_WRAPPERS, OPTIM_WRAPPERS, STRATEGIES
from tiny_madm import CONFIGS

from mmdass.apis.launch import build_runner
from mmdass.checkpoints import load_checkpoint_file

DEEPSPEED = 'DeepSpeedOptimWrapper'  # registered where MMEngine finds the package
STRATEGY_FILES = sorted((CONFIGS.parent / '_base_/strategies').glob('*.py'))


@pytest.mark.parametrize('file', STRATEGY_FILES, ids=lambda file: file.stem)
def test_strategies_go_on_top_of_a_training_and_name_what_mmengine_has(file, tmp_path):
    usage = [line.removeprefix('#   ') for line in file.read_text().splitlines() if line.startswith('#   ')]
    (tmp_path / 'config.py').write_text('\n'.join(usage).replace("'../", f"'{CONFIGS.parent}/"))
    cfg = Config.fromfile(tmp_path / 'config.py')
    assert cfg.runner_type == 'FlexibleRunner' and cfg.model and cfg.train_dataloader
    assert STRATEGIES.get(cfg.strategy.type)
    optim_wrapper = cfg.optim_wrapper.get('type', 'OptimWrapper')
    assert optim_wrapper == 'AutocastOptimWrapper' or optim_wrapper in (*OPTIM_WRAPPERS.module_dict, DEEPSPEED)
    assert cfg.optim_wrapper.optimizer.type == 'AdamW'
    wrapper = cfg.strategy.get('model_wrapper')
    assert wrapper is None or MODEL_WRAPPERS.get(wrapper.type)
    policy = (wrapper or {}).get('auto_wrap_policy')
    assert policy is None or FUNCTIONS.get(policy.type)


def test_there_are_three():
    assert [file.stem for file in STRATEGY_FILES] == ['ddp', 'deepspeed', 'fsdp']


def test_a_flexible_runner_trains_with_our_hooks(tiny_config, tmp_path):
    tiny_config.merge_from_dict(dict(runner_type='FlexibleRunner', strategy=dict(type='SingleDeviceStrategy')))
    runner = build_runner(tiny_config)
    runner.train()
    assert type(runner).__name__ == 'FlexibleRunner'
    assert load_checkpoint_file(tmp_path / 'work/iter_2.pth')['meta']['iter'] == 2
