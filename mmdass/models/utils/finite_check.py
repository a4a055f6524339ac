"""A check for overflow that names the images and costs a training step on a GPU no synchronisation."""

from collections.abc import Sequence

import torch
from torch import Tensor


class NonFiniteError(RuntimeError):
    """Values that are NaN or infinite.

    Attributes:
        origin: What computed them.
        indices: The batch's samples concerned.
        names: What the batch's samples are called, if that is known.
    """

    def __init__(self, origin: str, indices: Sequence[int], names: Sequence[str] | None = None) -> None:
        self.origin, self.indices, self.names = origin, list(indices), names
        named = [names[i] for i in self.indices] if names else [f'image {i} of the batch' for i in self.indices]
        super().__init__(
            f'{origin} gave NaN or infinite values for {"; ".join(named)}. Look at the image; if it is sound, use a '
            "wider type (`vae_dtype='float32'`; bfloat16 instead of float16)."
        )


class FiniteCheck:
    """Checks batches of values: at once, or later on a GPU, whose flags arrive while it works on.

    Args:
        origin: What computes the values, for the message.
    """

    def __init__(self, origin: str) -> None:
        self.origin = origin
        self._pending: list[tuple[Tensor, Sequence[str] | None, torch.cuda.Event | None]] = []

    def __call__(self, values: Tensor, names: Sequence[str] | None = None, late: bool = False) -> None:
        """Check values of shape (N, ...).

        Args:
            values: What to check.
            names: What to call each sample in the message.
            late: On a GPU, do not wait: raise at a later call. Otherwise those under way are waited for too.

        Raises:
            NonFiniteError: These values, or those of a call before, are not finite.
        """
        if torch.compiler.is_compiling():  # a traced graph cannot raise
            return
        finite = values.isfinite().flatten(1).all(1)
        arrived = None
        if late and finite.is_cuda:
            finite, arrived = finite.to('cpu', non_blocking=True), torch.cuda.Event()
            arrived.record()
        self._pending.append((finite, names, arrived))
        while self._pending and not (late and _under_way(self._pending[0][2])):
            self._read(*self._pending.pop(0))

    def __reduce__(self) -> tuple:
        # A copy has nothing under way; events cannot be copied.
        return type(self), (self.origin,)

    def _read(self, finite: Tensor, names: Sequence[str] | None, arrived: torch.cuda.Event | None) -> None:
        if arrived is not None:
            arrived.synchronize()
        if not finite.all():
            raise NonFiniteError(self.origin, (~finite).nonzero().flatten().tolist(), names)


def _under_way(arrived: torch.cuda.Event | None) -> bool:
    return arrived is not None and not arrived.query()
