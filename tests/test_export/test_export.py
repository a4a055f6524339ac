import json

import numpy as np
import pytest
import torch
from mmengine.config import Config, ConfigDict
from mmengine.registry import init_default_scope
from mmseg.structures import SegDataSample
from tiny_madm import madm_cfg, tiny_backbone
from torch import nn

from mmdass.apis.load_segmentor import load_segmentor
from mmdass.cli import main
from mmdass.export import DeployableSegmentor, ExportError, command, export_segmentor, formats
from mmdass.models.utils.finite_check import FiniteCheck
from mmdass.registry import MODELS

NORM = dict(type='BN')
SEGMENTOR = dict(
    type='EncoderDecoder',
    data_preprocessor=dict(
        type='SegDataPreProcessor', mean=[120.0, 115.0, 100.0], std=[58.0, 57.0, 56.0], bgr_to_rgb=True, size=(64, 96),
        pad_val=0, seg_pad_val=255, test_cfg=dict(size_divisor=16)),
    backbone=dict(type='ResNetV1c', depth=18, stem_channels=4, base_channels=4, norm_cfg=NORM),
    decode_head=dict(
        type='FCNHead', in_channels=32, in_index=3, channels=4, num_convs=1, concat_input=False, num_classes=3,
        norm_cfg=NORM),
    test_cfg=dict(mode='whole'))  # fmt: skip
META = dict(classes=('road', 'sky', 'car'), palette=[[128, 64, 128], [70, 130, 180], [0, 0, 142]])


def _save(folder, model):
    """Config and checkpoint of a model with random weights."""
    config, checkpoint = folder / 'config.py', folder / 'model.pth'
    Config(dict(default_scope='mmdass', model=model)).dump(config)
    torch.manual_seed(0)
    built = MODELS.build(model)
    nn.init.normal_((built.segmentor if hasattr(built, 'segmentor') else built).decode_head.conv_seg.weight)
    torch.save(dict(state_dict=built.state_dict(), meta=dict(dataset_meta=META)), checkpoint)
    return config, checkpoint


@pytest.fixture(autouse=True)
def scope():
    init_default_scope('mmdass')


@pytest.fixture
def saved(tmp_path):
    return _save(tmp_path, SEGMENTOR)


def _model(**preprocessor):
    cfg = SEGMENTOR | dict(data_preprocessor=SEGMENTOR['data_preprocessor'] | preprocessor)
    torch.manual_seed(3)
    model = MODELS.build(ConfigDict(cfg)).eval()
    # Features hardly vary, unless pixels keep their range.
    nn.init.normal_(model.decode_head.conv_seg.weight, std=300.0 if cfg['data_preprocessor']['mean'] else 3.0)
    return model


@pytest.mark.parametrize('preprocessor', [
    dict(), dict(bgr_to_rgb=False), dict(mean=None, std=None), dict(test_cfg=None)], ids=str)
def test_the_module_does_what_testing_does(preprocessor):
    model = _model(**preprocessor)
    pictures = formats.random_pictures(2, 32, 48)
    inputs = [picture.permute(2, 0, 1).flip(0) for picture in pictures]  # BGR, as MMSeg loads
    meta = dict(img_shape=(32, 48), ori_shape=(32, 48))
    expected = model.test_step(dict(inputs=inputs, data_samples=[SegDataSample(metainfo=meta) for _ in inputs]))
    labels, confidence = DeployableSegmentor(model)(pictures)
    assert confidence.std() > 5e-3
    for sample, label, sure in zip(expected, labels, confidence, strict=True):
        assert label.equal(sample.pred_sem_seg.data[0].byte())
        torch.testing.assert_close(sure, sample.seg_logits.data.softmax(0).amax(0), atol=1e-4, rtol=0)


def test_who_predicts_is_exported(tmp_path):
    wrapped = dict(
        type='SelfTraining', segmentor=SEGMENTOR, pseudo_labeler=dict(type='ConfidencePseudoLabeler', threshold=0.9))
    config, checkpoint = _save(tmp_path, wrapped)
    model = load_segmentor(config, checkpoint)
    model.teacher.segmentor.decode_head.conv_seg.bias.data[2] = 100.0
    pictures = formats.random_pictures(1, 32, 64)
    student, _ = DeployableSegmentor(model)(pictures)
    model.predict_role = 'teacher'
    teacher, _ = DeployableSegmentor(model)(pictures)
    assert (teacher == 2).all() and not (student == 2).all()


def test_a_model_of_several_adapters_is_exported_for_one(tmp_path, monkeypatch):
    model = madm_cfg()
    model.segmentor.backbone.lora = dict(rank=2, modalities=['depth', 'event'])
    files, seen = _save(tmp_path, model), []
    monkeypatch.setattr(command, 'trace', lambda model, size: seen.append(model.segmentor.backbone.adapter))
    with pytest.raises(ValueError, match='adapters for depth, event: set `--modality`'):
        export_segmentor(*files, tmp_path / 'madm.pt2')
    with pytest.raises(TypeError):  # nothing was traced
        export_segmentor(*files, tmp_path / 'madm.pt2', modality='event')
    assert seen == ['event']


def test_onnx_runs_without_pytorch_at_any_batch_and_size(saved, tmp_path, capsys):
    onnxruntime = pytest.importorskip('onnxruntime')
    pytest.importorskip('onnxscript')
    out = tmp_path / 'new/model.onnx'
    assert main(['export', *map(str, saved), '--out', str(out)]) == 0
    printed = capsys.readouterr().out
    assert 'takes any batch and size' in printed and 'onnxruntime' in printed and ' ms' in printed
    session = onnxruntime.InferenceSession(str(out))
    properties = session.get_modelmeta().custom_metadata_map
    assert json.loads(properties['classes']) == list(META['classes'])
    assert json.loads(properties['palette']) == META['palette'] and 'uint8 RGB' in properties['images']
    pictures = formats.random_pictures(3, 80, 112)
    labels, confidence = session.run(None, {'images': pictures.numpy()})
    expected, sure = DeployableSegmentor(load_segmentor(*saved))(pictures)
    assert labels.dtype == np.uint8 and (labels == expected.numpy()).all()
    np.testing.assert_allclose(confidence, sure.numpy(), atol=1e-5)


def test_pt2_is_loaded_by_pytorch_alone(saved, tmp_path):
    out = tmp_path / 'model.pt2'
    assert 'takes any batch and size' in export_segmentor(*saved, out, size=(64, 112))
    extra = {'metadata.json': ''}
    program = torch.export.load(out, extra_files=extra)
    assert json.loads(json.loads(extra['metadata.json'])['classes']) == list(META['classes'])
    pictures = formats.random_pictures(1, 96, 80)
    expected, _ = DeployableSegmentor(load_segmentor(*saved))(pictures)
    assert program.module()(pictures)[0].equal(expected)


class _Noisy(nn.Module):
    """The noise of a diffusion backbone, alone."""

    def __init__(self):
        super().__init__()
        self.noise_like = MODELS.build(tiny_backbone(noise_resize='draw'))._noise_like

    def forward(self, images):
        return images[..., 0], images[..., 0] + self.noise_like(images.permute(0, 3, 1, 2))[:, 0]


def test_the_noise_of_a_size_is_in_the_file_and_not_drawn_by_it(tmp_path):
    model, pictures = _Noisy(), formats.random_pictures(2, 32, 48)
    program, freedom, _ = formats.trace(model, (32, 48))
    formats.write_pt2(program, tmp_path / 'noise.pt2', {})
    exported = formats.read_pt2(tmp_path / 'noise.pt2')
    assert freedom == 'any batch of one size'
    for _ in range(2):
        assert exported(pictures)[1].equal(model(pictures)[1])


@pytest.mark.slow
def test_a_diffusion_backbone_is_exported_whole(tmp_path):
    cfg = madm_cfg()
    cfg.segmentor.backbone.noise_resize = 'draw'
    # 8 x 16 latents, but the model's noise is of 8 x 8.
    said = export_segmentor(*_save(tmp_path, cfg), tmp_path / 'model.pt2', size=(64, 128))
    assert 'takes any batch of one size' in said


class _FixedSize(nn.Module):
    """Its Python code asks for the size."""

    def forward(self, images):
        if images.shape[1] != 32:
            raise ValueError('32 only')
        return images[..., 0], images.float().mean(-1)


class _Branching(nn.Module):
    """Its Python code asks for a value."""

    def forward(self, images):
        return (images[..., 0] if images.sum() > 5 else images[..., 1]), images.float().mean(-1)


def test_what_a_model_does_not_allow_is_fixed_and_said():
    program, freedom, reasons = formats.trace(_FixedSize(), (32, 48))
    assert freedom == 'any batch of one size' and reasons[0].startswith('any batch and size: ')
    shapes = [tuple(pictures.shape[:3]) for pictures in formats.example_pictures(freedom, (32, 48))]
    assert shapes == [(2, 32, 48), (3, 32, 48)]
    program.module()(formats.random_pictures(5, 32, 48))


def test_the_finite_check_of_a_diffusion_backbone_does_not_stop_a_trace():
    class Checked(nn.Module):
        def forward(self, images):
            FiniteCheck('the test')(images.float())
            return images[..., 0], images.float().mean(-1)

    assert formats.trace(Checked(), (32, 48))[1] == 'any batch and size'


def test_what_cannot_be_traced_is_a_sentence():
    with pytest.raises(ExportError, match='torch.export cannot trace this model'):
        formats.trace(_Branching(), (32, 48))


def test_a_file_that_does_otherwise_is_removed(saved, tmp_path, monkeypatch, capsys):
    def read(path):
        return lambda pictures: (pictures[..., 0], torch.zeros(pictures.shape[:3]))

    monkeypatch.setitem(formats.FORMATS, '.pt2', (formats.write_pt2, read))
    assert main(['export', *map(str, saved), '--out', str(tmp_path / 'model.pt2')]) == 1
    assert 'does not do as the model does' in capsys.readouterr().err
    assert not (tmp_path / 'model.pt2').exists()


@pytest.mark.parametrize(('wrong', 'tolerable'), [
    (lambda labels, confidence: (labels, confidence + 1e-5), True),
    (lambda labels, confidence: (labels ^ 1, confidence), False),
    (lambda labels, confidence: (labels, confidence + 0.1), False),
    (lambda labels, confidence: (labels, confidence * float('nan')), False)])
def test_what_is_rounding_and_what_is_not(wrong, tolerable):
    def segment(pictures):
        return pictures[..., 0], pictures[..., 1] / 255

    pictures = formats.random_pictures(2, 32, 48)
    assert command.compare(segment, lambda pictures: wrong(*segment(pictures)), pictures).tolerable is tolerable


@pytest.mark.parametrize(('change', 'message'), [
    (dict(data_preprocessor=SEGMENTOR['data_preprocessor'] | dict(size=None, size_divisor=16)), '--size'),
    (dict(decode_head=SEGMENTOR['decode_head'] | dict(num_classes=2, out_channels=1, threshold=0.3)), 'out_channels'),
])
def test_models_that_are_refused(tmp_path, change, message, capsys):
    saved = _save(tmp_path, SEGMENTOR | change)
    assert main(['export', *map(str, saved), '--out', str(tmp_path / 'model.pt2')]) == 1
    assert message in capsys.readouterr().err


def test_a_size_that_the_model_does_not_take_is_a_sentence(saved, tmp_path, capsys):
    assert main(['export', *map(str, saved), '--out', str(tmp_path / 'model.pt2'), '--size', '60', '96']) == 1
    assert '16 must divide' in capsys.readouterr().err


def test_a_role_of_a_plain_model_is_refused(saved, tmp_path, capsys):
    assert main(['export', *map(str, saved), '--out', str(tmp_path / 'm.pt2'), '--role', 'teacher']) == 1
    assert 'leave out --role' in capsys.readouterr().err


def test_another_checkpoint_is_a_sentence(saved, tmp_path, capsys):
    torch.save(dict(state_dict=dict(weight=torch.zeros(1))), saved[1])
    assert main(['export', *map(str, saved), '--out', str(tmp_path / 'model.pt2')]) == 1
    assert 'does not fit the model' in capsys.readouterr().err


def test_an_unknown_format_is_refused_before_anything_is_loaded(tmp_path):
    with pytest.raises(SystemExit):
        main(['export', 'no.py', 'no.pth', '--out', str(tmp_path / 'model.engine')])


def test_onnx_without_its_packages_is_a_sentence(monkeypatch, capsys):
    monkeypatch.setattr(command, 'find_spec', lambda name: None)
    assert main(['export', 'no.py', 'no.pth', '--out', 'model.onnx']) == 1
    assert "pip install 'mmdass[export]'" in capsys.readouterr().err
