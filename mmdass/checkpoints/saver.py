"""Atomic writing: a checkpoint is there whole, or not there at all.

``SafeCheckpointHook`` uses it; MMEngine's ``CheckpointHook`` does with ``backend_args=dict(backend='mmdass_atomic')``.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from mmengine.fileio import LocalBackend, register_backend


@contextmanager
def replace_atomically(path: str | Path) -> Iterator[Path]:
    """Yield a path beside ``path`` to write to; move it there when the block ends, remove it when the block fails."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f'.{path.name}.{os.getpid()}.partial')
    try:
        yield partial
        # Without this, a power cut after the rename can leave the new name on unwritten blocks.
        with partial.open('rb+') as file:
            os.fsync(file.fileno())
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def remove_partials(paths: Iterable[str | Path]) -> None:
    """Delete what killed processes have left of writing ``paths``. Only where no other process writes them now."""
    names: dict[Path, set[str]] = {}
    for path in map(Path, paths):
        names.setdefault(path.parent, set()).add(path.name)
    for folder, known in names.items():
        for partial in folder.glob('.*.partial') if folder.is_dir() else ():
            if partial.name[1:].rsplit('.', 2)[0] in known:
                partial.unlink(missing_ok=True)


class AtomicLocalBackend(LocalBackend):
    """MMEngine's local file backend with atomic writes of bytes."""

    def put(self, obj: bytes, filepath: str | Path) -> None:
        """Write ``obj`` to ``filepath``, or leave what was there."""
        with replace_atomically(filepath) as partial:
            super().put(obj, partial)


register_backend('mmdass_atomic', AtomicLocalBackend, force=True)
