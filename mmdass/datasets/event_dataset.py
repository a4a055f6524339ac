"""Recordings of event cameras, a sample for each frame."""

from pathlib import Path

import numpy as np

from mmdass.registry import DATASETS

from .modality_dataset import ModalityDataset, companion_path


@DATASETS.register_module()
class EventDataset(ModalityDataset):
    """A :class:`ModalityDataset` whose files are recordings of many frames; load them with ``LoadEvents``.

    A frame is a line of a text file of time stamps, as DSEC has them: one integer a line, microseconds, '#' comments.

    Example:
        >>> dict(type='EventDataset', data_root='data/DSEC/', images='train/*/events/left/events.h5', modality='event',
        ...      timestamps=('events/left/events.h5', 'images/timestamps.txt'), frames=(2, None, 2),
        ...      label_space='madm11', pipeline=[
        ...          dict(type='LoadEvents', duration=50_000, rectify_map='rectify_map.h5', crop=(440, 640)), ...])

    Args:
        timestamps: ``(pattern, replacement)`` as in ``re.sub``, from a recording's path to that of its time stamps.
        frames: (start, stop, step) of the frames to take; stop None for all.
        labels: As in :class:`ModalityDataset`; ``{frame}`` in the replacement is the frame's number, and may be
            formatted: ``('events/left/events.h5', 'semantic/11classes/{frame:06d}.png')``.
        **kwargs: Arguments of :class:`ModalityDataset`; ``images`` are the recordings.

    Raises:
        FileNotFoundError: A recording has no file of time stamps; see also :class:`ModalityDataset`.
        ValueError: Such a file cannot be read, or has none of the frames; see also :class:`ModalityDataset`.
    """

    def __init__(
        self, *args, timestamps: tuple[str, str], frames: tuple[int, int | None, int] = (0, None, 1), **kwargs
    ) -> None:
        self.timestamps = timestamps
        self.frames = slice(*frames)
        super().__init__(*args, **kwargs)

    def _items(self, root: Path) -> list[dict]:
        return [
            dict(recording, frame=frame, timestamp=int(timestamp))
            for recording in super()._items(root)
            for frame, timestamp in self._frames_of(root, recording['img_path'])
        ]

    def _label_path(self, root: Path, info: dict) -> str:
        return super()._label_path(root, info).format(frame=info['frame'])

    def _frames_of(self, root: Path, recording: str) -> list[tuple[int, int]]:
        path = companion_path(root, recording, self.timestamps, 'timestamps')
        frames = list(enumerate(_read_timestamps(path, recording)))[self.frames]
        if not frames:
            raise ValueError(f'{path} has no frame {self.frames}; set `frames` to (start, stop, step).')
        return frames


def _read_timestamps(path: str, recording: str) -> np.ndarray:
    try:
        return np.loadtxt(path, dtype=np.int64, ndmin=1)
    except OSError as error:
        raise FileNotFoundError(
            f'The time stamps {path} of {recording} cannot be read ({error}); set `timestamps`.') from None
    except ValueError as error:
        raise ValueError(f'{path} is no list of time stamps, one integer (microseconds) a line: {error}') from error
