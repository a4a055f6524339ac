"""Event recordings in the published formats, written by the tests."""

from pathlib import Path

import h5py
import hdf5plugin
import numpy as np

from mmdass.datasets.events import Events

SENSOR = (48, 64)


def random_events(number: int = 5000, duration: int = 200_000, sensor: tuple[int, int] = SENSOR, seed: int = 0):
    draws = np.random.default_rng(seed)
    t = np.sort(draws.integers(0, duration, number))
    x, y = draws.integers(0, sensor[1], number), draws.integers(0, sensor[0], number)
    return Events(t, x.astype(np.uint16), y.astype(np.uint16), draws.integers(0, 2, number).astype(np.uint8), *sensor)


def write_dsec(path: Path, events: Events, offset: int = 50_000_000_000) -> Path:
    """DSEC's layout: Blosc-compressed columns, times without their offset, an index by milliseconds."""
    path.parent.mkdir(parents=True, exist_ok=True)
    options = dict(chunks=(1024,), maxshape=(None,), **hdf5plugin.Blosc(cname='zstd', clevel=3))
    milliseconds = np.arange(int(events.t[-1]) // 1000 + 1) if len(events) else np.arange(1)
    with h5py.File(path, 'w') as file:
        for name, values, dtype in (('t', events.t, np.uint32), ('x', events.x, np.uint16),
                                    ('y', events.y, np.uint16), ('p', events.p, np.uint8)):
            file.create_dataset(f'events/{name}', data=np.asarray(values).astype(dtype), **options)
        file['ms_to_idx'] = np.searchsorted(events.t, milliseconds * 1000).astype(np.uint64)
        file['t_offset'] = np.int64(offset)
    return path


def write_rectify_map(path: Path, rectify_map: np.ndarray) -> Path:
    with h5py.File(path, 'w') as file:
        file.create_dataset('rectify_map', data=rectify_map.astype(np.float32), **hdf5plugin.Blosc())
    return path
