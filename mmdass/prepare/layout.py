"""Looking for files where a data set has them."""

import os
from pathlib import Path

from .job import PrepareError


def find(root: Path, *patterns: str) -> list[Path]:
    """Files that match any of the globs, sorted; links that lead nowhere are among them, for a job to refuse.

    Raises:
        PrepareError: A folder on the way is a link that leads nowhere or in a circle, or cannot be read.
    """
    found = set()
    for pattern in patterns:
        parts = Path(pattern).parts
        for depth in range(1, len(parts)):
            for folder in root.glob('/'.join(parts[:depth])):
                _require_readable(folder)
        found.update(path for path in root.glob(pattern) if not path.name.startswith('.'))
    return sorted(found)


def _require_readable(folder: Path) -> None:
    if folder.is_symlink() and not folder.exists():
        raise PrepareError(f'{folder} is a symbolic link that leads nowhere or in a circle. Repair or remove it.')
    if folder.is_dir() and not os.access(folder, os.R_OK | os.X_OK):
        raise PrepareError(f'{folder} cannot be read: permission denied.')


def require_found(found: list[Path], root: Path, data_set: str, *expected: str) -> None:
    """Refuse a root without a file of an expected kind (globs), and say what is there instead.

    Raises:
        PrepareError: ``found`` is empty.
    """
    if found:
        return
    names = sorted(path.name + ('/' if path.is_dir() else '') for path in root.iterdir())
    listing = ', '.join(names[:10]) + (', ...' if len(names) > 10 else '') if names else 'nothing'
    below = next((path for path in sorted(root.iterdir()) if _has(path, expected)), None)
    hint = f' It is in {below}: give that folder.' if below else ''
    raise PrepareError(
        f'{root} is not {data_set} as downloaded. Expected: {" or ".join(expected)}. Found: {listing}.{hint}')


def _has(folder: Path, patterns: tuple[str, ...]) -> bool:
    return folder.is_dir() and any(True for pattern in patterns for _ in folder.glob(pattern))
