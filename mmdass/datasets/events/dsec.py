"""DSEC's event files: HDF5 compressed with Blosc, with an index by milliseconds."""

from functools import lru_cache
from pathlib import Path
from types import ModuleType

import numpy as np

from .container import Events
from .unpacking import MAX_UNPACKED

MAX_MAP = 10**8  # numbers; a file of a few bytes can declare more than fits into memory
_INSTALL = "Install it: pip install h5py hdf5plugin (or pip install 'mmdass[events]')"


class DSECRecording:
    """A recording in DSEC's layout, of which only what is asked for is read. Use it in a ``with`` block.

    The file holds ``events/{t,x,y,p}``, ``t_offset`` (microseconds to add to t) and ``ms_to_idx``, whose entry ms is
    the number of events before that many milliseconds.

    Args:
        path: The file.
        sensor: Height and width in pixels.

    Raises:
        ImportError: h5py is missing.
        OSError: The file is no HDF5, is damaged, or needs the Blosc filter, which is missing.
        ValueError: The file lacks one of the above, or events are out of order or outside the sensor.
    """

    def __init__(self, path: str | Path, sensor: tuple[int, int] = (480, 640)) -> None:
        self.path = Path(path)
        self.sensor = sensor
        self._file = _open(path)
        try:
            self.offset = int(_load(_dataset(self._file, 't_offset', path, 0), (), path))
            self._columns = {name: _dataset(self._file, f'events/{name}', path, 1) for name in 'txyp'}
            self._index = _dataset(self._file, 'ms_to_idx', path, 1)
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> 'DSECRecording':
        return self

    def __exit__(self, *_) -> None:
        self._file.close()

    def __len__(self) -> int:
        return len(self._columns['t'])

    def index(self, time: int) -> int:
        """Number of the events before ``time`` (microseconds, offset included)."""
        relative = time - self.offset
        milliseconds = relative // 1000
        if relative <= 0:
            return 0
        begin, end = (self._before(ms) for ms in (milliseconds, milliseconds + 1))
        return begin + int(np.searchsorted(self._load('t', begin, end), relative))

    def read(self, begin: int, end: int) -> Events:
        """Events number ``begin`` to ``end - 1``."""
        columns = {name: self._load(name, begin, end) for name in 'txyp'}
        columns['t'] = columns['t'].astype(np.int64) + self.offset
        return Events.checked(**columns, height=self.sensor[0], width=self.sensor[1], source=str(self.path))

    def _before(self, milliseconds: int) -> int:
        """Number of the events before a millisecond; the index may end before the events do."""
        if milliseconds < len(self._index):
            return int(_load(self._index, milliseconds, self.path))
        return len(self)

    def _load(self, name: str, begin: int, end: int) -> np.ndarray:
        column = self._columns[name]
        if (end - begin) * column.dtype.itemsize > MAX_UNPACKED:
            raise ValueError(f'{self.path}: a window of {end - begin} events is too much to read at once. Set '
                             '`duration` or `count` of LoadEvents.')
        return _load(column, slice(begin, end), self.path)


@lru_cache(maxsize=64)
def read_rectify_map(path: str | Path) -> np.ndarray:
    """DSEC's rectification map of a camera, (height, width, 2) float32: undistorted x and y of each pixel.

    The same array for every call with the same path: do not change it.

    Raises:
        FileNotFoundError: There is no such file.
        OSError, ValueError, ImportError: See :class:`DSECRecording`.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f'The rectification map {path} does not exist; it comes with the events of DSEC.')
    with _open(path) as file:
        rectify_map = _dataset(file, 'rectify_map', path, 3, 'f')
        if rectify_map.size > MAX_MAP:
            raise ValueError(f'{path} is no rectification map: no camera has {rectify_map.shape} pixels.')
        return _load(rectify_map, ..., path)


def _hdf5() -> ModuleType:
    try:
        import h5py
    except ImportError as error:
        raise ImportError(f'HDF5 files need the package h5py. {_INSTALL}.') from error
    try:
        import hdf5plugin  # noqa: F401, its import registers the Blosc filter
    except ImportError:
        pass  # files without Blosc can be read
    return h5py


def _open(path: str | Path):
    h5py = _hdf5()
    try:
        return h5py.File(path, 'r')
    except OSError as error:
        raise OSError(f'{path} ({Path(path).stat().st_size} bytes) cannot be opened as HDF5: {error}. It is truncated '
                      'or damaged: copy it again from its source.') from error


def _dataset(file, name: str, path: str | Path, dimensions: int, kinds: str = 'iu'):
    h5py = _hdf5()
    try:
        found, held = file.get(name), ', '.join(file)
    except Exception as error:  # HDF5 meets damage with whatever its bytes lead to
        raise OSError(f"{path} is damaged at '{name}': {error}. Copy it again from its source.") from error
    if not isinstance(found, h5py.Dataset):
        raise ValueError(f"{path} has no '{name}': it is not in DSEC's layout. It holds: {held}.")
    if found.ndim != dimensions or found.dtype.kind not in kinds:
        raise ValueError(f"{path}: '{name}' is {found.dtype} of shape {found.shape}, which is not DSEC's layout. Copy "
                         'it again from its source.')
    return found


def _load(dataset, part, path: str | Path) -> np.ndarray:
    try:
        return dataset[part]
    except Exception as error:
        missing = _missing_filter(dataset)
        if missing:
            raise OSError(
                f'{path} is compressed with {missing}, which needs the package hdf5plugin. {_INSTALL}.') from error
        raise OSError(f"{path}: '{dataset.name}' is damaged: {error}. Copy the file again from its source, "
                      'or leave it out.') from error


def _missing_filter(dataset) -> str | None:
    h5py = _hdf5()
    filters = dataset.id.get_create_plist()
    for number in range(filters.get_nfilters()):
        code, _, _, name = filters.get_filter(number)
        if not h5py.h5z.filter_avail(code):
            return name.decode() or f'the filter {code}'
    return None
