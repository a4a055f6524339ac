"""Weights that do not fit are refused, by name and number of classes."""

import itertools
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner

from mmdass.checkpoints import load_checkpoint_file


@pytest.fixture
def checkpoint(tiny_config, tmp_path):
    """Weights of the tiny model with three classes instead of two."""
    runner = Runner.from_cfg(tiny_config)
    state_dict = runner.model.state_dict()
    for name in ('weight', 'bias'):
        tensor = state_dict[f'decode_head.conv_seg.{name}']
        state_dict[f'decode_head.conv_seg.{name}'] = torch.cat([tensor, tensor[:1]])
    torch.save(dict(state_dict=state_dict), tmp_path / 'three.pth')
    return tmp_path / 'three.pth'


def load(cfg, path, **options) -> Runner:
    cfg.merge_from_dict({'load_from': str(path), 'experiment_name': f'{cfg.experiment_name}_load', **options})
    runner = Runner.from_cfg(cfg)
    runner.load_or_resume()
    return runner


def test_another_number_of_classes_is_named(tiny_config, checkpoint):
    with pytest.raises(ValueError) as caught:
        load(tiny_config, checkpoint)
    message = str(caught.value)
    assert 'three.pth does not fit the model: it was trained with 3 classes, the model has 2.' in message
    assert 'decode_head.conv_seg.weight: (3, 8, 1, 1) in the file, (2, 8, 1, 1) in the model' in message


def test_the_remedy_in_the_message_works(tiny_config, checkpoint):
    runner = load(tiny_config, checkpoint, **{'default_hooks.compatibility.strict': False})
    weights = load_checkpoint_file(checkpoint)['state_dict']
    assert torch.equal(runner.model.state_dict()['backbone.stem.0.weight'].cpu(), weights['backbone.stem.0.weight'])
    assert len(runner.model.decode_head.conv_seg.weight) == 2


def test_a_file_without_a_common_name_is_refused(tiny_config, tmp_path):
    torch.save({'someone.elses': torch.zeros(1)}, tmp_path / 'other.pth')
    with pytest.raises(ValueError, match="share no weight; the file begins with 'someone.elses'"):
        load(tiny_config, tmp_path / 'other.pth')


def test_a_part_is_enough_to_train_from_and_not_to_test(tiny_config, checkpoint):
    weights = load_checkpoint_file(checkpoint)['state_dict']
    torch.save(dict(state_dict={name: weight for name, weight in weights.items() if 'decode_head' not in name}),
               checkpoint)
    with pytest.raises(ValueError, match='it lacks .* of the weights that predict, .* decode_head'):
        load(tiny_config, checkpoint)
    tiny_config.resume = False
    tiny_config.experiment_name += '_train'
    runner = Runner.from_cfg(tiny_config)
    runner._train_loop = runner.build_train_loop(tiny_config.train_cfg)
    runner.load_or_resume()


def test_prefixes_of_wrappers_are_looked_through(tiny_config, checkpoint):
    weights = load_checkpoint_file(checkpoint)['state_dict']
    fitting = {f'module.{name}': weight[:2] if 'conv_seg' in name else weight for name, weight in weights.items()}
    torch.save(dict(state_dict=fitting), checkpoint)
    tiny_config.model = dict(type='SegTTAModel', module=tiny_config.model)
    load(tiny_config, checkpoint)


# Resuming

@pytest.fixture
def resume(tiny_config):
    """Function of options: resume the run that was trained first with them."""
    Runner.from_cfg(tiny_config).train()
    starts = itertools.count()

    def resume(**options) -> Runner:
        cfg = Config(tiny_config._cfg_dict.to_dict())
        cfg.merge_from_dict({'resume': True, 'experiment_name': f'{cfg.experiment_name}_{next(starts)}', **options})
        runner = Runner.from_cfg(cfg)
        runner.load_or_resume()
        return runner

    return resume


CHANGES = (
    ('model.decode_head.channels', 4, 'model.decode_head.channels was 8, is now 4'),
    ('train_dataloader.dataset.reduce_zero_label', True, 'dataset.reduce_zero_label was null, is now true'),
    ('train_dataloader.batch_size', 4, 'train_dataloader.batch_size was 2, is now 4'),
    ('optim_wrapper.optimizer.lr', 0.1, 'optim_wrapper.optimizer.lr was 0.01, is now 0.1'),
    ('randomness.seed', 1, 'seed was 42, is now 1'),
    ('train_dataloader.dataset.metainfo.classes', ('light', 'dark'), "classes was ('dark', 'light'), is now"))


def test_another_run_is_refused_with_the_difference(resume):
    for option, value, shown in CHANGES:
        with pytest.raises(ValueError, match='is of another run') as caught:
            resume(**{option: value})
        assert shown in str(caught.value)


def test_harmless_changes_pass_and_any_with_force(resume, tmp_path):
    (tmp_path / 'data').rename(tmp_path / 'moved')
    moved = {f'{name}_dataloader.dataset.data_root': str(tmp_path / 'moved') for name in ('train', 'val', 'test')}
    assert resume(**moved, **{
        'train_cfg.max_iters': 5, 'train_cfg.val_interval': 3, 'default_hooks.checkpoint.interval': 5,
        'train_dataloader.num_workers': 1, 'visualizer.vis_backends': []}).iter == 2
    assert resume(**moved, **{
        'optim_wrapper.optimizer.lr': 0.1, 'default_hooks.compatibility.strict': False}).iter == 2


def test_a_config_in_a_checkpoint_is_not_executed(resume, tiny_config, tmp_path):
    path = Path(tiny_config.work_dir, 'iter_2.pth')
    checkpoint = load_checkpoint_file(path)
    checkpoint['meta']['config'] = f'import os\nos.mkdir("{tmp_path}/executed")'
    torch.save(checkpoint, path)
    assert resume().iter == 2
    assert not (tmp_path / 'executed').exists()
