"""How much memory this process has needed."""

import resource
import sys

import torch


def peak_memory() -> tuple[str, int]:
    """The device's name and this process's peak so far in bytes: allocated tensors on CUDA, resident memory on CPU."""
    if torch.cuda.is_available():
        return 'CUDA', torch.cuda.max_memory_allocated()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return 'CPU', peak if sys.platform == 'darwin' else peak * 1024
