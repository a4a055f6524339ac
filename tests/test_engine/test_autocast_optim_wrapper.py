from contextlib import contextmanager

import pytest
import torch

from mmdass.engine import AutocastOptimWrapper

OPTIM_WRAPPER = dict(type='AutocastOptimWrapper', dtype='bfloat16', optimizer=dict(type='SGD', lr=0.01))


def test_forward_runs_in_bf16_and_weights_stay_float32(make_runner, uda_segmentor):
    before = uda_segmentor.conv.weight.detach().clone()
    runner = make_runner(uda_segmentor, optim_wrapper=OPTIM_WRAPPER)
    runner.train()
    assert isinstance(runner.optim_wrapper, AutocastOptimWrapper)
    assert set(uda_segmentor.dtypes) == {torch.bfloat16}
    assert uda_segmentor.conv.weight.dtype == torch.float32
    assert not torch.equal(before, uda_segmentor.conv.weight)


def test_accumulates_gradients(make_runner, uda_segmentor, count_steps):
    runner = make_runner(uda_segmentor, optim_wrapper=dict(accumulative_counts=2, **OPTIM_WRAPPER))
    runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
    steps = count_steps(runner.optim_wrapper)
    runner.train()
    assert len(steps) == 2


def test_gradients_are_exchanged_in_stepping_iterations_only(uda_segmentor):
    class Distributed(torch.nn.Module):
        held_back = 0

        @contextmanager
        def no_sync(self):
            self.held_back += 1
            yield

    optimizer = torch.optim.SGD(uda_segmentor.parameters(), lr=0.01)
    optim_wrapper, model = AutocastOptimWrapper(optimizer=optimizer, accumulative_counts=2), Distributed()
    for _ in range(4):
        with optim_wrapper.optim_context(model):
            loss = uda_segmentor.conv.weight.sum()
        optim_wrapper.update_params(loss)
    assert model.held_back == 2


def test_refuses_fp16():
    with pytest.raises(ValueError, match='AmpOptimWrapper'):
        AutocastOptimWrapper(dtype='float16', optimizer=None)
