"""`mmdass doctor`. Nothing here imports more than the standard library: it is for environments where little works."""

import sys
from collections.abc import Sequence
from pathlib import Path


def is_running() -> bool:
    """Whether this process is ``python -m mmdass doctor`` or ``mmdass doctor``."""
    return sys.argv[1:2] == ['doctor'] and (sys.argv[0] == '-m' or Path(sys.argv[0]).stem == 'mmdass')


def main(argv: Sequence[str]) -> int:
    """The verb."""
    from .command import main as command
    return command(argv)
