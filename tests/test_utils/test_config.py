import os

import pytest

from mmdass.utils.config import load_config


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
