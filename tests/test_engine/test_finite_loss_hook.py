from pathlib import Path

import pytest
import torch

from mmdass.engine import FiniteLossHook, NonFiniteLossError

HOOK = dict(type='FiniteLossHook')
KEEP_ONE = dict(interval=1, max_keep_ckpts=1)


def _break_loss_at(model, iteration, name, value):
    """Make the loss ``name`` times ``value`` at a 1-based iteration."""
    loss, calls = model.loss, []

    def broken(inputs, data_samples):
        calls.append(1)
        losses = loss(inputs, data_samples)
        if len(calls) == iteration:
            losses[name] = losses[name] * value
        return losses

    model.loss = broken


def _assert_only_good_checkpoint(work_dir, iteration):
    files = list(Path(work_dir).glob('*.pth'))
    assert [file.name for file in files] == [f'iter_{iteration}.pth']
    assert (Path(work_dir) / 'last_checkpoint').read_text() == str(files[0])
    weights = torch.load(files[0], weights_only=False)['state_dict']
    assert all(weight.isfinite().all() for weight in weights.values())


@pytest.mark.parametrize('value', [float('nan'), float('inf')])
@pytest.mark.parametrize(
    ('branch', 'paths'), [('source', ['source/2.png']), ('mix', ['source/2.png', 'target/2.png'])]
)
def test_names_the_branch_and_its_images_and_keeps_the_checkpoint(make_runner, uda_segmentor, branch, paths, value):
    _break_loss_at(uda_segmentor, 3, f'{branch}.decode.loss_ce', value)
    runner = make_runner(uda_segmentor, hooks=[HOOK], checkpoint=KEEP_ONE)
    with pytest.raises(NonFiniteLossError) as error:
        runner.train()
    message = str(error.value)
    assert 'iteration 3' in message
    assert f'{branch}.decode.loss_ce = {value}' in message
    assert f'Images of branch {branch!r}: {", ".join(paths)}\n' in message
    assert message.count('Images of branch') == 1
    _assert_only_good_checkpoint(runner.work_dir, 2)


def test_names_the_images_of_a_plain_batch(make_runner, segmentor):
    _break_loss_at(segmentor, 2, 'decode.loss_ce', float('nan'))
    with pytest.raises(NonFiniteLossError, match=r'decode.loss_ce = nan\n.*val/1.png'):
        make_runner(segmentor, hooks=[HOOK]).train()


def test_a_finite_loss_with_a_nan_gradient_does_not_reach_a_checkpoint(make_runner, uda_segmentor):
    loss, calls = uda_segmentor.loss, []

    def broken(inputs, data_samples):
        calls.append(1)
        losses = loss(inputs, data_samples)
        if len(calls) == 3:
            losses['source.decode.loss_ce'] = (uda_segmentor.conv.weight * 0).sqrt().sum()  # value 0, gradient NaN
        return losses

    uda_segmentor.loss = broken
    runner = make_runner(uda_segmentor, hooks=[HOOK], checkpoint=KEEP_ONE)
    with pytest.raises(NonFiniteLossError, match='Weights are not finite after iteration 3'):
        runner.train()
    _assert_only_good_checkpoint(runner.work_dir, 2)


def test_values_that_are_no_losses_may_be_nan(make_runner, uda_segmentor):
    _break_loss_at(uda_segmentor, 2, 'pseudo/confident', float('nan'))
    make_runner(uda_segmentor, hooks=[HOOK]).train()


def test_ordinary_iterations_read_no_tensor(make_runner, uda_segmentor):
    runner = make_runner(uda_segmentor)
    runner.message_hub.update_scalar('train/source.loss', 1.0)
    outputs = {'source.loss': torch.zeros(1, device='meta')}  # reading a meta tensor's value raises
    FiniteLossHook().after_train_iter(runner, 0, {}, outputs)
