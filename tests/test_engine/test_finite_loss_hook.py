import copy
from pathlib import Path

import pytest
import torch
from mmengine.optim import OptimWrapper

from mmdass.engine import FiniteLossHook, NonFiniteLossError

HOOK = dict(type='FiniteLossHook')
UPDATE = dict(type='TeacherUpdateHook')
KEEP_ONE = dict(interval=1, max_keep_ckpts=1)
ADAM = dict(optimizer=dict(type='AdamW', lr=0.01))
BFLOAT16 = dict(ADAM, type='AutocastOptimWrapper')


def _break_loss_at(model, iterations, name, value):
    """Make the loss ``name`` times ``value`` at 1-based iterations."""
    loss, calls = model.loss, []

    def broken(inputs, data_samples):
        calls.append(1)
        losses = loss(inputs, data_samples)
        if len(calls) in iterations:
            losses[name] = losses[name] * value
        return losses

    model.loss = broken


def _break_gradient_at(model, iterations):
    """Give the loss of 1-based iterations a finite value and a NaN gradient."""
    loss, calls = model.loss, []

    def broken(inputs, data_samples):
        calls.append(1)
        losses = loss(inputs, data_samples)
        if len(calls) in iterations:
            name = next(iter(losses))
            losses[name] = losses[name] + (model.conv.weight * 0).sqrt().sum()
        return losses

    model.loss = broken


def _states(runner):
    """Weights, optimizer state and teacher's steps after each iteration of a training."""
    states, run = [], runner.train_loop.run_iter

    def run_iter(batch):
        run(batch)
        teacher = getattr(runner.model, 'teacher', None)
        states.append((copy.deepcopy(runner.model.state_dict()),
                       copy.deepcopy(runner.optim_wrapper.optimizer.state_dict()), teacher and teacher.steps))

    runner.train_loop.run_iter = run_iter
    runner.train()
    return states


def _same(first, second):
    try:
        torch.testing.assert_close(first, second, rtol=0, atol=0)
    except AssertionError:
        return False
    return True


def _assert_only_good_checkpoint(work_dir, iteration):
    files = list(Path(work_dir).glob('*.pth'))
    assert [file.name for file in files] == [f'iter_{iteration}.pth']
    assert (Path(work_dir) / 'last_checkpoint').read_text() == str(files[0])
    weights = torch.load(files[0], weights_only=False)['state_dict']
    assert all(weight.isfinite().all() for weight in weights.values())


@pytest.mark.parametrize('optim_wrapper', [ADAM, BFLOAT16, dict(ADAM, clip_grad=dict(max_norm=1.0))])
@pytest.mark.parametrize('break_at', [_break_gradient_at, lambda *args: _break_loss_at(*args, 'mix.decode.loss_ce',
                                                                                      float('nan'))])
def test_a_broken_step_changes_nothing_and_training_goes_on(make_runner, uda_segmentor, optim_wrapper, break_at):
    break_at(uda_segmentor, [2, 3])
    states = _states(make_runner(uda_segmentor, hooks=[HOOK, UPDATE], optim_wrapper=optim_wrapper))
    assert [steps for *_, steps in states] == [1, 1, 1, 2]
    assert _same(states[0], states[1]) and _same(states[0], states[2])
    assert not _same(states[2][0], states[3][0])


def test_a_stock_model_goes_on_too(make_runner, segmentor):
    _break_loss_at(segmentor, [2], 'decode.loss_ce', float('inf'))
    states = _states(make_runner(segmentor, hooks=[HOOK]))
    assert _same(states[0], states[1]) and not _same(states[1], states[2])


def test_one_broken_part_of_an_accumulated_step_leaves_it_out(make_runner, uda_segmentor):
    _break_gradient_at(uda_segmentor, [1])
    states = _states(make_runner(
        uda_segmentor, hooks=[HOOK, UPDATE], optim_wrapper=dict(ADAM, accumulative_counts=2)))
    assert [steps for *_, steps in states] == [0, 0, 0, 1]
    assert _same(states[0][0], states[2][0]) and states[3][0]['conv.weight'].isfinite().all()


@pytest.mark.parametrize('value', [float('nan'), float('inf')])
@pytest.mark.parametrize(
    ('branch', 'paths'), [('source', ['source/{}.png']), ('mix', ['source/{}.png', 'target/{}.png'])]
)
def test_three_in_a_row_stop_and_keep_the_checkpoint(make_runner, uda_segmentor, branch, paths, value):
    _break_loss_at(uda_segmentor, [1, 3, 4, 5], f'{branch}.decode.loss_ce', value)
    runner = make_runner(uda_segmentor, max_iters=6, hooks=[HOOK], checkpoint=KEEP_ONE)
    with pytest.raises(NonFiniteLossError, match='^3 steps in a row') as error:
        runner.train()
    log = Path(runner.log_dir, f'{runner.timestamp}.log').read_text()
    for iteration, text in ((1, log), (3, log), (4, log), (5, str(error.value))):
        images = ', '.join(path.format((iteration - 1) % 4) for path in paths)
        assert (f'Loss is not finite at iteration {iteration}:\n  {branch}.decode.loss_ce = {value}\n'
                f'Images of branch {branch!r}: {images}\n'
                'pseudo/confident: 0.81\npseudo/timestep: 40\nThe optimizer step was left out.\n') in text
    _assert_only_good_checkpoint(runner.work_dir, 4)


def test_names_the_images_of_a_plain_batch_and_of_a_broken_gradient(make_runner, segmentor):
    _break_gradient_at(segmentor, [2])
    runner = make_runner(segmentor, hooks=[dict(HOOK, patience=1)])
    with pytest.raises(NonFiniteLossError, match=r'Gradient is not finite at iteration 2, (.*\n)+.*batch: val/1.png\n'):
        runner.train()


def test_under_a_gradient_scaler_losses_alone_are_counted(make_runner, segmentor):
    _break_gradient_at(segmentor, [1, 2])
    runner = make_runner(segmentor, max_iters=5, hooks=[dict(HOOK, patience=2)])
    runner.optim_wrapper = Scaled(torch.optim.SGD(segmentor.parameters(), lr=0.01))
    _break_loss_at(segmentor, [4, 5], 'decode.loss_ce', float('nan'))
    with pytest.raises(NonFiniteLossError, match=r'iteration 5:(.*\n)+Loss scale: 0.0625\n'):
        runner.train()
    assert segmentor.conv.weight.isfinite().all()


class Scaled(OptimWrapper):
    """MMEngine's AmpOptimWrapper on the CPU."""

    loss_scaler = torch.amp.GradScaler('cpu', init_scale=1.0)

    def backward(self, loss):
        self.loss_scaler.scale(loss).backward()
        self._inner_count += 1

    def step(self):
        self.loss_scaler.step(self.optimizer)
        self.loss_scaler.update()


def test_weights_or_statistics_that_are_not_finite_do_not_reach_a_checkpoint(make_runner, uda_segmentor):
    uda_segmentor.register_buffer('running_mean', torch.zeros(3))
    loss, calls = uda_segmentor.loss, []

    def broken(inputs, data_samples):
        calls.append(1)
        if len(calls) == 3:
            uda_segmentor.running_mean.fill_(float('nan'))
        return loss(inputs, data_samples)

    uda_segmentor.loss = broken
    runner = make_runner(uda_segmentor, hooks=[HOOK], checkpoint=KEEP_ONE)
    with pytest.raises(NonFiniteLossError, match='Weights or buffers are not finite after iteration 3'):
        runner.train()
    _assert_only_good_checkpoint(runner.work_dir, 2)


def test_values_that_are_no_losses_may_be_nan(make_runner, uda_segmentor):
    _break_loss_at(uda_segmentor, [2, 3, 4], 'pseudo/confident', float('nan'))
    make_runner(uda_segmentor, hooks=[HOOK]).train()


def test_ordinary_iterations_read_no_tensor(make_runner, uda_segmentor):
    runner = make_runner(uda_segmentor)
    runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
    runner.message_hub.update_scalar('train/source.loss', 1.0)
    outputs = {'source.loss': torch.zeros(1, device='meta')}  # reading a meta tensor's value raises
    FiniteLossHook().after_train_iter(runner, 0, {}, outputs)
