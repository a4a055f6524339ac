"""What preparing a data set consists of: jobs, each of which makes one file or checks some."""

import hashlib
import io
import json
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from mmdass.checkpoints.saver import replace_atomically


class PrepareError(ValueError):
    """A data set that cannot be prepared, in a sentence for the user."""


@dataclass(frozen=True)
class Job:
    """One piece of work, done in a worker process.

    Args:
        function: ``function(*inputs, **options)``, of a module's top level. Returns the bytes of the output, or None if
            it only checks; raises if the inputs are not as they should be.
        inputs: Files that it reads. They must exist.
        output: File that is to hold the bytes; None for a check.
        options: Keyword arguments of the function, as JSON can hold them.
    """

    function: Callable[..., bytes | None]
    inputs: tuple[Path, ...] = ()
    output: Path | None = None
    options: dict[str, Any] = field(default_factory=dict)

    def name(self, root: Path) -> str:
        """What the job is called in reports and in the journal: its output, or the first file that it checks."""
        return relative_name(self.output or self.inputs[0], root)

    def key(self, root: Path) -> str:
        """Changes with the function, its options, and the names, sizes and times of its inputs.

        Raises:
            PrepareError: An input is missing, empty, a link that leads nowhere, or no regular file.
        """
        parts = [f'{self.function.__module__}.{self.function.__qualname__}', self.options]
        for path in self.inputs:
            status = _require_file(path)
            parts.append([relative_name(path, root), status.st_size, status.st_mtime_ns])
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]

    def run(self) -> int | None:
        """Do it; return the size of the output in bytes, None for a check.

        An output that is there already and that we did not claim (see ``Journal``) is somebody's: it stays, if it shows
        what we would have made.
        """
        data = self.function(*self.inputs, **self.options)
        if self.output is None:
            return None
        with replace_atomically(self.output) as partial:
            partial.write_bytes(data)
        return len(data)

    def compare(self) -> int:
        """Like :meth:`run`, but for an output that somebody else made: it is not touched.

        Raises:
            PrepareError: It shows something else than what would be made.
        """
        data = self.function(*self.inputs, **self.options)
        made, found = (np.asarray(Image.open(file)) for file in (io.BytesIO(data), self.output))
        if not np.array_equal(made, found):
            raise PrepareError(
                f'{self.output} was there before, not made by this command, and differs from what it would make. Move '
                'it away to have it made.')
        return self.output.stat().st_size


def relative_name(path: Path, root: Path) -> str:
    """The path below the root in characters that can be printed: file names may be bytes of no encoding."""
    return os.path.relpath(path, root).encode(errors='backslashreplace').decode()


def _require_file(path: Path) -> os.stat_result:
    try:
        status = path.stat()
    except FileNotFoundError:
        reason = 'is a symbolic link that leads nowhere' if path.is_symlink() else 'does not exist'
        raise PrepareError(f'{path} {reason}.') from None
    except OSError as error:
        raise PrepareError(f'{path} cannot be read: {error.strerror}.') from None
    if not stat.S_ISREG(status.st_mode):
        raise PrepareError(f'{path} is not a regular file.')
    if not status.st_size:
        raise PrepareError(f'{path} is empty (0 bytes). Copy it again from its source.')
    return status
