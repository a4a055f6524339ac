import json

import pytest
from tiny_translator import UNET, both_hooks, make_images, make_segmentor, make_translator

from mmdass.benchmarks import translate as benchmark
from mmdass.benchmarks.translate import main

CONFIG = f"""
num_classes = 11
translator = dict(type='DiffusionTranslator', num_steps=3, denoiser=dict(type='Denoiser', unet={UNET}),
                  sgg_hooks=[dict(type='GlobalSceneGuidanceHook', scale=1.0)])
model = dict(
    type='EncoderDecoder',
    data_preprocessor=dict(type='SegDataPreProcessor'),
    backbone=dict(type='ResNetV1c', depth=18, stem_channels=4, base_channels=4, num_stages=1, strides=(1,),
                  dilations=(1,), out_indices=(0,), norm_cfg=dict(type='BN')),
    decode_head=dict(type='FCNHead', in_channels=4, in_index=0, channels=4, num_convs=1, concat_input=False,
                     num_classes=11, norm_cfg=dict(type='BN')))
source_dataset = dict(type='ToyStreetDataset', num_images=3, size=(32, 16),
                      pipeline=[dict(type='RenderToyScene'), dict(type='PackSegInputs')])
"""


@pytest.fixture
def config(tmp_path):
    path = tmp_path / 'config.py'
    path.write_text(CONFIG)
    return path


def test_both_forms_of_lcg_and_each_profile_on_the_same_images(config, tmp_path, capsys, monkeypatch):
    judge = make_segmentor(classes=11)
    monkeypatch.setattr(benchmark, 'load_segmentor', lambda *args, **kwargs: judge)
    status = main([
        str(config), '--images', '3', '--batch-size', '2', '--lcg-steps', '1', '--profiles', 'debug', 'fast',
        '--judge', 'judge.py', 'judge.pth', '--json', str(tmp_path / 'figures.json'),
        '--cfg-options', 'translator.num_steps=2'])
    assert status == 0
    figures = json.loads((tmp_path / 'figures.json').read_text())['figures']
    assert (figures['images'], figures['size']) == (3, [16, 32])
    lcg = figures['lcg']
    assert lcg['seconds'].keys() == {'unguided', 'literal', 'one batch'} and min(lcg['seconds'].values()) > 0
    assert lcg['float64_difference'] < 1e-12
    assert list(figures['profiles']) == ['debug', 'fast']
    for profile in figures['profiles'].values():
        low, high = profile['consistency']['interval']
        assert low <= profile['consistency']['mIoU'] <= high
        assert profile['steps'] == 2 and profile['seconds_per_image'] > 0 and profile['cpu_seconds_per_image'] > 0
        assert profile['tflop_per_image'] > 0
    assert 'in float64' in capsys.readouterr().out


def test_noise_of_any_size_and_a_random_denoiser(config, tmp_path):
    main([str(config), '--images', '2', '--size', '8', '32', '--lcg-steps', '0', '--profiles', 'fast',
          '--random-init', 'tiny', '--json', str(tmp_path / 'f.json'), '--cfg-options', 'translator.num_steps=1'])
    figures = json.loads((tmp_path / 'f.json').read_text())['figures']
    assert figures['size'] == [8, 32] and 'lcg' not in figures
    assert 'consistency' not in figures['profiles']['fast']


def test_operations_are_those_of_the_chain(monkeypatch):
    """A U-Net pass each step; a forward and a backward pass for each class and for the scene each pair of steps."""
    flops = iter([10, 3])
    monkeypatch.setattr(benchmark, '_flop', lambda call: next(flops))
    images, labels, ids = make_images(2)
    translator = make_translator(both_hooks(), num_steps=8)
    regions = sum(len(label.unique()) - 1 for label in labels)
    expected = (2 * 10 + 2 * 3 * (regions + 2) / 2) * 4 / 1e12
    assert benchmark.count_tflop(translator, (images, labels, ids)) == pytest.approx(expected)
