"""Whatever lies in the folder: a sentence that names it, and the rest is done."""

import os

import pytest
import raw_trees

from mmdass.cli import main
from mmdass.prepare import DATA_SETS


def prepare(*argv) -> int:
    return main(['prepare', *map(str, argv), '--workers', '1'])


@pytest.fixture
def root(tmp_path):
    return raw_trees.gta(tmp_path, items=2)


def spoil_empty(path):
    path.write_bytes(b'')


def spoil_truncated(path):
    path.write_bytes(path.read_bytes()[:200])


def spoil_text(path):
    path.write_text('404 not found')


def spoil_loop(path):
    path.unlink()
    path.symlink_to(path)


def spoil_dangling(path):
    path.unlink()
    path.symlink_to('nowhere.png')


def spoil_folder(path):
    path.unlink()
    path.mkdir()


def spoil_pipe(path):
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize(('spoil', 'words'), [
    (spoil_empty, 'is empty (0 bytes)'),
    (spoil_truncated, 'truncated or corrupt'),
    (spoil_text, 'cannot be read as an image'),
    (spoil_loop, 'Too many levels of symbolic links'),
    (spoil_dangling, 'is a symbolic link that leads nowhere'),
    (spoil_folder, 'is not a regular file'),
    (spoil_pipe, 'is not a regular file'),
])
@pytest.mark.parametrize('kind', ['images', 'labels'])
def test_a_bad_file_is_named_and_the_others_are_done(root, capsys, kind, spoil, words):
    path = root / kind / '00001.png'
    spoil(path)
    assert prepare('gta', root) == 1
    errors = capsys.readouterr().err
    assert errors.startswith('1 failed:\n')
    assert str(path) in errors and words in errors
    assert [path.name for path in (root / 'labels').glob('*TrainIds*')] == ['00002_labelTrainIds.png']


@pytest.mark.parametrize('label', [b'', b'\x89PNG\r\n\x1a\nrubbish'])
def test_bad_synthia_labels(tmp_path, capsys, label):
    root = raw_trees.synthia(tmp_path)
    (root / 'GT/LABELS/0000001.png').write_bytes(label)
    assert prepare('synthia', root) == 1
    errors = capsys.readouterr().err
    assert errors.startswith('1 failed:\n') and str(root / 'GT/LABELS/0000001.png') in errors


def test_a_file_without_permission(root, capsys, monkeypatch):
    path = root / 'images/00001.png'
    if os.geteuid():
        path.chmod(0)
    else:  # nothing is forbidden to root
        from mmdass.prepare import images

        def refuse(name):
            raise PermissionError(13, 'Permission denied', str(name))
        monkeypatch.setattr(images, 'read_image', refuse)
    assert prepare('gta', root) == 1
    errors = capsys.readouterr().err
    assert 'Permission denied' in errors and str(path) in errors


def test_folders_that_are_links(tmp_path, capsys):
    root = raw_trees.cityscapes(tmp_path / 'data')
    (root / 'gtFine/train').rename(tmp_path / 'elsewhere')
    (root / 'gtFine/train').symlink_to(tmp_path / 'elsewhere')
    assert prepare('cityscapes', root) == 0  # a link to a folder is as good as the folder
    (root / 'gtFine/loop').symlink_to(root / 'gtFine/loop')
    assert prepare('cityscapes', root) == 1
    assert f'{root}/gtFine/loop is a symbolic link that leads nowhere or in a circle' in capsys.readouterr().err


def test_non_ascii_and_very_long_paths(tmp_path):
    folder = tmp_path / 'Straße – 街道 🚗'
    while len(str(folder).encode()) < 3000:
        folder /= 'ö' * 100
    root = raw_trees.gta(folder)
    assert prepare('gta', root) == 0
    assert (root / 'labels/00003_labelTrainIds.png').is_file()


def test_names_that_are_no_utf8(root, capsysbinary):
    for kind in ('images', 'labels'):
        os.rename(root / kind / '00001.png', os.fsencode(root / kind) + b'/caf\xe9.png')
    assert prepare('gta', root, '--dry-run') == 0
    assert rb'labels/caf\udce9_labelTrainIds.png' in capsysbinary.readouterr().out
    assert prepare('gta', root) == 0
    assert prepare('gta', root) == 0
    assert b'gta: 0 done, 2 done before, 0 failed.' in capsysbinary.readouterr().out


def test_a_name_too_long_for_its_output(root, capsys):
    for kind in ('images', 'labels'):
        (root / kind / '00001.png').rename(root / kind / ('x' * 245 + '.png'))
    assert prepare('gta', root) == 1
    errors = capsys.readouterr().err
    assert errors.startswith('1 failed:\n') and 'File name too long' in errors
    assert (root / 'labels/00002_labelTrainIds.png').is_file()


@pytest.mark.parametrize('data_set', [name for name in DATA_SETS if name != 'toy'])
def test_a_folder_of_something_else(data_set, tmp_path, capsys):
    (tmp_path / 'holiday').mkdir()
    (tmp_path / 'notes.txt').write_text('')
    assert prepare(data_set, tmp_path) == 1
    errors = capsys.readouterr().err
    assert 'Expected: ' in errors and 'Found: holiday/, notes.txt.' in errors
    assert sorted(path.name for path in tmp_path.iterdir()) == ['holiday', 'notes.txt']


def test_an_empty_and_a_missing_folder_and_a_file(tmp_path, capsys):
    assert prepare('fmb', tmp_path) == 1
    assert 'Found: nothing.' in capsys.readouterr().err
    assert prepare('fmb', tmp_path / 'gone') == 1
    assert 'gone is no folder' in capsys.readouterr().err
    (tmp_path / 'file').write_text('')
    for data_set in ('fmb', 'toy'):
        assert prepare(data_set, tmp_path / 'file') == 1
        assert 'file is no folder' in capsys.readouterr().err


def test_the_folder_above(tmp_path, capsys):
    raw_trees.gta(tmp_path / 'GTA5')
    assert prepare('gta', tmp_path) == 1
    assert f'It is in {tmp_path / "GTA5"}: give that folder.' in capsys.readouterr().err
