import os

import pytest

from mmdass.utils.config import load_config
from mmdass.utils.paths import shipped_folder


@pytest.fixture
def config(tmp_path, monkeypatch):
    monkeypatch.delenv('ROOT', raising=False)
    (tmp_path / 'base.py').write_text(
        "root = '{{$ROOT:data/a/}}'\ntrain = dict(root=root, size=1)\nval = dict(root=root)\n")
    path = tmp_path / 'child.py'
    path.write_text("_base_ = './base.py'\ntest = dict(root=_base_.root)\n")
    return path


def roots(cfg):
    return [cfg.root, cfg.train.root, cfg.val.root, cfg.test.root]


def test_default_environment_and_option(config, monkeypatch):
    assert roots(load_config(config)) == ['data/a/'] * 4
    assert roots(load_config(config, {'root': 'b/', 'train.size': 2})) == ['b/'] * 4
    monkeypatch.setenv('ROOT', 'c/')
    assert roots(load_config(config)) == ['c/'] * 4
    assert roots(load_config(config, dict(root='b/'))) == ['b/'] * 4
    assert os.environ['ROOT'] == 'c/'


def test_other_options_are_merged_as_usual(config):
    cfg = load_config(config, {'train.size': 2, 'val.root': 'only here'})
    assert cfg.train.size == 2 and roots(cfg) == ['data/a/', 'data/a/', 'only here', 'data/a/']


def test_a_config_that_the_package_carries(tmp_path):
    name = 'mmdass::madm/custom_infrared.py'
    shipped = load_config(shipped_folder('configs') / 'madm/custom_infrared.py').to_dict()
    assert load_config(name).to_dict() == shipped
    assert load_config(name, dict(target_root='mine/')).train_dataloader.dataset.target.data_root == 'mine/'
    (tmp_path / 'mine.py').write_text(f"_base_ = '{name}'\nrandomness = dict(seed=7)\n")
    mine = load_config(tmp_path / 'mine.py')
    assert mine.randomness.seed == 7 and mine.model.type == 'MADM'


def test_a_config_that_no_package_carries():
    with pytest.raises(FileNotFoundError, match='configs/madm/evnt.py'):
        load_config('mmdass::madm/evnt.py')
