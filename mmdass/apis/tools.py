"""`mmdass train` and `mmdass test`: OpenMMLab's tools, which the package carries, without a checkout."""

import runpy
import sys
from collections.abc import Sequence
from unittest.mock import patch

from mmdass.utils.paths import shipped_folder


def train(argv: Sequence[str]) -> int:
    """Run tools/train.py."""
    return run_tool('train', argv)


def test(argv: Sequence[str]) -> int:
    """Run tools/test.py."""
    return run_tool('test', argv)


def run_tool(name: str, argv: Sequence[str]) -> int:
    """Run tools/NAME.py with these arguments in this process."""
    path = str(shipped_folder('tools') / f'{name}.py')
    with patch.object(sys, 'argv', [path, *argv]):
        runpy.run_path(path, run_name='__main__')
    return 0
