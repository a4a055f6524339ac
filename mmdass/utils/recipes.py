"""Recipes: how the files of a folder were made, as JSON, so that files of two kinds are not mixed."""

import json
from collections.abc import Iterator, Mapping
from typing import Any


def differences(found: Any, wanted: Any, name: str = '') -> Iterator[str]:
    """The innermost entries in which two JSON values differ, each as 'key.inner was 1, is now 2'."""
    if isinstance(found, list) and isinstance(wanted, list) and len(found) == len(wanted):
        found, wanted = dict(enumerate(found)), dict(enumerate(wanted))
    if isinstance(found, Mapping) and isinstance(wanted, Mapping):
        for key in sorted({*found, *wanted}):
            yield from differences(found.get(key), wanted.get(key), f'{name}.{key}' if name else str(key))
    elif found != wanted:
        yield f'{name} was {_shorten(found)}, is now {_shorten(wanted)}'


def _shorten(value: Any, limit: int = 80) -> str:
    text = json.dumps(value)
    return text if len(text) <= limit else f'{text[:limit]}...'
