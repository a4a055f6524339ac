"""bf16 training on CPU and GPU."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from mmengine.optim import OptimWrapper
from mmengine.runner.amp import autocast
from torch import nn

from mmdass.registry import OPTIM_WRAPPERS


@OPTIM_WRAPPERS.register_module()
class AutocastOptimWrapper(OptimWrapper):
    """An ``OptimWrapper`` whose forward passes run under bf16 autocast, without a gradient scaler.

    bf16 has float32's range, so gradients need no scaling; that also makes it work on the CPU, where MMEngine's
    ``AmpOptimWrapper`` refuses. For fp16 use ``AmpOptimWrapper``.

    Args:
        dtype: 'bfloat16', the only type that is safe without a scaler.
        **kwargs: those of ``OptimWrapper``: ``optimizer``, ``accumulative_counts``, ``clip_grad``.

    Raises:
        ValueError: another ``dtype``.
    """

    def __init__(self, dtype: str = 'bfloat16', **kwargs) -> None:
        if dtype != 'bfloat16':
            raise ValueError(
                f"AutocastOptimWrapper trains in 'bfloat16' only, not {dtype!r}. "
                "Write type='AmpOptimWrapper' for fp16, which needs a gradient scaler, type='OptimWrapper' for float32."
            )
        super().__init__(**kwargs)

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Autocast, within the parent's context that holds back gradient exchange while accumulating."""
        with super().optim_context(model), autocast(dtype=torch.bfloat16):
            yield
