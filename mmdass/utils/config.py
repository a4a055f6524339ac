"""Reading a config so that one ``--cfg-options`` entry reaches every place that uses a variable."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from unittest.mock import patch

import yaml
from mmengine.config import Config
from mmengine.hub import get_config

from . import safe_yaml  # noqa: F401, what reads YAML then


def load_config(filename: str | Path, options: Mapping[str, Any] | None = None) -> Config:
    """Read a config file and override entries of it.

    Overriding a top-level variable of a text config usually comes too late: the lines that use it have run. Variables
    written as ``target_root = '{{$TARGET_ROOT:data/DSEC/}}'`` take their value from the environment while the file is
    read (MMEngine's own substitution), so an option ``target_root`` is put there first and reaches every such line.

    Args:
        filename: A text config, or one that an installed package carries, as 'mmdass::madm/toy_event.py'.
        options: Entries as from ``--cfg-options``: dotted keys to values.

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
    cfg.merge_from_dict(dict(options))
    return cfg


def _read(filename: str | Path) -> Config:
    try:
        return get_config(filename) if '::' in str(filename) else Config.fromfile(filename)
    except (ValueError, TypeError, AttributeError, RecursionError, yaml.YAMLError) as error:
        if Path(filename).suffix == '.py':  # a config's own error, best seen where it happens
            raise
        raise ValueError(f'{filename} cannot be read as a config: {error}') from error
