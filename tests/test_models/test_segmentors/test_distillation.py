"""Distillation from a teacher's config and checkpoint."""

import pytest
import torch
from mmengine.config import Config, ConfigDict
from mmengine.registry import DefaultScope
from mmengine.runner import Runner
from tiny_madm import CONFIGS, madm_cfg, make_batch, total_loss

from mmdass.checkpoints import CheckpointError, load_checkpoint_file
from mmdass.datasets.label_space import LabelSpace
from mmdass.models import Distillation
from mmdass.registry import MODELS
from mmdass.utils.config import load_config

from .test_self_training import FCN, SEGFORMER

CLASSES = LabelSpace.get('madm9').classes
MEAN, STD = torch.tensor([100., 110., 120.]), torch.tensor([50., 60., 70.])


@pytest.fixture
def teacher(tmp_path):
    """Writes a model's config and checkpoint; returns their paths as arguments of ``Distillation``."""

    def write(model: dict, classes=CLASSES, scope: str = 'mmdass') -> dict:
        Config(dict(model=model, default_scope=scope)).dump(tmp_path / 'teacher.py')
        torch.manual_seed(0)
        weights = MODELS.build(ConfigDict(model)).state_dict()
        meta = {} if classes is None else dict(dataset_meta=dict(classes=classes))
        torch.save(dict(meta=meta, state_dict=weights), tmp_path / 'teacher.pth')
        return dict(teacher_config=str(tmp_path / 'teacher.py'), teacher_checkpoint=str(tmp_path / 'teacher.pth'))

    return write


def student(options: dict, segmentor: dict = SEGFORMER, **kwargs) -> Distillation:
    cfg = dict(type='Distillation', segmentor=segmentor, label_space='madm9') | options | kwargs
    torch.manual_seed(1)
    return MODELS.build(ConfigDict(cfg)).train()


def test_losses_by_hand(teacher):
    """Teacher and student normalise in ways of their own."""
    preprocessor = dict(type='SegDataPreProcessor', mean=MEAN.tolist(), std=STD.tolist())
    model = student(teacher(FCN), SEGFORMER | dict(data_preprocessor=preprocessor), soft_weight=0.5, hard_weight=3.0)
    model.segmentor.decode_head.dropout = None
    model.panels_wanted = True
    images = make_batch()[0]['target']
    pictures = (images * STD[:, None, None] + MEAN[:, None, None]) / 127.5 - 1
    model.threshold = model.guide(pictures).softmax(1).amax(1).median().item()
    result = model.loss(images, [])
    assert set(result) == {'target.decode.loss_ce', 'target.decode.acc_seg', 'target.decode.loss_soft',
                           'pseudo/confident'} and model.iteration == 1

    torch.testing.assert_close(model.panels['target/image'], pictures)
    logits = model.guide(model.panels['target/image'])
    confidence, label = logits.softmax(1).max(1)
    assert result['pseudo/confident'] == (confidence >= model.threshold).float().mean()
    assert 0.1 < result['pseudo/confident'] < 0.9
    label[confidence < model.threshold] = 255
    ours = model.segmentor.decode_head(model.segmentor.backbone(images))
    hard = torch.nn.functional.cross_entropy(
        torch.nn.functional.interpolate(ours, (64, 64), mode='bilinear'), label, ignore_index=255, reduction='none')
    torch.testing.assert_close(result['target.decode.loss_ce'], 3 * hard.mean())
    small = torch.nn.functional.interpolate(logits, (16, 16), mode='bilinear')
    p, q = (small / 2).softmax(1), (ours / 2).softmax(1)
    soft = 4 * (p * (p / q).log()).sum(1).mean()
    torch.testing.assert_close(result['target.decode.loss_soft'], 0.5 * soft)
    assert torch.equal(model.panels['target/pseudo_label'], label)

    total_loss(result).backward()
    assert all(p.grad is not None for p in model.segmentor.parameters())
    assert all(p.grad is None and not p.requires_grad for p in model.guide.parameters())


def test_a_student_that_agrees_has_no_soft_loss(teacher):
    model = student(teacher(FCN), FCN)
    logits = torch.randn(2, 9, 16, 16)
    assert model._soft_loss(logits, logits) == pytest.approx(0, abs=1e-6)
    assert model._soft_loss(logits, logits.flip(1)) > 0


def test_the_source_is_a_second_branch(teacher):
    """A student with auxiliary heads, and MADM as the teacher."""
    model = student(teacher(madm_cfg('infrared')), FCN)
    assert set(model.loss(*make_batch())) == {
        f'{branch}.{name}' for branch in ('source', 'target')
        for name in ('decode.loss_ce', 'decode.acc_seg', 'aux.loss_ce', 'aux.acc_seg')
    } | {'target.decode.loss_soft', 'pseudo/confident'}


@pytest.mark.parametrize('role', ['student', 'teacher'])
def test_who_teaches(teacher, role):
    uda = dict(type='SelfTraining', segmentor=FCN)
    model = student(teacher(uda), teacher_role=role)
    state = load_checkpoint_file(teacher(uda)['teacher_checkpoint'])['state_dict']
    prefix = dict(student='segmentor.', teacher='teacher.averaged.segmentor.')[role]
    own = model.guide.segmentor.state_dict()
    assert all(torch.equal(own[name.removeprefix(prefix)], value) for name, value in state.items()
               if name.startswith(prefix))


def test_a_teacher_of_several_modalities(teacher):
    madm = madm_cfg('event')
    madm.segmentor.backbone.lora = dict(rank=2, modalities=['depth', 'event'])
    files = teacher(madm, LabelSpace.get('madm11').classes) | dict(label_space='madm11')
    eleven = dict(SEGFORMER, decode_head=dict(SEGFORMER['decode_head'], num_classes=11))
    with pytest.raises(ValueError, match='adapters for depth, event: set `teacher_modality`'):
        student(files, eleven)
    with pytest.raises(ValueError, match="no adapter for teacher_modality='rgb'; it has: depth, event"):
        student(files, eleven, teacher_modality='rgb')
    model = student(files, eleven, teacher_modality='event')
    assert model.guide.segmentor.backbone.adapter == 'event'
    model.loss(make_batch()[0]['target'], [])


def test_the_teacher_is_in_no_checkpoint_but_goes_along(teacher):
    model = student(teacher(FCN))
    assert all(name.startswith(('segmentor.', 'iterations.')) for name in model.state_dict())
    assert not model.guide.segmentor.training
    model.double()
    assert all(p.dtype == torch.float64 for p in model.guide.parameters())


def test_a_teacher_of_another_scope_leaves_ours(teacher):
    before = DefaultScope.get_current_instance().scope_name
    student(teacher(FCN, scope='mmseg'))
    assert DefaultScope.get_current_instance().scope_name == before == 'mmdass'


def test_another_label_space_is_refused(teacher):
    with pytest.raises(ValueError, match='knows the classes road, .*, but the student shall learn .*label space'):
        student(teacher(FCN, classes=['road', *CLASSES[1:-1], 'boat']))
    files = teacher(FCN, classes=None)
    Config(dict(model=FCN, default_scope='mmdass', label_space=dict(classes=[*CLASSES[1:], CLASSES[0]]))).dump(
        files['teacher_config'])
    with pytest.raises(ValueError, match='knows the classes'):  # by its config
        student(files)
    with pytest.raises(ValueError, match='has 7 classes, but the student shall learn 9: '):
        seven = dict(FCN['decode_head'], num_classes=7), dict(FCN['auxiliary_head'], num_classes=7)
        student(teacher(FCN | dict(zip(('decode_head', 'auxiliary_head'), seven, strict=True)), classes=None))
    with pytest.raises(ValueError, match='the student has 9 classes, its label space 11'):
        eleven = dict(FCN['decode_head'], num_classes=11), dict(FCN['auxiliary_head'], num_classes=11)
        cfg = FCN | dict(zip(('decode_head', 'auxiliary_head'), eleven, strict=True))
        student(teacher(cfg, classes=None), label_space='madm11')


def test_what_cannot_teach_or_learn_is_refused(teacher):
    with pytest.raises(CheckpointError, match='does not fit the model'):
        files = teacher(FCN)
        files['teacher_checkpoint'] = teacher(SEGFORMER)['teacher_checkpoint']
        Config(dict(model=FCN, default_scope='mmdass')).dump(files['teacher_config'])
        student(files)
    head = dict(type='DDRHead', in_channels=64, channels=8, num_classes=9, loss_decode=[
        dict(type='CrossEntropyLoss'), dict(type='CrossEntropyLoss')])
    with pytest.raises(TypeError, match='DDRHead has a loss of its own'):
        student(teacher(FCN), FCN | dict(decode_head=head))


def test_the_shipped_toy_ends_with_a_plain_checkpoint(teacher, tmp_path):
    """Two iterations of a real Runner, taught by a MADM in its own configuration."""
    madm = madm_cfg('event')
    files = teacher(madm, LabelSpace.get('madm11').classes)
    cfg = load_config(CONFIGS.parent / 'distill/toy_segformer_b0.py', files)
    cfg.work_dir = str(tmp_path / 'work')
    cfg.train_cfg.update(max_iters=2, val_interval=5)
    cfg.val_dataloader = cfg.val_evaluator = cfg.val_cfg = None
    cfg.param_scheduler = None
    cfg.model.segmentor.backbone.update(embed_dims=8, num_layers=[1] * 4)
    cfg.model.segmentor.decode_head.update(in_channels=[8, 16, 40, 64], channels=8)
    cfg.train_dataloader.update(num_workers=0, persistent_workers=False)
    runner = Runner.from_cfg(cfg)
    runner.train()
    exported = load_checkpoint_file(tmp_path / 'work/segmentor.pth')
    plain = Config.fromfile(tmp_path / 'work/segmentor.py')
    assert 'custom_imports' not in plain and plain.default_scope == 'mmseg'
    segmentor = MODELS.build(plain.model)
    segmentor.load_state_dict(exported['state_dict'])
    torch.testing.assert_close(segmentor.state_dict(), runner.model.segmentor.state_dict())
    assert tuple(exported['meta']['dataset_meta']['classes']) == LabelSpace.get('madm11').classes
