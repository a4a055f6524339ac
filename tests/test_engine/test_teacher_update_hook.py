import pytest
import torch
from mmengine.optim import OptimWrapper
from torch import nn


@pytest.mark.parametrize(('scope', 'name'), [('mmdass', 'TeacherUpdateHook'), ('mmseg', 'mmdass.TeacherUpdateHook')])
def test_updates_once_per_iteration_in_both_scopes(make_runner, uda_segmentor, scope, name):
    visualizer = dict(type='mmdass.DomainVisualizer', vis_backends=[])
    runner = make_runner(uda_segmentor, hooks=[dict(type=name)], default_scope=scope, visualizer=visualizer)
    runner.train()
    assert uda_segmentor.teacher.armed
    assert uda_segmentor.teacher.steps == 4


@pytest.mark.parametrize('max_iters', [4, 5])
def test_accumulation_updates_once_per_optimizer_step(make_runner, uda_segmentor, max_iters):
    weights = []

    class Recorder(OptimWrapper):
        def step(self, **kwargs):
            super().step(**kwargs)
            weights.append(uda_segmentor.conv.weight.detach().clone())

    optimizer = torch.optim.SGD(uda_segmentor.parameters(), lr=0.01)
    runner = make_runner(
        uda_segmentor,
        max_iters=max_iters,
        hooks=[dict(type='TeacherUpdateHook')],
        optim_wrapper=Recorder(optimizer, accumulative_counts=2),
    )
    runner.train()
    # Of five iterations the last steps alone: MMEngine does not lose the remainder.
    assert len(weights) == (max_iters + 1) // 2
    assert uda_segmentor.teacher.steps == len(weights)


def test_a_step_that_the_gradient_scaler_skips_does_not_count(make_runner, uda_segmentor):
    class Scaled(OptimWrapper):
        """MMEngine's AmpOptimWrapper on the CPU; the second iteration's gradients overflow."""

        scaler = torch.amp.GradScaler('cpu', init_scale=2.0)

        def backward(self, loss):
            factor = float('inf') if self.inner_count == 1 else 1.0
            self.scaler.scale(loss * factor).backward()
            self._inner_count += 1

        def step(self):
            self.scaler.step(self.optimizer)
            self.scaler.update()

    optimizer = torch.optim.SGD(uda_segmentor.parameters(), lr=0.01)
    make_runner(uda_segmentor, hooks=[dict(type='TeacherUpdateHook')], optim_wrapper=Scaled(optimizer)).train()
    assert uda_segmentor.conv.weight.isfinite().all()
    assert uda_segmentor.teacher.steps == 3


def test_the_teacher_begins_anew_with_the_training(make_runner, uda_segmentor):
    uda_segmentor.teacher.steps = 10_000  # as `load_from` brings it along
    make_runner(uda_segmentor, hooks=[dict(type='TeacherUpdateHook')]).train()
    assert uda_segmentor.teacher.steps == 4


def test_stops_listening_after_training(make_runner, uda_segmentor):
    runner = make_runner(uda_segmentor, hooks=[dict(type='TeacherUpdateHook')])
    runner.train()
    runner.optim_wrapper.optimizer.step()
    assert uda_segmentor.teacher.steps == 4


def test_refuses_a_model_without_teacher(make_runner, segmentor):
    with pytest.raises(RuntimeError, match='TinySegmentor has no teacher'):
        make_runner(segmentor, hooks=[dict(type='TeacherUpdateHook')]).train()


def test_finds_the_teacher_inside_a_model_wrapper(make_runner, uda_segmentor, monkeypatch):
    class Wrapper(nn.Module):
        def __init__(self, module):
            super().__init__()
            self.module = module

        def train_step(self, *args, **kwargs):
            return self.module.train_step(*args, **kwargs)

    monkeypatch.setattr('mmdass.engine.unwrap.is_model_wrapper', lambda model: isinstance(model, Wrapper))
    runner = make_runner(
        uda_segmentor,
        hooks=[dict(type='TeacherUpdateHook')],
        optim_wrapper=OptimWrapper(torch.optim.SGD(uda_segmentor.parameters(), lr=0.01)),
        val_cfg=None,
        val_dataloader=None,
        val_evaluator=None,
    )
    runner.model = Wrapper(uda_segmentor)
    runner.train()
    assert uda_segmentor.teacher.steps == 4
