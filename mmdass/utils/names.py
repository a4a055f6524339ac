"""What files are called in an output folder: as below their own root, so that folders are kept and none is left."""

import os
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

_LINE_BREAK = re.compile('[\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029]')


def names_below(root: str | Path, paths: Sequence[str]) -> list[str]:
    """A name for each file: its path below the root, without suffix where that suffices, and safe as a path.

    Args:
        root: Folder that the files are in. Of others ('toy://rgb/0/3') what follows the scheme, or the file system's
            root, is the name, without '..'.
        paths: The files.

    Returns:
        Relative paths. Two are the same only if two files are.
    """
    root = Path(os.path.abspath(root))
    below = [_below(root, path) for path in paths]
    stems = [(path.parent / path.stem).as_posix() for path in below]  # with_suffix refuses a path without a name
    counts = Counter(stems)
    return [stem if counts[stem] == 1 else path.as_posix() for stem, path in zip(stems, below, strict=True)]


def _below(root: Path, path: str) -> PurePosixPath:
    name = path.partition('://')[2] or path
    name = _LINE_BREAK.sub(lambda found: f'%{ord(found[0]):02X}', name)  # lists hold a name a line
    absolute = Path(os.path.abspath(name))
    if absolute.is_relative_to(root) and '://' not in path:
        return PurePosixPath(absolute.relative_to(root))
    return PurePosixPath(*(part for part in PurePosixPath(name).parts if part not in ('/', '..')))
