"""Buffers under several processes."""

from mmengine.dist import broadcast
from torch import nn

from .unwrap import unwrap_model


def share_buffers(model: nn.Module) -> None:
    """Give all ranks the main process's buffers, which are those in a checkpoint.

    DDP leaves the running statistics of batch norm to each rank (``broadcast_buffers=False``, MMEngine's default). Then
    the model that ranks validate together would not be the one that is saved, nor what a resumed run begins with.
    """
    for buffer in unwrap_model(model).buffers():
        broadcast(buffer)
