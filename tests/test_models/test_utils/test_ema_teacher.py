import copy

import pytest
import torch
from mmcv.cnn.bricks.drop import DropPath
from mmengine.model import revert_sync_batchnorm
from torch import nn

from mmdass.models import EMATeacher


class Segmentor(nn.Module):
    """A live part, a nested averaged part and a head with everything that has a training mode."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = nn.ModuleDict(dict(unet=nn.Linear(2, 2), conditioning=nn.Linear(2, 2)))
        self.head = nn.Sequential(
            nn.BatchNorm2d(2), nn.Dropout(0.5), nn.Dropout2d(0.5), DropPath(0.5), nn.Conv2d(2, 2, 1))


MODULES = ('head', 'backbone.conditioning')


@pytest.fixture
def student() -> Segmentor:
    torch.manual_seed(0)
    return Segmentor()


def move(module: nn.Module, value: float = 1.0) -> None:
    """A step of an optimizer."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter += value


def test_alpha_warms_up(student):
    """alpha_k = min(1 - 1 / (k + 1), 0.999): 1/2, 2/3, 3/4, ..., 0.999 from step 999 on."""
    teacher = EMATeacher(student, MODULES)
    ours, theirs = teacher.segmentor.head[4].weight, student.head[4].weight
    alphas = {}
    for step in range(1, 1003):
        ours.zero_()
        theirs.data.fill_(1.0)
        teacher.update()
        assert teacher.steps.value == step
        alphas[step] = 1 - ours.flatten()[0].item()
    expected = {1: 0.5, 2: 2 / 3, 3: 0.75, 9: 0.9, 998: 1 - 1 / 999, 999: 0.999, 1000: 0.999, 1002: 0.999}
    for step, alpha in expected.items():
        assert alphas[step] == pytest.approx(alpha, abs=2e-7)


def test_averages_the_named_modules_and_shares_the_rest(student):
    teacher = EMATeacher(student, MODULES)
    live = teacher.segmentor
    assert live.backbone.unet is student.backbone.unet
    assert live.head is not student.head and live.backbone.conditioning is not student.backbone.conditioning
    before = live.head[4].weight.clone()
    move(student)
    teacher.update()
    torch.testing.assert_close(teacher.segmentor.head[4].weight, before + 0.5)
    torch.testing.assert_close(student.head[4].weight, before + 1)
    assert student.head is not teacher.segmentor.head  # the student is as it was
    assert type(live) is Segmentor and live is not student


def test_all_modules(student):
    teacher = EMATeacher(student)
    move(student)
    teacher.update()
    names = [name for name, _ in student.named_parameters()]
    assert [name for name, _ in teacher.segmentor.named_parameters()] == names
    torch.testing.assert_close(teacher.segmentor.backbone.unet.weight, student.backbone.unet.weight - 0.5)


def test_state_dict_holds_the_averaged_modules_and_the_count(student):
    model = nn.ModuleDict(dict(segmentor=student, teacher=EMATeacher(student, MODULES)))
    names = [name for name in model.state_dict() if name.startswith('teacher')]
    assert {name.split('.')[2] for name in names if 'averaged' in name} == {'head', 'backbone_conditioning'}
    assert [name for name in names if 'averaged' not in name] == ['teacher.steps._extra_state']
    assert not any(p.requires_grad for p in model['teacher'].parameters())
    assert len(list(model.parameters())) == 8 + 6  # none twice, none lost


def test_a_fresh_teacher_is_armed_as_a_copy_and_a_resumed_one_is_not_touched(student):
    teacher = EMATeacher(student, MODULES)
    assert not teacher.armed
    move(student)  # weights loaded after construction
    student.head[0].running_mean.fill_(3.0)
    teacher.arm()
    assert teacher.armed
    torch.testing.assert_close(teacher.segmentor.head.state_dict(), student.head.state_dict())
    teacher.update()
    resumed = EMATeacher(student, MODULES)
    resumed.load_state_dict(teacher.state_dict())
    move(student)
    resumed.arm()
    assert resumed.steps.value == 1
    torch.testing.assert_close(resumed.segmentor.head.state_dict(), teacher.segmentor.head.state_dict())
    resumed.arm(begins=True)  # `load_from`: another training, and another teacher
    assert resumed.steps.value == 0
    torch.testing.assert_close(resumed.segmentor.head.state_dict(), student.head.state_dict())


@pytest.mark.parametrize('average_buffers', [False, True])
def test_buffers(student, average_buffers):
    teacher = EMATeacher(student, MODULES, average_buffers=average_buffers)
    student.head[0].running_mean.fill_(1.0)
    student.head[0].num_batches_tracked.fill_(7)
    teacher.update()
    norm = teacher.segmentor.head[0]
    assert norm.running_mean.tolist() == ([0.5, 0.5] if average_buffers else [0, 0])
    assert norm.num_batches_tracked == (7 if average_buffers else 0)


@pytest.mark.parametrize(('mode', 'dropout', 'norm_trains', 'dropout_trains'), [
    ('train', True, True, True), ('train', False, True, False), ('eval', True, False, False)])
def test_training_mode(student, mode, dropout, norm_trains, dropout_trains):
    model = nn.ModuleDict(dict(
        segmentor=student, teacher=EMATeacher(student, MODULES, mode=mode, dropout=dropout, average_buffers=True)))

    def modes() -> tuple[bool, set[bool]]:
        norm, *dropouts, _ = model['teacher'].segmentor.head
        return norm.training, {module.training for module in dropouts}

    assert modes() == (norm_trains, {dropout_trains})  # from the start
    model.eval()
    assert modes() == (False, {False})
    model.train()
    assert modes() == (norm_trains, {dropout_trains})
    assert all(module.training for module in student.modules())


def test_running_statistics_that_nothing_updates_are_refused(student):
    with pytest.raises(ValueError, match='average_buffers=True'):
        EMATeacher(student, MODULES, mode='eval')
    EMATeacher(student, ['backbone.conditioning'], mode='eval')


def test_wrong_options_are_refused(student):
    with pytest.raises(ValueError, match="'backbone.conditionin'.*did you mean 'backbone.conditioning'"):
        EMATeacher(student, ['head', 'backbone.conditionin'])
    with pytest.raises(ValueError, match="'train' or 'eval', not 'test'"):
        EMATeacher(student, mode='test')


def test_follows_what_is_replaced_and_moved(student):
    student.head[0] = nn.SyncBatchNorm(2)
    model = nn.ModuleDict(dict(segmentor=student, teacher=EMATeacher(student, MODULES)))
    model = revert_sync_batchnorm(model)
    student.backbone['unet'] = nn.Linear(2, 3)  # as an adapter or torch.compile does
    model.to(torch.float64)
    teacher = model['teacher']
    assert not isinstance(teacher.segmentor.head[0], nn.SyncBatchNorm)
    assert teacher.segmentor.backbone.unet is student.backbone.unet
    move(student)
    teacher.update()
    assert teacher.segmentor.head[4].weight.dtype == torch.float64
    torch.testing.assert_close(teacher.segmentor.head[4].weight, student.head[4].weight - 0.5)
    teacher.segmentor.head(torch.zeros(2, 2, 4, 4, dtype=torch.float64))


def test_a_deep_copy_has_a_student_of_its_own(student):
    model = nn.ModuleDict(dict(segmentor=student, teacher=EMATeacher(student, MODULES)))
    clone = copy.deepcopy(model)
    assert clone['teacher'].segmentor.backbone.unet is clone['segmentor'].backbone.unet
    move(clone['segmentor'])
    clone['teacher'].update()
    assert model['teacher'].steps.value == 0
    torch.testing.assert_close(model['teacher'].segmentor.head.state_dict(), student.head.state_dict())
