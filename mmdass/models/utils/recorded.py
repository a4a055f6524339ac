"""What a module returns inside a block."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn


@contextmanager
def recorded(module: nn.Module) -> Iterator[list[Any]]:
    """A list of the outputs of a module's forward passes inside a block."""
    outputs: list[Any] = []
    handle = module.register_forward_hook(lambda module, inputs, output: outputs.append(output))
    try:
        yield outputs
    finally:
        handle.remove()
