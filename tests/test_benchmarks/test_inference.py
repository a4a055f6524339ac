import json

import pytest
import torch
from mmengine.config import Config
from tiny_madm import madm_cfg

from mmdass.benchmarks import inference, main
from mmdass.registry import MODELS


@pytest.fixture
def madm_file(tmp_path):
    Config(dict(default_scope='mmdass', model=madm_cfg())).dump(tmp_path / 'madm.py')
    return tmp_path / 'madm.py'


def run(*arguments) -> dict:
    path = arguments[0].with_name('figures.json')
    argv = ['--size', '64', '128', '--repeats', '3', '--device', 'cpu', '--json', str(path)]
    assert main(['inference', *map(str, arguments), *argv]) == 0
    return json.loads(path.read_text())


def test_whole_and_by_windows_with_random_weights(madm_file, monkeypatch, capsys):
    sizes = []
    predict = inference.UntrainedInferencer._predict
    monkeypatch.setattr(inference.UntrainedInferencer, '_predict', lambda self, images, samples: (
        sizes.append(tuple(images.shape)), predict(self, images, samples))[1])
    result = run(madm_file, '--batch-size', '2')
    assert sizes == [(2, 3, 64, 64)] * 5 * 3 + [(2, 3, 64, 128)] * 5  # two to warm up, three timed; three windows
    assert result['benchmark'] == 'inference' and '--batch-size 2' in result['command']
    figures = result['figures']
    assert (figures['size'], figures['window'], figures['overlap']) == ([64, 128], [64, 64], 16)
    printed = capsys.readouterr().out
    for name in ('windows', 'whole'):
        measured = figures[name]
        assert measured['images_per_second'] * measured['seconds_per_image'] == pytest.approx(1)
        assert measured['peak_memory_mib'] > 0 and name in printed


def test_a_stock_segmentor_with_its_checkpoint(tiny_config_file, tiny_config):
    checkpoint = tiny_config_file.with_name('stock.pth')
    torch.save(dict(state_dict=MODELS.build(dict(tiny_config.model, _scope_='mmseg')).state_dict()), checkpoint)
    assert run(tiny_config_file, checkpoint)['figures']['whole']['seconds_per_image'] > 0
