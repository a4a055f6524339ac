"""The one road by which checkpoints come in: safetensors, or pickles of which nothing is executed.

Importing this module makes it MMEngine's loader for local files and http(s) addresses, so that ``load_from``,
``resume``, ``init_model`` and ``init_cfg=dict(type='Pretrained', ...)`` all use it. MMEngine's own local loader falls
back to executing the pickle. Not covered, as their addresses are fixed by other parties: ``torchvision://``,
``openmmlab://``, ``mmcls://``, ``pavi://`` and ``s3://``.
"""

import hashlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import torch
from mmengine.dist import barrier, is_main_process
from mmengine.runner.checkpoint import CheckpointLoader
from safetensors import SafetensorError
from safetensors.torch import load_file

MapLocation = str | torch.device | Callable | None


class CheckpointError(ValueError):
    """A checkpoint that cannot be used; the message names the file and the remedy."""


def load_checkpoint_file(path: str | Path, map_location: MapLocation = 'cpu') -> dict[str, Any]:
    """Read a checkpoint without executing anything that it contains.

    Args:
        path: A ``.safetensors`` file, or anything that ``torch.save`` wrote.
        map_location: As for :func:`torch.load`. A callable leaves safetensors on the CPU.

    Returns:
        The dict in the file: an MMEngine checkpoint, or a bare state dict.

    Raises:
        FileNotFoundError: There is no such file.
        CheckpointError: It needs code to be executed, is damaged, or holds no dict.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise FileNotFoundError(f'There is no checkpoint {path}.')
    if path.suffix == '.safetensors':
        return _load_safetensors(path, map_location)
    return _load_pickle(path, map_location)


def _load_safetensors(path: Path, map_location: MapLocation) -> dict[str, torch.Tensor]:
    device = str(map_location) if isinstance(map_location, (str, torch.device)) else 'cpu'
    try:
        return load_file(path, device=device)
    except SafetensorError as error:
        raise CheckpointError(f'{path} is empty, cut off or no safetensors file: {error}') from error


def _load_pickle(path: Path, map_location: MapLocation) -> dict[str, Any]:
    try:
        checkpoint = torch.load(path, map_location=map_location, weights_only=True)
    except Exception as error:  # the unpickler meets a damaged file with whatever its bytes lead to
        raise CheckpointError(_explain(path, str(error))) from error
    if not isinstance(checkpoint, dict):
        raise CheckpointError(f'{path} holds a {type(checkpoint).__name__}, no dict of weights.')
    if isinstance(checkpoint.get('meta'), dict):
        checkpoint['meta'].pop('config', None)  # MMEngine writes 'cfg'; when resuming, it would execute this one
    return checkpoint


def _explain(path: Path, reason: str) -> str:
    """torch raises the same error for a pickle that wants to run code and for a file that is no pickle at all."""
    wanted = re.search(r'GLOBAL (\S+)', reason)
    if wanted:
        return (f'{path} is refused, and nothing in it was executed: loading it would run code ({wanted[1]}). Ask its '
                'author for a safetensors file or a plain state dict.')
    first_line = reason.strip().partition('\n')[0] or 'it ends at once'
    return f'{path} is empty, cut off or no checkpoint ({path.stat().st_size} bytes): {first_line}'


@CheckpointLoader.register_scheme(prefixes='', force=True)
def load_from_local(filename: str, map_location: MapLocation = None) -> dict[str, Any]:
    """MMEngine's interface to :func:`load_checkpoint_file`."""
    return load_checkpoint_file(filename, map_location)


@CheckpointLoader.register_scheme(prefixes=('http://', 'https://'), force=True)
def load_from_http(filename: str, map_location: MapLocation = None) -> dict[str, Any]:
    """Download once into torch's hub folder, then load as :func:`load_checkpoint_file` does."""
    name = Path(urlparse(filename).path)
    address = hashlib.sha256(filename.encode()).hexdigest()[:8]  # iter_40000.pth is the name of many
    path = Path(torch.hub.get_dir(), 'checkpoints', f'{name.stem}_{address}{name.suffix}')
    if is_main_process():
        _download(filename, path)
    barrier()
    _download(filename, path)  # by ranks on machines with a folder of their own
    return load_checkpoint_file(path, map_location)


def _download(address: str, path: Path) -> None:
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(address, str(path))
