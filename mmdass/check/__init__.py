"""`mmdass check`: what a config will load, looked at before any GPU time is spent."""

from .command import main
from .findings import Finding, find_problems
from .inspection import Item, inspect
from .splits import Split, find_splits

__all__ = ['Finding', 'Item', 'Split', 'find_problems', 'find_splits', 'inspect', 'main']
