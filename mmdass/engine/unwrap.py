"""What stands inside MMEngine's distributed wrappers."""

from mmengine.hooks import EMAHook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from torch import nn


def unwrap_model(model: nn.Module) -> nn.Module:
    """The model itself, whether or not DDP or FSDP is around it."""
    return model.module if is_model_wrapper(model) else model


def trained_model(runner: Runner) -> nn.Module:
    """What a training is for: the average of the model where an EMAHook keeps one, else the model itself."""
    averages = [hook.ema_model for hook in runner.hooks if isinstance(hook, EMAHook)]
    return unwrap_model(averages[0].module if averages else runner.model)
