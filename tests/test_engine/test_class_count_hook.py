"""Model and data must have as many classes, in training, validation and testing, in one order."""

from pathlib import Path

import pytest
from mmengine.runner import Runner


@pytest.mark.parametrize('num_classes', [1, 3])
@pytest.mark.parametrize('part', ['train', 'val', 'test'])
def test_another_number_is_refused(tiny_config, part, num_classes):
    tiny_config.model.decode_head.num_classes = num_classes
    tiny_config.model.decode_head.out_channels = num_classes
    runner = Runner.from_cfg(tiny_config)
    with pytest.raises(ValueError, match=f'predicts {num_classes} classes, .*{part}_dataloader have 2: dark, light'):
        getattr(runner, part)()


def test_validation_is_looked_at_before_training(tiny_config):
    tiny_config.val_dataloader.dataset.metainfo = dict(classes=('a', 'b', 'c'), palette=[[0, 0, 0]] * 3)
    runner = Runner.from_cfg(tiny_config)
    with pytest.raises(ValueError, match='predicts 2 classes, .*val_dataloader have 3: a, b, c'):
        runner.train()
    assert runner.iter == 0


def test_inside_test_time_augmentation(tiny_config):
    tiny_config.model.decode_head.num_classes = 3
    tiny_config.model = dict(type='SegTTAModel', module=tiny_config.model)
    with pytest.raises(ValueError, match='predicts 3 classes'):
        Runner.from_cfg(tiny_config).test()


def test_another_order_in_validation_is_refused(tiny_config):
    tiny_config.val_dataloader.dataset.metainfo = dict(classes=('light', 'dark'), palette=[[0, 0, 0], [255, 255, 255]])
    with pytest.raises(ValueError, match=r'another order in train_dataloader \(dark, light\) and in val.*light, dark'):
        Runner.from_cfg(tiny_config).train()


def test_other_names_in_validation_are_logged(tiny_config):
    tiny_config.val_dataloader.dataset.metainfo = dict(classes=('night', 'day'), palette=[[0, 0, 0], [255, 255, 255]])
    runner = Runner.from_cfg(tiny_config)
    runner.train()
    assert 'other names in train_dataloader (dark, light)' in next(Path(runner.work_dir).glob('*/*.log')).read_text()
