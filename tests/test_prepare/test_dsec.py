"""DSEC: event images as the config reads them, from recordings or as the authors publish them."""

import numpy as np
import pytest
import raw_trees
import trees
from event_files import random_events
from PIL import Image

from mmdass.cli import main
from mmdass.datasets import ModalityDataset
from mmdass.datasets.events import Events, edge_image

TRAIN_IMAGES = '69mask_train_edges/zurich_city_00_a'


def prepare(*argv) -> int:
    return main(['prepare', 'dsec', *map(str, argv), '--workers', '1'])


@pytest.fixture(scope='module')
def prepared(tmp_path_factory):
    root = raw_trees.dsec(tmp_path_factory.mktemp('dsec'))
    assert prepare(root) == 0
    return root


def test_an_image_is_the_rectified_window_before_its_time(prepared):
    assert [path.name for path in sorted((prepared / TRAIN_IMAGES).iterdir())] == [
        '000001.png', '000002.png', '000003.png']
    events = random_events(20_000, 200_000, raw_trees.DSEC_SENSOR, seed=len('train'))
    window = (events.t >= 100_000) & (events.t < 150_000)  # frame 2 is at 150 ms
    # the fixture's map moves every event by 3 columns and -2 rows
    x, y, t, p = events.x[window].astype(int) + 3, events.y[window].astype(int) - 2, events.t[window], events.p[window]
    inside = (x < 640) & (y >= 0) & (y < 440)
    expected = edge_image(Events(t[inside], x[inside], y[inside], p[inside], 440, 640))
    made = np.asarray(Image.open(prepared / TRAIN_IMAGES / '000002.png'))
    assert made.shape == (440, 640)
    np.testing.assert_array_equal(made, expected)
    assert (made != 128).any()


def test_the_config_reads_what_was_prepared(prepared):
    data = ModalityDataset(
        data_root=str(prepared), images='69mask_test_edges/*/*.png', exclude='000000.png', label_space='madm11',
        labels=(r'69mask_test_edges/(.*)/', r'test_semantic_labels/\1/11classes/'),
        pipeline=[dict(type='LoadModalityImage'), dict(type='LoadMappedLabel')])
    assert len(data) == 3
    np.testing.assert_array_equal(data[0]['gt_seg_map'], trees.noise(440, 640, high=11, seed=1))


def test_again_does_nothing_and_another_duration_everything(tmp_path, capsys):
    root = raw_trees.dsec(tmp_path, frames=3)
    assert prepare(root) == 0
    assert prepare(root) == 0
    assert 'dsec: 0 done, 7 done before' in capsys.readouterr().out  # 2 x 2 images, 3 labels
    assert prepare(root, '--duration', 20_000) == 0
    assert 'dsec: 4 done, 3 done before' in capsys.readouterr().out


def test_image_timestamps_do_as_well(tmp_path):
    root = raw_trees.dsec(tmp_path, frames=2)
    times = next(root.rglob('zurich_city_00_a_semantic_timestamps.txt'))
    (root / 'train_events/zurich_city_00_a/images').mkdir()
    times.rename(root / 'train_events/zurich_city_00_a/images/timestamps.txt')
    assert prepare(root) == 0
    assert (root / TRAIN_IMAGES / '000001.png').is_file()


def test_the_authors_images_are_checked_and_kept(tmp_path, capsys):
    root = trees.dsec(tmp_path, size=(440, 640))
    before = {path: path.read_bytes() for path in root.rglob('*.png')}
    assert prepare(root) == 0
    assert '14 event images are there that this command did not make' in capsys.readouterr().out
    assert {path: path.read_bytes() for path in before} == before
    trees.write_png(root / TRAIN_IMAGES / '000002.png', trees.noise(480, 640))
    (root / 'test_semantic_labels/zurich_city_13_a/11classes/000003.png').unlink()
    assert prepare(root) == 1
    errors = capsys.readouterr().err
    assert '000002.png is 640 x 480, expected 640 x 440' in errors
    assert '11classes/000003.png' in errors


def test_sequences_outside_dsec_semantic_are_left_out(tmp_path, capsys):
    root = raw_trees.dsec(tmp_path, frames=2)
    (root / 'train_events/zurich_city_00_a').rename(root / 'train_events/thun_00_a')
    assert prepare(root) == 0
    assert 'not in DSEC-Semantic: thun_00_a' in capsys.readouterr().out
    assert not (root / '69mask_train_edges').exists()


def test_a_damaged_recording_bad_times_and_a_missing_map_are_named(tmp_path, capsys):
    root = raw_trees.dsec(tmp_path, frames=2)
    recording = root / 'train_events/zurich_city_00_a/events/left/events.h5'
    recording.write_bytes(recording.read_bytes()[:2000])
    (root / 'test_events/zurich_city_13_a/events/left/rectify_map.h5').unlink()
    assert prepare(root) == 1
    errors = capsys.readouterr().err
    assert '2 failed' in errors
    assert f'{recording} (2000 bytes) cannot be opened as HDF5' in errors
    assert 'rectify_map.h5 does not exist' in errors
    next(root.rglob('zurich_city_00_a_semantic_timestamps.txt')).write_text('now\nthen\n')
    assert prepare(root) == 1
    assert 'is no list of microseconds' in capsys.readouterr().err
    next(root.rglob('zurich_city_00_a_semantic_timestamps.txt')).write_text('# an empty download\n')
    assert prepare(root) == 1
    assert 'holds 0 time stamps' in capsys.readouterr().err


def test_a_link_in_a_circle_finds_nothing_twice(tmp_path):
    root = raw_trees.dsec(tmp_path, frames=2)
    (root / 'again').symlink_to(root)
    assert prepare(root) == 0
    assert len(list((root / TRAIN_IMAGES).iterdir())) == 1


def test_raw_events_beside_the_authors_images_change_nothing(tmp_path, capsys):
    root = trees.dsec(tmp_path, size=(440, 640))
    before = {path: path.read_bytes() for path in root.rglob('*.png')}
    raw_trees.dsec(root, frames=7)
    capsys.readouterr()
    assert prepare(root) == 0
    assert 'To have all made from the recordings, delete 69mask_train_edges' in capsys.readouterr().out
    assert {path: path.read_bytes() for path in root.glob('69mask*/*/*.png')} == {
        path: data for path, data in before.items() if '69mask' in str(path)}
