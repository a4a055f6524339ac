import pytest
from mmengine.hooks import Hook

from mmdass.engine import TeacherStudentValLoop

LOOP = dict(type='TeacherStudentValLoop')


class Watcher(Hook):
    """Remembers what validation hooks are given."""

    def __init__(self):
        self.before, self.predictions, self.roles = [], [], []

    def before_val_iter(self, runner, batch_idx, data_batch=None):
        self.before.append(batch_idx)

    def after_val_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self.predictions.append(outputs[0].pred_sem_seg.data)
        self.roles.append({role: out[0].pred_sem_seg.data for role, out in runner.val_loop.role_outputs.items()})


def _predict_only(model, label):
    """Make the student predict one class everywhere."""
    model.conv.weight.data.zero_()
    model.conv.bias.data.zero_()[label] = 1


def test_metrics_of_both_roles(make_runner, uda_segmentor):
    _predict_only(uda_segmentor, 0)
    watcher = Watcher()
    runner = make_runner(uda_segmentor, hooks=[watcher], val_cfg=LOOP)
    metrics = runner.val()
    assert isinstance(runner.val_loop, TeacherStudentValLoop)
    assert metrics['student/IoU.road'] == 100 and metrics['student/mIoU'] == 0
    assert metrics['teacher/IoU.road'] == 0 and metrics['teacher/mIoU'] == 100
    assert uda_segmentor.predict_role == 'student'
    assert watcher.before == [0, 1, 2, 3]
    assert all((prediction == 0).all() for prediction in watcher.predictions)
    assert len(watcher.roles) == 4
    assert all((roles['student'] == 0).all() and (roles['teacher'] == 2).all() for roles in watcher.roles)


def test_saves_the_best_teacher(make_runner, uda_segmentor, tmp_path):
    checkpoint = dict(interval=2, save_best='teacher/mIoU')
    make_runner(uda_segmentor, val_cfg=LOOP, checkpoint=checkpoint).train()
    assert (tmp_path / 'run' / 'best_teacher_mIoU_iter_4.pth').exists()


def test_role_is_restored_after_an_error(make_runner, uda_segmentor):
    def fail(inputs, data_samples=None):
        if uda_segmentor.predict_role == 'teacher':
            raise ValueError('broken teacher')
        return type(uda_segmentor).predict(uda_segmentor, inputs, data_samples)

    uda_segmentor.predict = fail
    runner = make_runner(uda_segmentor, val_cfg=LOOP)
    with pytest.raises(ValueError, match='broken teacher'):
        runner.val()
    assert uda_segmentor.predict_role == 'student'


def test_a_model_without_teacher_is_validated_as_usual(make_runner, segmentor):
    metrics = make_runner(segmentor, val_cfg=LOOP).val()
    assert set(metrics) == {'mIoU', 'IoU.road', 'IoU.sky', 'IoU.car'}


def test_roles_are_chosen(make_runner, uda_segmentor):
    metrics = make_runner(uda_segmentor, val_cfg=dict(roles=('teacher',), **LOOP)).val()
    assert {key.split('/')[0] for key in metrics} == {'teacher'}
