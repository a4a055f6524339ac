import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from event_files import SENSOR, random_events, write_dsec, write_rectify_map

import mmdass
from mmdass.datasets.events import dsec, read_window
from mmdass.datasets.events.dsec import read_rectify_map

OFFSET = 50_000_000_000


@pytest.fixture
def path(tmp_path):
    return write_dsec(tmp_path / 'events.h5', random_events(), OFFSET)


def read_without(module, path, folder):
    """Read in a process in which a package is not installed; the last line of its error."""
    shutil.copytree(Path(mmdass.__file__).parent / 'datasets/events', folder / 'events')
    code = (f'import sys; sys.modules[{module!r}] = None; from events import read_window;'
            f'read_window({str(path)!r}, sensor={SENSOR})')
    run = subprocess.run([sys.executable, '-c', code], cwd=folder, capture_output=True, text=True)
    assert run.returncode == 1
    return run.stderr.splitlines()[-1]


def test_missing_blosc_filter_names_the_package(path, tmp_path):
    error = read_without('hdf5plugin', path, tmp_path)
    assert error.startswith(f'OSError: {path} is compressed with blosc') and 'pip install h5py hdf5plugin' in error


def test_missing_h5py_names_the_package(path, tmp_path):
    error = read_without('h5py', path, tmp_path)
    assert error.startswith('ImportError: HDF5 files need the package h5py. Install it: pip install h5py hdf5plugin')


def test_corrupt_chunk_is_named_and_other_chunks_can_be_read(path):
    with h5py.File(path) as file:
        chunk = file['events/x'].id.get_chunk_info(2)
    with path.open('rb+') as file:
        file.seek(chunk.byte_offset)
        file.write(b'\xff' * chunk.size)
    with pytest.raises(OSError, match=r"events\.h5: '/events/x' is damaged: .*Copy the file again"):
        read_window(path, sensor=SENSOR)
    events = random_events()
    assert len(read_window(path, stop=OFFSET + int(events.t[2000]), sensor=SENSOR)) <= 2000


@pytest.mark.parametrize('kept', [0, 100, 0.5])
def test_truncated_file_is_named(path, kept):
    data = path.read_bytes()
    path.write_bytes(data[:int(kept * len(data)) if kept < 1 else kept])
    with pytest.raises(OSError, match=r'events\.h5 \(\d+ bytes\) cannot be opened as HDF5.*copy it again'):
        read_window(path, sensor=SENSOR)


@pytest.mark.parametrize('name', ['t_offset', 'ms_to_idx', 'events/p'])
def test_another_layout_is_refused(path, name):
    with h5py.File(path, 'r+') as file:
        del file[name]
    with pytest.raises(ValueError, match=rf"events\.h5 has no '{name}': it is not in DSEC's layout\. It holds: "):
        read_window(path, sensor=SENSOR)


def test_index_that_does_not_fit_the_times_is_refused(path):
    with h5py.File(path, 'r+') as file:
        file['ms_to_idx'][...] = np.roll(file['ms_to_idx'][...], 20)
    with pytest.raises(ValueError, match="'ms_to_idx' does not fit"):
        read_window(path, OFFSET + 100_000, OFFSET + 110_000, sensor=SENSOR)


def test_a_window_that_would_fill_the_memory_is_refused(path, monkeypatch):
    monkeypatch.setattr(dsec, 'MAX_UNPACKED', 4 * 1000)  # of t, a uint32
    assert len(read_window(path, count=1000, sensor=SENSOR)) == 1000
    with pytest.raises(ValueError, match=r'events\.h5: a window of 1001 events is too much to read at once'):
        read_window(path, count=1001, sensor=SENSOR)


def test_rectify_map_is_read_and_missing_ones_are_named(tmp_path):
    rectify_map = np.random.default_rng(0).random((*SENSOR, 2), np.float32)
    write_rectify_map(tmp_path / 'rectify_map.h5', rectify_map)
    np.testing.assert_array_equal(read_rectify_map(tmp_path / 'rectify_map.h5'), rectify_map)
    with pytest.raises(FileNotFoundError, match=r'none\.h5 does not exist; it comes with the events'):
        read_rectify_map(tmp_path / 'none.h5')
