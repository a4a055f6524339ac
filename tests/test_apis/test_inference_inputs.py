"""What an input stands for, and what its outputs are called."""

import os

import cv2
import numpy as np
import pytest

from mmdass.apis.inference_inputs import list_inputs


@pytest.fixture
def folder(tmp_path):
    for name in ('b.png', 'a.JPG', 'sub/c.png', '.hidden.png', '.git/d.png', 'notes.md', 'out/label/a.png'):
        path = tmp_path / 'in' / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b'')
    return tmp_path / 'in'


def names(*arguments, **options) -> list[str]:
    return [each.name for each in list_inputs(*arguments, **options)]


def test_a_folder_gives_its_images_without_hidden_ones_and_outputs(folder):
    assert names(str(folder / 'sub')) == ['c']
    os.symlink(folder, folder / 'sub' / 'circle')
    assert names(folder, without=folder / 'out') == ['a', 'b', 'sub/c']
    with pytest.raises(FileNotFoundError, match='in it'):
        names(folder / '.git', ('.npy',))


def test_a_glob_keeps_the_folders_after_its_first_wildcard(folder):
    assert names(f'{folder}/*b.png') == ['b']
    assert names(f'{folder}/**/*.png') == ['b', 'out/label/a', 'sub/c']
    with pytest.raises(FileNotFoundError, match='No file matches'):
        names(f'{folder}/*.tif')


def test_a_list_keeps_its_order_and_each_file_once(folder, monkeypatch):
    (folder / 'list.txt').write_text('sub/c.png\nb.png\n\nsub/c.png\nabsent.png\n')
    monkeypatch.chdir(folder)
    for source in ('list.txt', folder / 'list.txt'):
        found = list_inputs(source)
        assert [each.name for each in found] == ['sub/c', 'b', 'absent']
        assert os.path.samefile(found[0].path, folder / 'sub/c.png')


def test_no_name_leads_out_of_the_output_folder(folder):
    (folder / 'sub/list.txt').write_text(f'../b.png\n{folder}/a.JPG\n../../in/sub/c.png\n')
    found = names(folder / 'sub/list.txt')
    assert found[2] == 'c'
    assert not any(name.startswith('/') or '..' in name for name in found)


def test_equal_stems_keep_their_suffix_and_equal_names_are_refused(folder):
    (folder / 'b.jpg').write_bytes(b'')
    assert names(folder, without=folder / 'out') == ['a', 'b.jpg', 'b.png', 'sub/c']
    (folder / 'sub/list.txt').write_text('/x/b.png\n/../x/b.png\n')
    with pytest.raises(ValueError, match='the name of another'):
        names(folder / 'sub/list.txt')


def test_a_video_gives_its_frames(tmp_path):
    writer = cv2.VideoWriter(str(tmp_path / 'clip.avi'), cv2.VideoWriter_fourcc(*'MJPG'), 5, (32, 16))
    for _ in range(3):
        writer.write(np.zeros((16, 32, 3), np.uint8))
    writer.release()
    found = list_inputs(tmp_path / 'clip.avi')
    assert [(each.name, each.frame) for each in found] == [(f'clip/00000{i}', i) for i in range(3)]
    (tmp_path / 'broken.mp4').write_bytes(b'no video')
    assert [(each.name, each.frame) for each in list_inputs(tmp_path / 'broken.mp4')] == [('broken', None)]


def test_a_text_file_of_events_is_no_list(tmp_path):
    (tmp_path / 'events.txt').write_text('# t x y p\n10 3 4 1\n')
    assert names(tmp_path / 'events.txt', ('.txt', '.h5')) == ['events']
    (tmp_path / 'list.txt').write_text('events.txt\n')
    assert names(tmp_path / 'list.txt', ('.txt', '.h5')) == ['events']
    assert list_inputs(tmp_path / 'list.txt', ('.txt', '.h5'))[0].path.endswith('events.txt')


def test_what_goes_with_recordings_is_none(tmp_path):
    for name in ('events.h5', 'rectify_map.h5', 'timestamps.txt', 'more.txt', 'titled.txt'):
        text = {'more.txt': '10 3 4 1\n', 'titled.txt': 't x y p\n10 3 4 1\n'}.get(name, '1000\n2000\n')
        (tmp_path / name).write_text(text)
    (tmp_path / 'lost.txt').symlink_to(tmp_path / 'nowhere')
    # What cannot be read as events is listed all the same: its failure is told.
    assert names(tmp_path, ('.txt', '.h5')) == ['events', 'lost', 'more', 'titled']


def test_what_is_absent_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match='absent'):
        list_inputs(tmp_path / 'absent')
    (tmp_path / 'list.txt').write_text('\n')
    with pytest.raises(FileNotFoundError, match='names no file'):
        list_inputs(tmp_path / 'list.txt')
