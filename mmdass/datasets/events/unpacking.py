"""How much of a compressed file comes into memory: a few megabytes can hold more than fits there."""

from pathlib import Path

import numpy as np

MAX_UNPACKED = 2 * 2**30
"""Bytes that are unpacked at once: 165 million events as t int64, x and y uint16, p uint8."""


def load_npz(path: str | Path) -> dict[str, np.ndarray]:
    """All arrays of an NPZ archive by name; nothing is unpickled.

    The sizes that count are those that the archive declares: no more of an array than that is ever unpacked.

    Raises:
        ValueError: It declares more than ``MAX_UNPACKED`` bytes. The message does not name the file.
        Exception: What NumPy and zipfile raise at a damaged archive, of many kinds.
    """
    with np.load(path, allow_pickle=False) as archive:
        size = sum(member.file_size for member in archive.zip.infolist())
        if size > MAX_UNPACKED:
            raise ValueError(f'the archive holds {size / 2**30:.1f} GiB when unpacked, more than the '
                             f'{MAX_UNPACKED / 2**30:g} that are read')
        return {name: archive[name] for name in archive.files}
