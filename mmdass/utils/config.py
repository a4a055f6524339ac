"""Reading a config so that one ``--cfg-options`` entry reaches every place that uses a variable."""

import inspect
import logging
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from unittest.mock import patch

import yaml
from mmengine.config import Config
from mmengine.hub import get_config
from mmengine.logging import print_log
from mmengine.runner import Runner

from . import safe_yaml  # noqa: F401, what reads YAML then

_READ = {*inspect.signature(Runner).parameters, 'translator', 'source_dataset', 'tta_model', 'tta_pipeline'}
"""Entries of a config that something reads; others are variables of the file."""


def load_config(filename: str | Path, options: Mapping[str, Any] | None = None) -> Config:
    """Read a config file and override entries of it.

    Overriding a top-level variable of a text config usually comes too late: the lines that use it have run. Variables
    written as ``target_root = '{{$TARGET_ROOT:data/DSEC/}}'`` take their value from the environment while the file is
    read (MMEngine's own substitution), so an option ``target_root`` is put there first and reaches every such line.

    Args:
        filename: A text config, or one that an installed package carries, as 'mmdass::madm/toy_event.py'.
        options: Entries as from ``--cfg-options``: dotted keys to values.

    Of other variables (``max_iters = 300``) a warning says where the value is used, to be overridden there.

    Raises:
        ValueError: A YAML or JSON file is damaged, or holds what is no data.
    """
    cfg = _read(filename)
    if not options:
        return cfg
    variables = {key.upper(): value for key, value in options.items() if isinstance(cfg.get(key), str)}
    if variables:
        with patch.dict(os.environ, {key: str(value) for key, value in variables.items()}):
            cfg = _read(filename)
    for key, value in options.items():
        places = _places(cfg.to_dict(), key, cfg[key]) if key in cfg and str(cfg[key]) != str(value) else ()
        if used := [place for place in places if place.split('.')[0] in _READ]:
            print_log(
                f'{filename}: `{key}={value}` comes too late for the lines that use this variable. Override what they '
                f'have set from it: {", ".join(used)}.', level=logging.WARNING)
    cfg.merge_from_dict(dict(options))
    return cfg


def _places(node: Any, key: str, value: Any, path: str = '') -> Iterator[str]:
    """Where below the top level an entry has this name and value, as dotted keys."""
    entries = node.items() if isinstance(node, Mapping) else enumerate(node) if isinstance(node, (list, tuple)) else ()
    for name, child in entries:
        if path and name == key and child == value:
            yield f'{path}{name}'
        yield from _places(child, key, value, f'{path}{name}.')


def _read(filename: str | Path) -> Config:
    try:
        return get_config(filename) if '::' in str(filename) else Config.fromfile(filename)
    except (ValueError, TypeError, AttributeError, RecursionError, yaml.YAMLError) as error:
        if Path(filename).suffix == '.py':  # a config's own error, best seen where it happens
            raise
        raise ValueError(f'{filename} cannot be read as a config: {error}') from error
