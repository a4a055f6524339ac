"""A count that lives in the checkpoint and is read without touching the device."""

import torch
from torch import Tensor, nn


class Counter(nn.Module):
    """A Python integer saved with the model.

    A buffer would be moved to the GPU, and reading it there would make every training step wait.
    """

    def __init__(self) -> None:
        super().__init__()
        self.value = 0

    def get_extra_state(self) -> Tensor:
        """The count as a tensor, since MMEngine's checkpoints carry tensors."""
        return torch.tensor(self.value)

    def set_extra_state(self, state: Tensor) -> None:
        """Take the count of a checkpoint."""
        self.value = int(state)
