"""Keyed random draws: the same (seed, counter, rank, purpose) gives the same numbers, whatever was drawn before.

Resuming is exact because no generator has a state that a checkpoint would have to carry.
"""

import hashlib
import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from mmengine.dist import get_rank


def draw_key(seed: int, counter: int, purpose: str, rank: int | None = None) -> int:
    """A 63-bit key of its arguments. ``rank`` is this process's unless given; pass 0 for a draw that ranks share."""
    rank = get_rank() if rank is None else rank
    digest = hashlib.sha256(f'{seed}/{counter}/{rank}/{purpose}'.encode()).digest()
    return int.from_bytes(digest[:8], 'little') >> 1


def keyed_generator(seed: int, counter: int, purpose: str, rank: int | None = None) -> torch.Generator:
    """A CPU generator for one purpose of one iteration or sample."""
    return torch.Generator().manual_seed(draw_key(seed, counter, purpose, rank))


@contextmanager
def keyed_globals(seed: int, counter: int, purpose: str, rank: int | None = None) -> Iterator[None]:
    """Key Python's, NumPy's and torch's CPU global generators for a block, for library code that draws from them."""
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()
    key = draw_key(seed, counter, purpose, rank)
    random.seed(key)
    np.random.seed(key % 2**32)
    torch.default_generator.manual_seed(key)
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
        torch.set_rng_state(states[2])
