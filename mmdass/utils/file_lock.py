"""One process at a time, on any host: a lock that the system lets go of when its holder dies."""

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class LockHeldError(RuntimeError):
    """Another process holds the lock; the message names it."""


@contextmanager
def hold_lock(path: Path) -> Iterator[bool]:
    """Keep other processes out for as long as the block runs. The file stays: removing it would let two in.

    Args:
        path: The lock's file; its folder is made if it is missing.

    Yields:
        Whether we are alone for certain. False on a file system without locks.

    Raises:
        LockHeldError: Another process holds it.
        OSError: The file cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open('a+') as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise LockHeldError(file.read() or 'another process') from None
        except OSError:  # some network file systems have no locks
            yield False
            return
        file.truncate(0)
        file.write(f'process {os.getpid()} on {socket.gethostname()}')
        file.flush()
        yield True
