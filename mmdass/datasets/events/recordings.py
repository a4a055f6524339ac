"""Recordings of event cameras: DSEC's HDF5 files, plain text and NPZ, and windows of them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from .container import Events
from .dsec import DSECRecording
from .unpacking import load_npz


class ArrayRecording:
    """A recording that is in memory.

    Args:
        events: All of its events.
    """

    def __init__(self, events: Events) -> None:
        self.events = events

    def __len__(self) -> int:
        return len(self.events)

    def index(self, time: int) -> int:
        """Number of the events before ``time`` (microseconds)."""
        return int(np.searchsorted(self.events.t, time))

    def read(self, begin: int, end: int) -> Events:
        """Events number ``begin`` to ``end - 1``."""
        return self.events.between(begin, end)


@contextmanager
def open_recording(
    path: str | Path, sensor: tuple[int, int] = (480, 640), time_unit: str = 'us'
) -> Iterator[ArrayRecording | DSECRecording]:
    """Open a recording; the suffix tells the format.

    - '.h5', '.hdf5': DSEC's layout, see :class:`DSECRecording`; read in parts.
    - '.npz': arrays t (microseconds), x, y, p; optionally the numbers height and width. At most 2 GiB unpacked.
    - '.txt': a line 't x y p' an event; lines that begin with '#' are comments.

    Args:
        path: The file.
        sensor: Height and width in pixels, where the file does not tell them (DSEC's size by default).
        time_unit: 'us' or 's', of text files.

    Raises:
        FileNotFoundError: There is no such file.
        OSError: The file cannot be read.
        ValueError: The suffix or the content is not as described; see also :meth:`Events.checked`.
        ImportError: h5py is needed and missing.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f'The event recording {path} does not exist.')
    if path.suffix in ('.h5', '.hdf5'):
        with DSECRecording(path, sensor) as recording:
            yield recording
    elif path.suffix == '.npz':
        yield ArrayRecording(_read_npz(path, sensor))
    elif path.suffix == '.txt':
        yield ArrayRecording(_read_text(path, sensor, time_unit))
    else:
        raise ValueError(f'{path} is no event recording: .h5 (DSEC), .npz and .txt can be read.')


def read_window(
    path: str | Path, start: int | None = None, stop: int | None = None, count: int | None = None, **kwargs
) -> Events:
    """Read the events of a time window, or the last ones before a time.

    Args:
        path: See :func:`open_recording`.
        start: First microsecond of the window, the recording's begin if None.
        stop: End of the window in microseconds, not included; the recording's end if None.
        count: Take this many events before ``stop`` instead of a window (fewer at the recording's begin).
        **kwargs: Further arguments of :func:`open_recording`.

    Returns:
        At least one event. Times are as in the data set's time stamps (DSEC's ``t_offset`` is added).

    Raises:
        ValueError: The window ends before it begins, or holds no event; see also :func:`open_recording`.
    """
    if start is not None and stop is not None and stop <= start:
        raise ValueError(f'{path}: the time window [{start}, {stop}) us ends before it begins; swap its ends.')
    if count is not None and count < 1:
        raise ValueError(f'{path}: {count} events were asked for; ask for at least 1.')
    with open_recording(path, **kwargs) as recording:
        end = len(recording) if stop is None else recording.index(stop)
        if count is not None:
            begin = max(end - count, 0)
        else:
            begin = 0 if start is None else recording.index(start)
        if begin >= end:
            raise ValueError(_empty(path, recording, start, stop))
        events = recording.read(begin, end)
    if (start is not None and events.t[0] < start) or (stop is not None and events.t[-1] >= stop):
        raise ValueError(f"{path}: 'ms_to_idx' does not fit the events' times. Copy the file again from its source.")
    return events


def _empty(path: str | Path, recording: ArrayRecording | DSECRecording, start: int | None, stop: int | None) -> str:
    window = f'{path} holds no event in [{"begin" if start is None else start}, {"end" if stop is None else stop}) us'
    if not len(recording):
        return f'{window}, nor at any other time: it is empty. Leave it out.'
    first, last = recording.read(0, 1).t[0], recording.read(len(recording) - 1, len(recording)).t[0]
    return (f'{window}; it was recorded from {first} to {last} us. Check that the time stamps are of this recording '
            'and in microseconds, leave this window out, or take a longer one.')


def _read_npz(path: Path, sensor: tuple[int, int]) -> Events:
    try:
        content = load_npz(path)
        height, width = int(content.get('height', sensor[0])), int(content.get('width', sensor[1]))
        columns = [content[name] for name in 'txyp']
    except KeyError as error:
        raise ValueError(f'{path} has no array {error}; t (microseconds), x, y and p are expected.') from None
    except Exception as error:  # a broken zip file raises a dozen different ones
        raise OSError(f'{path} cannot be read as NPZ: {error}. Write it again with numpy.savez, or a long recording '
                      "in DSEC's layout (HDF5), which is read in parts.") from error
    return Events.checked(*columns, height, width, source=str(path))


def _read_text(path: Path, sensor: tuple[int, int], time_unit: str) -> Events:
    scales = dict(us=1, s=1_000_000)
    if time_unit not in scales:
        raise ValueError(f"The time unit of {path} is 'us' or 's', not {time_unit!r}.")
    time_type = np.int64 if time_unit == 'us' else np.float64
    layout = np.dtype([('t', time_type), ('x', np.int32), ('y', np.int32), ('p', np.int8)])
    try:
        table = np.loadtxt(path, dtype=layout, comments='#', ndmin=1)
    except ValueError as error:
        raise ValueError(
            f"{path} cannot be read as lines 't x y p' with t in {time_unit}: {error}. Set `time_unit` if the times "
            'are in the other unit, and put a # before other lines.'
        ) from error
    t = np.rint(table['t'] * scales[time_unit]).astype(np.int64)
    return Events.checked(t, table['x'], table['y'], table['p'], *sensor, source=str(path))
