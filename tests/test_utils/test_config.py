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


@pytest.mark.parametrize(('option', 'place'), [('size=3', 'train_cfg.size'), ('space=b', 'model.0.space')])
def test_a_variable_that_comes_too_late_is_warned_of(tmp_path, capsys, option, place):
    path = tmp_path / 'config.py'
    path.write_text(
        "size, space = 1, 'a'\ntrain_cfg = dict(size=size)\nmodel = [dict(space=space)]\nother = dict(size=1)\n")
    name, value = option.split('=')
    load_config(path, {name: int(value) if value.isdigit() else value})
    warned = capsys.readouterr().out.strip()
    assert f'`{option}` comes too late' in warned and warned.endswith(f'it: {place}.')
    load_config(path, {'train_cfg.size': 3, 'model.0.space': 'b', 'load_from': 'a.pth'})
    assert 'too late' not in capsys.readouterr().out


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
