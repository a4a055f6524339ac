"""Archives that unpack to more than they seem."""

import zipfile

import numpy as np
import pytest

from mmdass.datasets.events import open_recording, unpacking
from mmdass.datasets.events.unpacking import load_npz

EVENTS = dict.fromkeys('txyp', np.zeros(2**18, np.int64))  # 8 MiB, of which compression leaves a thousandth


@pytest.fixture
def bomb(tmp_path, monkeypatch):
    monkeypatch.setattr(unpacking, 'MAX_UNPACKED', 4 * 2**20)
    np.savez_compressed(tmp_path / 'bomb.npz', **EVENTS)
    return tmp_path / 'bomb.npz'


def test_is_refused_before_anything_is_unpacked(bomb, monkeypatch):
    monkeypatch.setattr(zipfile.ZipFile, 'open', lambda *_: pytest.fail('unpacked'))
    with pytest.raises(ValueError, match='the archive holds 0.0 GiB when unpacked, more than the 0.00390625 that are'):
        load_npz(bomb)


def test_a_recording_is_named_with_the_way_out(bomb):
    with pytest.raises(OSError, match=r'bomb\.npz cannot be read as NPZ: the archive holds .*HDF5'):
        open_recording(bomb).__enter__()


def test_what_fits_is_read(bomb, monkeypatch):
    monkeypatch.setattr(unpacking, 'MAX_UNPACKED', 9 * 2**20)
    assert load_npz(bomb).keys() == EVENTS.keys()


def test_an_array_that_is_larger_than_declared_is_not_unpacked(tmp_path):
    np.save(tmp_path / 'a.npy', EVENTS['t'])
    with zipfile.ZipFile(tmp_path / 'a.npz', 'w', zipfile.ZIP_DEFLATED) as archive:
        archive.write(tmp_path / 'a.npy', 'a.npy')
        archive.infolist()[0].file_size = 1000  # the directory is written when the archive is closed
    with pytest.raises((ValueError, zipfile.BadZipFile)):
        load_npz(tmp_path / 'a.npz')
