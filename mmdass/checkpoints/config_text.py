"""The config in a checkpoint."""

import ast
from typing import Any

from mmengine.config import Config

from .loader import CheckpointError


def read_config_text(text: str) -> Config:
    """Read the config that MMEngine wrote into a checkpoint as data; ``Config.fromstring`` would execute it.

    Raises:
        CheckpointError: It holds more than names and values.
    """
    try:
        entries = {}
        for statement in ast.parse(text).body:
            (name,) = statement.targets
            entries[name.id] = _value(statement.value)
    except (SyntaxError, AttributeError, ValueError, TypeError, RecursionError, MemoryError) as error:
        raise CheckpointError(f'its config is more than names and values ({error}): name the file, --config') from error
    return Config(entries)


def _value(node: ast.expr) -> Any:
    if isinstance(node, ast.Call) and getattr(node.func, 'id', None) == 'dict':
        if not node.args:
            return {keyword.arg: _value(keyword.value) for keyword in node.keywords}
        if len(node.args) == 1 and isinstance(node.args[0], ast.Dict) and not node.keywords:
            return _value(node.args[0])  # MMEngine writes dict({'a.b': 1}) where a key is no name
    if isinstance(node, ast.Dict):
        return {ast.literal_eval(key): _value(value) for key, value in zip(node.keys, node.values, strict=True)}
    if isinstance(node, ast.List):
        return [_value(value) for value in node.elts]
    if isinstance(node, ast.Tuple):
        return tuple(_value(value) for value in node.elts)
    return ast.literal_eval(node)
