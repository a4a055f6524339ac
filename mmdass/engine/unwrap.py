"""What stands inside MMEngine's distributed wrappers."""

from mmengine.model import is_model_wrapper
from torch import nn


def unwrap_model(model: nn.Module) -> nn.Module:
    """The model itself, whether or not DDP or FSDP is around it."""
    return model.module if is_model_wrapper(model) else model
