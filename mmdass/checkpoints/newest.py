"""Which checkpoint a run continues from: the newest one that is whole."""

import re
from collections.abc import Sequence
from pathlib import Path
from zipfile import BadZipFile, ZipFile

import torch

from .loader import CheckpointError
from .saver import replace_atomically

_NAME = re.compile(r'(?:iter|epoch)_(\d+)\.pth')
PARTS = ('meta', 'state_dict', 'message_hub', 'optimizer')
_WEIGHTS_ALONE = 'no training state'


def find_damage(path: str | Path, parts: Sequence[str] = PARTS) -> str | None:
    """What keeps a file from being a whole training state, or from having other ``parts``; or None.

    Every byte is read and compared with the checksums that ``torch.save`` wrote, which ``torch.load`` does not do.
    Nothing is executed, and no weight is kept in memory.
    """
    try:
        with ZipFile(path) as archive:
            damaged = archive.testzip()
        if damaged:
            return f'damaged: {damaged} in it is not what was written'
        found = torch.load(path, map_location='cpu', mmap=True, weights_only=True)
        missing = [part for part in parts if part not in found]
    except BadZipFile:
        return f'empty or cut off ({Path(path).stat().st_size} bytes)'
    except Exception as error:  # a damaged file leads to whatever its bytes lead to
        return f'unreadable: {str(error).strip().partition(chr(10))[0]}'
    return f'{_WEIGHTS_ALONE}, it lacks {", ".join(missing)}' if missing else None


def lacks_training_state(path: str | Path) -> bool:
    """Whether a file is whole, and holds weights alone."""
    return (find_damage(path) or '').startswith(_WEIGHTS_ALONE)


def point_to_newest(work_dir: str | Path) -> list[str]:
    """Let ``last_checkpoint``, where MMEngine looks for what to resume, name the newest whole checkpoint.

    Newest is the highest iteration of the run that was last in the folder. A kill while MMEngine writes that file, or a
    disk that damages a checkpoint, would make it name nothing that can be loaded.

    Args:
        work_dir: The run's folder; if it has no checkpoints, as with ``CheckpointHook(out_dir=...)``, they are searched
            where the file says.

    Returns:
        A line on the choice, and one on each newer file that was passed over; none where there is no checkpoint.

    Raises:
        CheckpointError: There are checkpoints, but none is whole.
    """
    pointer = Path(work_dir, 'last_checkpoint')
    named = pointer.read_text().strip() if pointer.is_file() else ''
    folder = Path(work_dir)  # first: if it was moved or copied, the file names another
    candidates = _by_iteration(folder)
    if named and not candidates:
        folder = Path(named).parent
        candidates = _by_iteration(folder)
    # What is older than the file named last is of an earlier run in the same folder, however far that came.
    last = folder / Path(named).name
    since = last.stat().st_mtime if last in candidates else 0
    passed = []
    for path in sorted(candidates, key=lambda path: (path.stat().st_mtime >= since, candidates[path]), reverse=True):
        damage = None if path.is_dir() else find_damage(path)  # DeepSpeed's are folders
        if damage is None:
            if Path(named).absolute() != path.absolute():
                with replace_atomically(pointer) as partial:
                    partial.write_text(str(path))
            return [f'Resuming from {path}, the newest whole checkpoint.', *passed]
        passed.append(f'Passed over {path}: {damage}.')
    if passed:
        raise CheckpointError('\n'.join([f'No checkpoint in {folder} can be resumed. Begin anew in another '
                                         '--work-dir, or without --resume.', *passed]))
    return []


def _by_iteration(folder: Path) -> dict[Path, int]:
    return {path: int(match[1]) for path in folder.glob('*.pth') if (match := _NAME.fullmatch(path.name))}
