"""What has been done below a root, kept beside the data so that a killed run continues."""

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from mmdass.utils import file_lock

from .job import Job, PrepareError, relative_name

FOLDER = '.mmdass_prepare'


class Journal:
    """Which outputs are ours, and which jobs are done; one line of JSON an entry, appended.

    An output is claimed before it is made, so that a run that is killed between making a file and noting it knows the
    file for its own, and so that files of others are never overwritten.

    Args:
        root: Folder of the data set. Nothing is written before something is claimed or done.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.path = root / FOLDER / 'journal.jsonl'
        self._claimed: set[str] = set()
        self._done: dict[str, tuple[str, int | None]] = {}
        for entry in self._read():
            self._claimed.update(entry.get('claimed', ()))
            if 'done' in entry:
                self._done[entry['done']] = entry['key'], entry['size']

    def _read(self) -> Iterator[dict]:
        lines = self.path.read_text().split('\n') if self.path.is_file() else []
        for line in lines:
            try:
                yield json.loads(line)
            except json.JSONDecodeError:
                continue  # torn by a kill: what it said is simply done again

    def owns(self, output: Path) -> bool:
        """Whether a file was made, or was about to be made, by an earlier run."""
        return relative_name(output, self.root) in self._claimed

    def is_done(self, job: Job, key: str) -> bool:
        """Whether the job was done with this key, and its output still is as it was."""
        known, size = self._done.get(job.name(self.root), (None, None))
        if known != key:
            return False
        return job.output is None or (os.path.isfile(job.output) and job.output.stat().st_size == size)

    def claim(self, jobs: Iterable[Job]) -> None:
        """Note that the outputs of the jobs, where there is none yet, will be ours."""
        names = [job.name(self.root) for job in jobs if job.output and not os.path.exists(job.output)]
        if names:
            self._claimed.update(names)
            self._append(dict(claimed=names))

    def note(self, job: Job, key: str, size: int | None) -> None:
        """Note that the job is done."""
        self._append(dict(done=job.name(self.root), key=key, size=size))

    def _append(self, entry: dict) -> None:
        # The line break comes first: it ends a line that a kill has torn.
        with self.path.open('a') as file:
            file.write('\n' + json.dumps(entry))


@contextmanager
def hold_lock(root: Path) -> Iterator[bool]:
    """Keep other processes, of any host, from preparing the same root.

    Yields:
        Whether we are alone for certain. If not, two processes may do the same work twice, each file whole all the
        same.

    Raises:
        PrepareError: Another process holds it, or the root cannot be written.
    """
    path = root / FOLDER / 'lock'
    with ExitStack() as stack:
        try:
            alone = stack.enter_context(file_lock.hold_lock(path))
        except file_lock.LockHeldError as holder:
            raise PrepareError(
                f'{root} is being prepared by {holder}. Wait for it, or stop it and run this again: it continues where '
                'that one was.') from None
        except OSError as error:
            raise PrepareError(
                f'{path} cannot be written: {error.strerror}. Preparing needs write access; `mmdass check CONFIG` does '
                'not.') from None
        yield alone
