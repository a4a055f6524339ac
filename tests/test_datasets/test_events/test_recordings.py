import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from event_files import SENSOR, random_events, write_dsec
from hypothesis import given
from hypothesis import strategies as st

import mmdass
from mmdass.datasets.events import open_recording, read_window

OFFSET = 50_000_000_000


def write_npz(path, events, **more):
    np.savez_compressed(path, t=events.t + OFFSET, x=events.x, y=events.y, p=events.p, **more)
    return path


def write_text(path, events, seconds=False):
    lines = [f'{(t + OFFSET) / 1e6:.6f}' if seconds else f'{t + OFFSET}' for t in events.t.tolist()]
    rows = zip(lines, events.x, events.y, events.p, strict=True)
    path.write_text('# t x y p\n' + ''.join(f'{t} {x} {y} {p}\n' for t, x, y, p in rows))
    return path


@pytest.fixture(scope='module')
def recordings(tmp_path_factory):
    """The same events in every format, with the arguments that read them."""
    folder, events = tmp_path_factory.mktemp('recordings'), random_events()
    return events, [
        (write_dsec(folder / 'a.h5', events, OFFSET), dict(sensor=SENSOR)),
        (write_npz(folder / 'a.npz', events), dict(sensor=SENSOR)),
        (write_npz(folder / 'b.npz', events, height=48, width=64), {}),
        (write_text(folder / 'us.txt', events), dict(sensor=SENSOR)),
        (write_text(folder / 's.txt', events, seconds=True), dict(sensor=SENSOR, time_unit='s')),
    ]


def require_equal(window, events, mask):
    np.testing.assert_array_equal(window.t - OFFSET, events.t[mask])
    for column in 'xyp':
        np.testing.assert_array_equal(getattr(window, column), getattr(events, column)[mask])
    assert (window.height, window.width) == SENSOR


@pytest.mark.parametrize('format_', range(5))
def test_every_format_gives_the_same_windows(recordings, format_):
    events, files = recordings
    path, kwargs = files[format_]
    require_equal(read_window(path, **kwargs), events, slice(None))
    window = read_window(path, OFFSET + 10_500, OFFSET + 60_001, **kwargs)
    require_equal(window, events, (events.t >= 10_500) & (events.t < 60_001))
    last = read_window(path, stop=OFFSET + 60_001, count=100, **kwargs)
    end = int((events.t < 60_001).sum())
    require_equal(last, events, slice(end - 100, end))


@given(st.integers(-5000, 205_000), st.integers(1, 150_000))
def test_dsec_windows_are_exact_to_the_microsecond(recordings, start, length):
    events, ((path, kwargs), *_) = recordings
    mask = (events.t >= start) & (events.t < start + length)
    if mask.any():
        require_equal(read_window(path, OFFSET + start, OFFSET + start + length, **kwargs), events, mask)
    else:
        with pytest.raises(ValueError, match='holds no event'):
            read_window(path, OFFSET + start, OFFSET + start + length, **kwargs)


def test_a_dsec_window_reads_no_more_than_its_part(recordings, monkeypatch):
    events, ((path, kwargs), *_) = recordings
    read = []
    from mmdass.datasets.events import dsec
    load = dsec._load
    monkeypatch.setattr(dsec, '_load', lambda dataset, part, path: read.append(part) or load(dataset, part, path))
    window = read_window(path, OFFSET + 100_000, OFFSET + 110_000, **kwargs)
    longest = max(part.stop - part.start for part in read if isinstance(part, slice))
    assert longest == len(window) < len(events) / 10


@pytest.mark.parametrize('format_', range(5))
def test_negative_and_empty_windows_are_refused(recordings, format_):
    path, kwargs = recordings[1][format_]
    name = re.escape(str(path))
    with pytest.raises(ValueError, match=rf'{name}: the time window \[20, 10\) us ends before it begins; swap'):
        read_window(path, 20, 10, **kwargs)
    with pytest.raises(ValueError, match=rf'{name} holds no event in \[5, 10\) us; it was recorded from 500000'):
        read_window(path, 5, 10, **kwargs)
    with pytest.raises(ValueError, match='ask for at least 1'):
        read_window(path, count=0, **kwargs)


def test_a_recording_without_events_says_so(tmp_path):
    nothing = random_events(0)
    for path in (write_npz(tmp_path / 'a.npz', nothing), write_dsec(tmp_path / 'a.h5', nothing)):
        with pytest.raises(ValueError, match='it is empty. Leave it out'):
            read_window(path, sensor=SENSOR)


def test_events_of_another_sensor_are_refused(recordings):
    for path, _ in recordings[1][:2]:
        with pytest.raises(ValueError, match=rf'{path.name}: events outside the sensor of 24 x 64'):
            read_window(path, sensor=(24, 64))


def test_events_out_of_order_are_refused(tmp_path):
    events = random_events()
    events.t[1000:1010] = events.t[1000:1010][::-1].copy()
    for path in (write_dsec(tmp_path / 'a.h5', events), write_npz(tmp_path / 'a.npz', events)):
        with pytest.raises(ValueError, match=rf'{path.name}: \d+ events are out of order, the first at index 1001'):
            read_window(path, sensor=SENSOR)


@pytest.mark.parametrize(('content', 'error', 'message'), [
    ('0.0012 1 2 1\n', ValueError, r"lines 't x y p' with t in us.*0\.0012.*time_unit"),
    ('64 48\n1 2 3 1\n', ValueError, r"cannot be read as lines 't x y p'"),
    ('\x00\xff\x12', ValueError, 'cannot be read'),
])
def test_other_text_is_refused(tmp_path, content, error, message):
    path = tmp_path / 'events.txt'
    path.write_bytes(content.encode('latin-1'))
    with pytest.raises(error, match=rf'events\.txt.*{message}'):
        read_window(path)


def test_broken_npz_and_missing_arrays_are_named(tmp_path):
    path = write_npz(tmp_path / 'a.npz', random_events())
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(OSError, match=r'a\.npz cannot be read as NPZ'):
        read_window(path)
    np.savez(tmp_path / 'b.npz', t=np.arange(3), x=np.arange(3), y=np.arange(3))
    with pytest.raises(ValueError, match=r"b\.npz has no array 'p'"):
        read_window(tmp_path / 'b.npz')


def test_missing_files_and_other_suffixes_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'nowhere\.h5 does not exist'):
        read_window(tmp_path / 'nowhere.h5')
    (tmp_path / 'a.aedat').touch()
    with pytest.raises(ValueError, match=r'a\.aedat is no event recording: \.h5 \(DSEC\), \.npz and \.txt'):
        read_window(tmp_path / 'a.aedat')
    (tmp_path / 'a.txt').touch()
    with pytest.raises(ValueError, match=r"is 'us' or 's', not 'ms'"), open_recording(tmp_path / 'a.txt', (1, 1), 'ms'):
        pass


def test_the_folder_works_alone_with_numpy(tmp_path, recordings):
    shutil.copytree(Path(mmdass.__file__).parent / 'datasets/events', tmp_path / 'events')
    code = ('import sys; from events import read_window, edge_image;'
            f'print(edge_image(read_window({str(recordings[1][0][0])!r}, sensor={SENSOR})).shape);'
            'assert not {"torch", "mmengine", "mmdass"} & set(sys.modules)')
    run = subprocess.run([sys.executable, '-c', code], cwd=tmp_path, capture_output=True, text=True)
    assert run.stdout == '(48, 64)\n', run.stderr
