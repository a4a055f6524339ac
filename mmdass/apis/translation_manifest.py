"""A folder of translated images: what it holds is written down, checked, and continued after a kill.

::

    OUT/manifest.json     how all images were made: recipe and its hash
    OUT/manifest.jsonl    a line an image, sorted by id; there when every shard is done
    OUT/images.txt        the images to train on, for ``ModalityDataset(images='images.txt')``
    OUT/image/ID.png      translated images
    OUT/label/ID.png      their labels: class indices, 255 for no class
    OUT/.translate/       locks, and a journal for each shard while work is going on
"""

import hashlib
import json
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mmdass.checkpoints.saver import remove_partials, replace_atomically
from mmdass.utils.file_lock import LockHeldError, hold_lock
from mmdass.utils.recipes import differences

_WORK = '.translate'


class TranslationError(ValueError):
    """A translation that cannot begin, or did not succeed, in a sentence for the user."""


class FailedImagesError(TranslationError):
    """Some images could not be translated; all others were."""


@dataclass(frozen=True)
class TranslatedImage:
    """A line of the manifest.

    Args:
        id: Name of the image below ``image/`` and ``label/``, without suffix.
        image_sha256, label_sha256: Of the bytes of the two files.
        seed, stage: With the id, the key of the image's random numbers.
        start: Noise steps walked forward, and back.
        guided: Whether the labels guided it. False where guidance was not finite.
        losses: Summary of the guidance losses.
    """

    id: str
    image_sha256: str
    label_sha256: str
    seed: int
    stage: int
    start: int
    guided: bool
    losses: dict[str, float]

    @property
    def image(self) -> str:
        """Path relative to the folder."""
        return f'image/{self.id}.png'

    @property
    def label(self) -> str:
        """Path relative to the folder."""
        return f'label/{self.id}.png'

    def line(self) -> str:
        """One line of JSON with a checksum of its own."""
        entry = dict(asdict(self), image=self.image, label=self.label)
        return json.dumps(dict(entry, check=_checksum(entry)), sort_keys=True)


def recipe_hash(recipe: Mapping[str, Any]) -> str:
    """16 hex digits that change with anything in a dict that JSON can hold."""
    return _checksum(recipe)


def read_manifest(folder: str | Path) -> list[TranslatedImage]:
    """The images of a finished folder, sorted by id.

    Raises:
        TranslationError: There is no manifest, or somebody has changed it.
    """
    path = Path(folder) / 'manifest.jsonl'
    if not path.is_file():
        raise TranslationError(f'{path} does not exist: the folder, or one of its shards, is not translated yet.')
    return [entry for entry in _read_lines(path) if isinstance(entry, TranslatedImage)]


def list_images(folder: str | Path, without: Collection[str] = ()) -> None:
    """Write ``images.txt``: all images of the manifest, except those ids."""
    entries = read_manifest(folder)
    _write(Path(folder) / 'images.txt', [entry.image + '\n' for entry in entries if entry.id not in without])


@contextmanager
def open_folder(
    root: str | Path, header: Mapping[str, Any], shard: tuple[int, int] = (0, 1)
) -> Iterator['TranslationFolder']:
    """Begin or continue translating into a folder, alone on the shard.

    Args:
        root: The folder; may be new.
        header: What ``manifest.json`` holds. A folder is continued only with the same values; 'recipe', what a hash
            among them was made of, is there for people.
        shard: Number of this one, from 0, and of all.

    Raises:
        TranslationError: The folder was begun otherwise, holds other things, was damaged, or another process is at
            work on this shard.
    """
    folder = TranslationFolder(Path(root), shard)
    with ExitStack() as stack:
        try:
            folder.alone = stack.enter_context(hold_lock(folder.work / f'{folder.name}.lock'))
        except LockHeldError as holder:
            raise TranslationError(
                f'Shard {shard[0]}/{shard[1]} of {root} is being translated by {holder}. Wait for it, or stop it and '
                'run this again: it continues where that one was.') from None
        folder.begin(header)
        yield folder


class TranslationFolder:
    """One shard's view of a folder, as :func:`open_folder` gives it."""

    def __init__(self, root: Path, shard: tuple[int, int]) -> None:
        self.root = root
        self.work = root / _WORK
        self.name = f'{shard[0]}-of-{shard[1]}'
        self.alone = False
        self._manifest = root / 'manifest.jsonl'

    def begin(self, header: Mapping[str, Any]) -> None:
        """Write the header, or compare with the one that is there."""
        path = self.root / 'manifest.json'
        if not path.exists():
            if any((self.root / name).exists() for name in ('image', 'label', self._manifest.name)):
                raise TranslationError(
                    f'{self.root} holds images but no {path.name}, so nobody knows how they were made. Choose another '
                    'folder, or delete this one.')
            with replace_atomically(path) as partial:
                partial.write_text(json.dumps(header, indent=1, sort_keys=True) + '\n')
        _require_same(path, json.loads(json.dumps(header)))

    def clean(self, ids: Collection[str]) -> None:
        """Remove what a kill has left half-written of these images."""
        if self.alone:
            remove_partials(self.root / kind / f'{id_}.png' for id_ in ids for kind in ('image', 'label'))

    def done(self) -> dict[str, TranslatedImage]:
        """What is written down, by id, whichever shard made it.

        Raises:
            TranslationError: Somebody has changed a line.
        """
        return self._read()[0]

    def is_whole(self, entry: TranslatedImage) -> bool:
        """Whether both files are there and are what was written."""
        files = {entry.image: entry.image_sha256, entry.label: entry.label_sha256}
        with suppress(OSError):
            return all(_sha256((self.root / name).read_bytes()) == sha for name, sha in files.items())
        return False

    def add(self, id_: str, image: bytes, label: bytes, **facts: Any) -> None:
        """Write the two PNG files, then write them down; ``facts`` are the other fields of the line."""
        entry = TranslatedImage(id_, _sha256(image), _sha256(label), **facts)
        for name, data in ((entry.image, image), (entry.label, label)):
            with replace_atomically(self.root / name) as partial:
                partial.write_bytes(data)
        self._append(entry.line())

    def add_failure(self, id_: str, reason: str) -> None:
        """Write down that an image cannot be translated, so that the others need not wait for it."""
        self._append(json.dumps(dict(failed=id_, reason=reason), sort_keys=True))

    def is_finished(self, ids: Collection[str]) -> bool:
        """Whether every one of ``ids`` is translated or has failed, in whatever shard."""
        done, failed = self._read()
        return all(id_ in done or id_ in failed for id_ in ids)

    def merge(self, ids: Collection[str]) -> None:
        """Write the manifest, if all shards are finished with ``ids``.

        So the last to finish does it, or several, one after the other. A journal goes after the manifest has what it
        says, and only if nobody is at work on it.
        """
        if not self.is_finished(ids):
            return
        with _wait_for_lock(self.work / 'merge.lock'), ExitStack() as stack:
            journals = [path for path in self._journals() if self._is_idle(path, stack)]
            done, failed = self._read()
            lines = [entry.line() + '\n' for _, entry in sorted(done.items())]
            # Of writing these, killed processes may have left parts; while we hold the lock, nobody writes them.
            remove_partials(self.root / name for name in ('manifest.json', self._manifest.name, 'images.txt'))
            _write(self._manifest, lines)
            list_images(self.root)
            if not failed - done.keys():
                for path in journals:
                    path.unlink(missing_ok=True)

    def _read(self) -> tuple[dict[str, TranslatedImage], set[str]]:
        """Images done, by id, and ids that failed."""
        done: dict[str, TranslatedImage] = {}
        failed: set[str] = set()
        # The manifest last: whoever removes a journal has put its lines there before.
        for path in [*self._journals(), self._manifest]:
            for entry in _read_lines(path, torn=path != self._manifest):
                if isinstance(entry, str):
                    failed.add(entry)
                elif done.get(entry.id, entry) == entry or self.is_whole(entry):
                    done[entry.id] = entry
        return done, failed

    def _journals(self) -> list[Path]:
        return sorted(self.work.glob('*.jsonl'))

    def _is_idle(self, journal: Path, stack: ExitStack) -> bool:
        """Whether it is ours, or that of a process that has ended; then nobody can begin with it in this block."""
        if journal.stem == self.name:
            return self.alone
        with suppress(LockHeldError):
            return stack.enter_context(hold_lock(journal.with_suffix('.lock')))
        return False

    def _append(self, line: str) -> None:
        # The line break comes first: it ends a line that a kill has torn.
        with (self.work / f'{self.name}.jsonl').open('a') as file:
            file.write('\n' + line)


@contextmanager
def _wait_for_lock(path: Path) -> Iterator[None]:
    while True:
        with suppress(LockHeldError), hold_lock(path):
            yield
            return
        time.sleep(0.1)


def _write(path: Path, lines: list[str]) -> None:
    with replace_atomically(path) as partial:
        partial.write_text(''.join(lines), encoding='utf-8')


def _read_lines(path: Path, torn: bool = False) -> Iterator[TranslatedImage | str]:
    """The images of a manifest or journal, and the ids of those that failed; ``torn`` skips lines that a kill cut."""
    try:
        lines = path.read_text(errors='replace').split('\n')
    except FileNotFoundError:  # nothing done yet; or a journal that another process has just merged
        return
    for number, line in enumerate(lines, 1):
        try:
            entry = json.loads(line) if line else None
        except (json.JSONDecodeError, RecursionError):
            entry = None
            if not torn:
                _refuse(path, number, 'is no JSON')
        if entry is not None:
            yield _parse(entry, path, number)


def _parse(entry: Any, path: Path, number: int) -> TranslatedImage | str:
    if isinstance(entry, dict) and 'failed' in entry:
        return entry['failed']
    if not isinstance(entry, dict) or entry.pop('check', None) != _checksum(entry):
        _refuse(path, number, 'was changed after it was written: its "check" does not fit')
    return TranslatedImage(**{name: value for name, value in entry.items() if name not in ('image', 'label')})


def _refuse(path: Path, number: int, what: str) -> None:
    raise TranslationError(
        f'{path}, line {number}, {what}. Bring the line back, or delete it to have its image translated again.')


def _require_same(path: Path, header: Mapping[str, Any]) -> None:
    try:
        found = json.loads(path.read_text(errors='replace'))
        same = all(found[key] == value for key, value in header.items() if key != 'recipe')
    except (json.JSONDecodeError, KeyError, TypeError, RecursionError) as error:
        raise TranslationError(
            f'{path} was changed or damaged ({type(error).__name__}: {error}). Bring it back, choose another folder, '
            f'or delete {path.parent}.') from None
    if not same:
        changes = [change for change in differences(found, header) if not change.startswith('config_hash ')]
        raise TranslationError(
            f'{path.parent} was translated otherwise, and images of two kinds are not mixed. What differs: '
            f'{"; ".join(changes) or "the config hash"}. Choose another folder, or delete this one.')


def _checksum(entry: Any) -> str:
    return _sha256(json.dumps(entry, sort_keys=True).encode())[:16]


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
