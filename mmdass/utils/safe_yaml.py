"""YAML as data: MMEngine reads it with PyYAML's unsafe loader, which runs code that a file names."""

from typing import Any, TextIO

import yaml
from mmengine.fileio import register_handler
from mmengine.fileio.handlers import YamlHandler

MAX_SIZE = 1_000_000


@register_handler(['yaml', 'yml'])
class SafeYamlHandler(YamlHandler):
    """MMEngine's handler, without tags of Python's, and without aliases that multiply to more than memory holds."""

    def load_from_fileobj(self, file: TextIO, **kwargs) -> Any:
        """Read a file.

        Raises:
            yaml.YAMLError: It is damaged, or has tags that are no data.
            ValueError: Written out, it would have more than ``MAX_SIZE`` entries.
        """
        value = super().load_from_fileobj(file, Loader=yaml.SafeLoader)
        if _size(value, {}) > MAX_SIZE:
            raise ValueError(f'written out, its aliases give more than {MAX_SIZE} entries')
        return value


def _size(value: Any, known: dict[int, float]) -> float:
    """Entries of nested lists and dicts, aliased ones counted at each place; infinite if one holds itself."""
    if not isinstance(value, (dict, list)):
        return 1
    if id(value) not in known:
        known[id(value)] = float('inf')
        parts = value.values() if isinstance(value, dict) else value
        known[id(value)] = 1 + sum(_size(part, known) for part in parts)
    return known[id(value)]
