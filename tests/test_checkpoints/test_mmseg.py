"""Plain MMSeg checkpoints: into our wrappers, and out of them to a process that cannot import mmdass."""

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from mmseg.structures import SegDataSample
from test_daformer import our_model

from mmdass.checkpoints import CheckpointError, load_checkpoint_file
from mmdass.checkpoints.config_text import read_config_text
from mmdass.checkpoints.convert import main
from mmdass.checkpoints.mmseg import convert, export, plain_config
from mmdass.family import is_installed

ROOT = Path(__file__).parents[2]
CONFIG = """
_base_ = ['{root}/configs/_base_/datasets/toy_event.py', '{root}/configs/_base_/schedules/toy.py',
          '{root}/configs/_base_/default_runtime.py', '{root}/configs/_base_/models/segformer_b0.py']
segmentor = _base_.model
segmentor.backbone.update(embed_dims=8, num_layers=[1] * 4, init_cfg=dict(type='Normal', layer='Conv2d'))
segmentor.decode_head.update(in_channels=[8, 16, 40, 64], channels=8, num_classes=11)
model = dict(
    _delete_=True, type='SelfTraining', segmentor=segmentor,
    teacher=dict(modules=['backbone.layers.0', 'decode_head']),
    data_preprocessor=dict(type='DomainPairDataPreprocessor', source=segmentor.pop('data_preprocessor')))
custom_hooks = [dict(type='TeacherUpdateHook')]
"""
STOCK = """
import sys
sys.modules['mmdass'] = None  # importing it is an error
import torch
from mmseg.apis import MMSegInferencer
results = {}
for role, config in dict(student='student.py', teacher=None).items():
    inferencer = MMSegInferencer(config, f'{role}.pth', device='cpu', show_progress=False)
    logits = inferencer(sys.argv[1], return_datasamples=True).seg_logits.data
    results[role] = dict(logits=logits, classes=inferencer.model.dataset_meta['classes'])
torch.save(results, 'out.pt')
"""


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    """A folder with a checkpoint ``iter_0.pth`` as a Runner writes it, and ``image.png``; and the model."""
    folder = tmp_path_factory.mktemp('trained')
    (folder / 'config.py').write_text(CONFIG.format(root=ROOT))
    cfg = Config.fromfile(folder / 'config.py')
    cfg.work_dir = str(folder)
    cfg.train_dataloader.update(num_workers=0, persistent_workers=False)
    runner = Runner.from_cfg(cfg)
    for parameter in runner.model.teacher.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    runner.save_checkpoint(str(folder), 'iter_0.pth', save_optimizer=False, save_param_scheduler=False, by_epoch=False)
    image = np.random.default_rng(0).integers(0, 256, (64, 128, 3), np.uint8)
    cv2.imwrite(str(folder / 'image.png'), image)
    return folder, runner.model.eval()


@torch.no_grad()
def our_logits(model, image: str) -> torch.Tensor:
    pixels = torch.from_numpy(cv2.imread(image)).permute(2, 0, 1)
    size = tuple(pixels.shape[1:])
    sample = SegDataSample(metainfo=dict(img_shape=size, ori_shape=size))
    return model.test_step(dict(inputs=[pixels], data_samples=[sample]))[0].seg_logits.data


@pytest.mark.skipif(not is_installed('onedl-mmsegmentation'), reason='classic MMSeg does not import without mmcv.ops')
def test_stock_inferencer_gives_the_same_logits_without_mmdass(trained, tmp_path, capsys):
    folder, model = trained
    image = str(folder / 'image.png')
    for role in ('student', 'teacher'):
        assert main(['--to', 'mmseg', '--role', role, str(folder / 'iter_0.pth'), str(tmp_path / f'{role}.pth')]) == 0
        printed = capsys.readouterr().out
        assert '  iterations._extra_state' in printed and '0 keys missing' in printed
    (tmp_path / 'teacher.py').unlink()  # the checkpoint holds it too
    subprocess.run([sys.executable, '-c', STOCK, image], check=True, cwd=tmp_path, capture_output=True)
    stock = torch.load(tmp_path / 'out.pt')
    classes = load_checkpoint_file(folder / 'iter_0.pth')['meta']['dataset_meta']['classes']
    for role in ('student', 'teacher'):
        model.predict_role = role
        torch.testing.assert_close(stock[role]['logits'], our_logits(model, image))
        assert list(stock[role]['classes']) == list(classes)


def test_teacher_and_student_are_not_the_same(trained):
    state = load_checkpoint_file(trained[0] / 'iter_0.pth')['state_dict']
    student, teacher = (export(state, role).state_dict for role in ('student', 'teacher'))
    assert student.keys() == teacher.keys()
    shared = [name for name, value in student.items() if value is teacher[name]]
    assert shared and not any(name.startswith(('backbone.layers.0.', 'decode_head.')) for name in shared)


def test_a_plain_checkpoint_becomes_the_student(tmp_path):
    model = our_model()
    plain = model.segmentor.state_dict()
    torch.save(dict(state_dict={f'module.{name}': value for name, value in plain.items()} | {'ema.x': torch.zeros(1)}),
               tmp_path / 'plain.pth')
    assert main(['--from', 'mmseg', str(tmp_path / 'plain.pth'), str(tmp_path / 'ours.pth')]) == 0
    ours = load_checkpoint_file(tmp_path / 'ours.pth')['state_dict']
    missing, unexpected = model.load_state_dict(ours, strict=False)
    assert not unexpected and not any(name.startswith('segmentor.') for name in missing)
    assert export(ours).state_dict.keys() == plain.keys()


def test_san_has_an_image_encoder():
    plain = {'image_encoder.x': torch.zeros(1), 'text_encoder.x': torch.zeros(1), 'decode_head.x': torch.zeros(1)}
    assert export(convert(plain).state_dict).state_dict.keys() == plain.keys()
    cfg = Config(dict(model=dict(type='SelfTraining', segmentor=dict(
        type='MultimodalEncoderDecoder', pretrained='clip.pth', image_encoder=dict(type='VisionTransformer')))))
    assert plain_config(cfg).model == dict(cfg.model.segmentor, pretrained=None)  # the weights are in the checkpoint


def test_parts_of_ours_are_named_with_our_prefix():
    cfg = Config(dict(model=dict(
        type='SelfTraining',
        data_preprocessor=dict(type='DomainPairDataPreprocessor', source=dict(mean=1), target=dict(mean=2)),
        segmentor=dict(type='EncoderDecoder', backbone=dict(type='MixVisionTransformer'),
                       decode_head=dict(type='DAFormerHead')))))
    plain = plain_config(cfg)
    assert plain.custom_imports.imports == ['mmdass']
    assert plain.model.decode_head.type == 'mmdass.DAFormerHead' and plain.model.type == 'EncoderDecoder'
    assert plain.model.data_preprocessor == dict(mean=2)  # test images are the target's
    assert cfg.model.segmentor.decode_head.type == 'DAFormerHead'


@pytest.mark.parametrize('state, message', [
    ({'decode_head.conv_seg.weight': 0}, 'no key begins with segmentor.*a plain MMSeg checkpoint needs no export'),
    ({'unet.weight': 0}, 'no key begins with segmentor'),
    ({'segmentor.backbone.weight': 0}, 'no key begins with teacher.averaged., so it holds no teacher'),
])
def test_a_checkpoint_of_the_wrong_kind_is_not_exported(state, message):
    with pytest.raises(CheckpointError, match=message):
        export(state, 'teacher')


def test_a_checkpoint_of_the_wrong_kind_is_not_taken_in():
    with pytest.raises(CheckpointError, match='no key begins with backbone.*the first is segmentor.backbone.x'):
        convert({'segmentor.backbone.x': 0})


@pytest.mark.parametrize('loader, named', [
    (dict(type='LoadDepth'), r'LoadDepth\(\)'),
    (dict(type='LoadModalityImage', channel=3), r'LoadModalityImage\(channel=3\)')])
def test_images_that_mmseg_cannot_load_are_refused(loader, named):
    init_default_scope('mmdass')
    pipeline = [loader, dict(type='PackSegInputs')]
    cfg = Config(dict(model=dict(type='SelfTraining', segmentor=dict(backbone=dict(type='ViT'))),
                      test_dataloader=dict(dataset=dict(pipeline=pipeline))))
    with pytest.raises(CheckpointError, match=f'go through {named}, which MMSeg does not have'):
        plain_config(cfg)


def test_a_config_without_a_wrapper_and_a_wrong_suffix_are_refused(trained, tmp_path, capsys):
    source = str(trained[0] / 'iter_0.pth')
    (tmp_path / 'plain.py').write_text("model = dict(type='EncoderDecoder')")
    assert main(['--to', 'mmseg', '--config', str(tmp_path / 'plain.py'), source, str(tmp_path / 'out.pth')]) == 1
    assert 'EncoderDecoder, has no segmentor inside' in capsys.readouterr().err
    assert main(['--to', 'mmseg', source, str(tmp_path / 'out.safetensors')]) == 1
    assert 'MMSeg reads .pth files' in capsys.readouterr().err
    (tmp_path / 'event.py').write_text('mine = 1')
    assert main(['--to', 'mmseg', source, str(tmp_path / 'event.pth')]) == 1
    assert 'event.py, where the plain config would go, is another file' in capsys.readouterr().err
    assert (tmp_path / 'event.py').read_text() == 'mine = 1'
    assert sorted(path.name for path in tmp_path.iterdir()) == ['event.py', 'plain.py']


def test_a_config_without_test_data_is_loaded_as_its_training(trained):
    target = dict(pipeline=[dict(type='LoadInfrared', value_range=(0, 9)), dict(type='PackSegInputs')])
    cfg = Config(dict(
        model=dict(type='SelfTraining', segmentor=dict(backbone=dict(type='ViT'))),
        train_dataloader=dict(dataset=dict(type='DomainPairDataset', target=target)),
        test_pipeline=[
            dict(type='LoadImageFromFile'), dict(type='Resize', scale=(64, 32)), dict(type='PackSegInputs')]))
    with pytest.raises(CheckpointError, match='LoadInfrared'):
        plain_config(cfg)
    target['pipeline'][0] = dict(type='LoadModalityImage')
    cfg.train_dataloader.dataset.target = target
    assert [step.type for step in plain_config(cfg).test_pipeline] == ['LoadImageFromFile', 'Resize', 'PackSegInputs']


def test_a_config_in_a_checkpoint_is_not_executed():
    assert read_config_text("a = dict(b=[-1, (2.5, None)], c={'x.y': dict(z=True)})\n").to_dict() == dict(
        a=dict(b=[-1, (2.5, None)], c={'x.y': dict(z=True)}))
    written = Config(dict(keys={'layers.0.2.': dict(lr_mult=10.0)}, mapping={'traffic light': 'pole'}))
    assert 'dict({' in written.pretty_text
    assert read_config_text(written.pretty_text).to_dict() == written.to_dict()
    for text in ("a = __import__('os').getcwd()", 'import os', "a = dict(b=open('x'))", 'a = '):
        with pytest.raises(CheckpointError, match='more than names and values'):
            read_config_text(text)
