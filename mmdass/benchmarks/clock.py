"""How long a call takes."""

import time
from collections.abc import Callable

import torch


def seconds_of(call: Callable[[], object]) -> float:
    """Wall-clock seconds of a call, work on a GPU included."""
    _synchronize()
    start = time.perf_counter()
    call()
    _synchronize()
    return time.perf_counter() - start


def _synchronize() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
