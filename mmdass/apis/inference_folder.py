"""A folder of predictions: what is in it is written down, so that a killed run continues and kinds are not mixed.

::

    OUT/inference.json        how all of them were made
    OUT/inference.jsonl       a line an image: its name, its file, its outputs with their sizes
    OUT/label/NAME.png        class indices
    OUT/colour/NAME.png       the same in the colours of the classes
    OUT/overlay/NAME.jpg      laid over the image, with a legend
    OUT/confidence/NAME.png   255 where the model is certain
    OUT/logits/NAME.npy       (classes, H, W) float16, if asked for
"""

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from mmdass.checkpoints.saver import remove_partials, replace_atomically
from mmdass.utils.file_lock import LockHeldError, hold_lock
from mmdass.utils.recipes import differences

from .inference_inputs import InferenceInput
from .inference_outputs import SUFFIXES


class InferenceError(ValueError):
    """Inference that cannot begin, in a sentence for the user."""


@contextmanager
def open_inference_folder(root: Path, recipe: Mapping[str, Any]) -> Iterator['InferenceFolder']:
    """Begin or continue a folder, alone.

    Args:
        root: The folder; may be new.
        recipe: What changes predictions, as JSON can hold it.

    Raises:
        InferenceError: The folder was begun with another recipe, or another process is at work in it.
    """
    try:
        with hold_lock(root / '.inference.lock'):
            folder = InferenceFolder(root)
            folder.begin(json.loads(json.dumps(recipe)))
            yield folder
            folder.finish()
    except LockHeldError as holder:
        raise InferenceError(
            f'{root} is being filled by {holder}. Wait for it, or stop it and run this again: it continues where that '
            'one was.') from None


class InferenceFolder:
    """What :func:`open_inference_folder` gives."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._recipe = root / 'inference.json'
        self._journal = root / 'inference.jsonl'
        self._done: dict[str, dict] = {}

    def begin(self, recipe: Mapping[str, Any]) -> None:
        """Write the recipe down, or compare with the one that is there."""
        if not self._recipe.exists():
            with replace_atomically(self._recipe) as partial:
                partial.write_text(json.dumps(recipe, indent=1) + '\n')
        try:
            found = json.loads(self._recipe.read_text())
        except ValueError as error:
            raise InferenceError(
                f'{self._recipe} was damaged ({error}). Delete {self.root}, or choose another.') from None
        changes = list(differences(found, recipe))
        if changes:
            raise InferenceError(
                f'{self.root} holds predictions made otherwise, and those of two kinds are not mixed. What differs: '
                f'{"; ".join(changes[:8])}. Choose another folder, or delete this one.')
        self._done = {entry['name']: entry for entry in self._read()}

    def missing(self, inputs: Iterable[InferenceInput], kinds: Iterable[str]) -> list[InferenceInput]:
        """Those of whose outputs one is not there or not whole, or whose file has changed since."""
        todo = [each for each in inputs if not self._is_whole(each, kinds)]
        remove_partials(self.root / output_name(kind, each) for each in todo for kind in kinds)
        return todo

    def add(self, source: InferenceInput, writers: Mapping[str, Callable[[Path], Any]]) -> None:
        """Write the outputs of an image, then write them down.

        Args:
            source: The image.
            writers: From each kind of output to what writes it to a path.
        """
        sizes = {}
        for kind, write in writers.items():
            with replace_atomically(self.root / output_name(kind, source)) as partial:
                write(partial)
                sizes[kind] = partial.stat().st_size
        entry = dict(name=source.name, source=_describe(source), outputs=sizes)
        self._done[source.name] = entry
        # The line break comes first: it ends a line that a kill has torn.
        with self._journal.open('a') as file:
            file.write('\n' + json.dumps(entry))

    def finish(self) -> None:
        """Write the journal anew: each image once, sorted by name."""
        if self._done:
            with replace_atomically(self._journal) as partial:
                partial.write_text(''.join(json.dumps(entry) + '\n' for _, entry in sorted(self._done.items())))

    def _is_whole(self, source: InferenceInput, kinds: Iterable[str]) -> bool:
        entry = self._done.get(source.name)
        with suppress(OSError):
            return entry is not None and entry['source'] == _describe(source) and all(
                (self.root / output_name(kind, source)).stat().st_size == entry['outputs'].get(kind) for kind in kinds)
        return False

    def _read(self) -> Iterator[dict]:
        with suppress(FileNotFoundError):
            for line in self._journal.read_text(errors='replace').split('\n'):
                with suppress(json.JSONDecodeError):  # torn by a kill: its image is simply done again
                    if line:
                        yield json.loads(line)


def output_name(kind: str, source: InferenceInput) -> str:
    """Path of an output, relative to the folder."""
    return f'{kind}/{source.name}{SUFFIXES[kind]}'


def _describe(source: InferenceInput) -> list:
    stat = os.stat(source.path)
    return [os.path.abspath(source.path), stat.st_size, stat.st_mtime_ns, source.frame, source.timestamp]
