"""Keyed draws depend on their key and on nothing else."""

import random

import numpy as np
import pytest
import torch

from mmdass.utils.random import draw_key, keyed_generator, keyed_globals

KEY = dict(seed=1, counter=2, purpose='mix', rank=0)


def test_key_is_stable_across_processes():
    assert draw_key(1, 2, 'mix', 0) == 807593113547086155


@pytest.mark.parametrize('change', [dict(seed=3), dict(counter=3), dict(purpose='crop'), dict(rank=1)])
def test_every_part_of_the_key_counts(change):
    assert draw_key(**KEY) != draw_key(**{**KEY, **change})


def test_rank_defaults_to_this_process():
    assert draw_key(1, 2, 'mix') == draw_key(1, 2, 'mix', rank=0)


def test_generators_repeat_whatever_was_drawn_before():
    first = torch.rand(3, generator=keyed_generator(**KEY))
    torch.rand(5)
    assert torch.equal(first, torch.rand(3, generator=keyed_generator(**KEY)))


def draw_from_globals() -> tuple:
    return random.random(), np.random.rand(), torch.rand(()).item()


def test_globals_are_keyed_in_the_block_and_restored_after_it():
    random.seed(0), np.random.seed(0), torch.manual_seed(0)
    undisturbed = draw_from_globals()
    random.seed(0), np.random.seed(0), torch.manual_seed(0)
    with keyed_globals(**KEY):
        first = draw_from_globals()
    assert draw_from_globals() == undisturbed
    with keyed_globals(**KEY):
        assert draw_from_globals() == first


def test_globals_are_restored_after_an_error():
    torch.manual_seed(0)
    before = torch.get_rng_state()
    with pytest.raises(RuntimeError), keyed_globals(**KEY):
        torch.rand(1)
        raise RuntimeError
    assert torch.equal(torch.get_rng_state(), before)
