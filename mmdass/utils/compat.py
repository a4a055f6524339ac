"""What both OpenMMLab families need on today's torch and numpy. Every shim does nothing where it is not needed.

``import mmdass`` calls :func:`apply`, which must run before mmseg is imported and before a config is read.
"""

import functools
import importlib.util
import logging
import os
import sys
import types
from collections.abc import Callable
from datetime import timedelta
from importlib.machinery import ModuleSpec
from typing import Any

import mmengine.logging
import numpy as np
import torch
import torch.utils.checkpoint
from mmengine.config import Config

from mmdass.family import is_installed


def apply() -> None:
    """Run every shim that acts on import."""
    allow_checkpoint_globals()
    map_config_scopes()
    stub_mmcv_extension()
    hush_debug_prints()
    checkpoint_without_reentry()


def active_shims() -> list[str]:
    """What :func:`apply` has changed in this process, in words."""
    from mmengine.config.utils import MODULE2PACKAGE
    shims = {
        'checkpoints of MMEngine are read without executing anything': True,
        "'mmseg::' in configs means onedl-mmsegmentation": MODULE2PACKAGE['mmseg'].startswith('onedl-'),
        'without a logger, print_log prints no debug messages': hasattr(mmengine.logging.print_log, '__wrapped__'),
        'mmcv.ops has no compiled functions': not has_compiled_operators(),
        'gradient checkpointing (with_cp) is the non-reentrant kind':
            hasattr(torch.utils.checkpoint.checkpoint, '__wrapped__'),
    }
    return [what for what, active in shims.items() if active]


def allow_checkpoint_globals() -> None:
    """Let ``torch.load(weights_only=True)`` read MMEngine's training checkpoints.

    They hold ``HistoryBuffer`` objects and numpy scalars, whose pickles name these harmless globals.
    """
    from mmengine.logging.history_buffer import HistoryBuffer
    core = np._core if hasattr(np, '_core') else np.core
    dtypes = [getattr(np.dtypes, name) for name in dir(np.dtypes) if name.endswith('DType')]
    torch.serialization.add_safe_globals(
        [HistoryBuffer, getattr, slice, core.multiarray._reconstruct, core.multiarray.scalar, np.ndarray, np.dtype,
         *dtypes])


def map_config_scopes() -> None:
    """Make ``_base_ = 'mmseg::...'`` find the onedl distribution and ``'mmdass::...'`` find ours."""
    from mmengine.config.utils import MODULE2PACKAGE
    MODULE2PACKAGE['mmdass'] = 'mmdass'
    for module, package in MODULE2PACKAGE.items():
        if not is_installed(package) and is_installed(f'onedl-{package}'):
            MODULE2PACKAGE[module] = f'onedl-{package}'


def stub_mmcv_extension() -> None:
    """Stand in for MMCV's compiled extension, so that ``mmcv.ops`` can be imported.

    Classic mmseg imports it even where no operator is used, and many operators are plain PyTorch, or are so on a CPU:
    those of PointRend, SAN and Mask2Former. A compiled function fails when it is called, with its name.
    """
    name = 'mmcv._ext'
    if importlib.util.find_spec(name) is not None:
        return
    extension = types.ModuleType(name)
    extension.__spec__ = ModuleSpec(name, None)
    extension.__getattr__ = _missing_function
    extension.get_compiler_version = extension.get_compiling_cuda_version = lambda: 'n/a'
    sys.modules[name] = extension


def hush_debug_prints() -> None:
    """Let ``print_log`` without a logger respect the level DEBUG.

    It prints whatever the level, and onedl-mmsegmentation tells it on import, twice, that an optional package is
    missing: in the standard output of every command.
    """
    print_log = mmengine.logging.print_log

    @functools.wraps(print_log)
    def print_log_unless_debug(
        msg: Any, logger: logging.Logger | str | None = None, level: int = logging.INFO
    ) -> None:
        if logger is not None or level > logging.DEBUG:
            print_log(msg, logger, level)

    mmengine.logging.print_log = print_log_unless_debug


def checkpoint_without_reentry() -> None:
    """Let ``with_cp=True`` of MMSeg's backbones mean PyTorch's non-reentrant gradient checkpointing.

    They do not say which; the other kind, still PyTorch's default, fails under DDP where a step has two passes.
    """
    checkpoint = torch.utils.checkpoint.checkpoint

    @functools.wraps(checkpoint)
    def non_reentrant(*args: Any, **kwargs: Any) -> Any:
        return checkpoint(*args, **dict(dict(use_reentrant=False), **kwargs))

    torch.utils.checkpoint.checkpoint = non_reentrant


def has_compiled_operators() -> bool:
    """Whether MMCV was built with its compiled operators."""
    return getattr(sys.modules.get('mmcv._ext'), '__getattr__', None) is not _missing_function


def _missing_function(name: str) -> Callable:
    if name.startswith('__'):
        raise AttributeError(name)

    def refuse(*args: Any, **kwargs: Any) -> None:
        raise ImportError(f'{name} needs mmcv built with its compiled operators; mmdass itself uses none.')

    return refuse


def prepare_cpu_distributed(cfg: Config) -> None:
    """Make a ``torchrun`` job work on a machine without CUDA. Call it before the Runner is built.

    MMEngine selects a CUDA device while it starts the process group and passes one to DDP; a group that exists
    already and a wrapper config of our own avoid both.

    Args:
        cfg: The job's config, changed in place.
    """
    if 'RANK' not in os.environ or torch.cuda.is_available():
        return
    if not torch.distributed.is_initialized():
        timeout = cfg.get('env_cfg', {}).get('dist_cfg', {}).get('timeout')
        torch.distributed.init_process_group('gloo', timeout=timeout and timedelta(seconds=timeout))
    cfg.setdefault('model_wrapper_cfg', dict(  # MMEngine's defaults
        type='MMDistributedDataParallel', broadcast_buffers=False,
        find_unused_parameters=cfg.get('find_unused_parameters', False)))
    cfg.model_wrapper_cfg.device_ids = None
