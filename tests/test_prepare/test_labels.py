"""Cityscapes, GTA5 and SYNTHIA: labels to trainIds, by the official tables."""

import numpy as np
import pytest
import raw_trees
from PIL import Image
from trees import noise, write_png

from mmdass.cli import main
from mmdass.datasets import ModalityDataset

# trainId of each Cityscapes labelId, written out as in the published scripts
CITYSCAPES = {7: 0, 8: 1, 11: 2, 12: 3, 13: 4, 17: 5, 19: 6, 20: 7, 21: 8, 22: 9, 23: 10, 24: 11, 25: 12, 26: 13,
              27: 14, 28: 15, 31: 16, 32: 17, 33: 18}
# trainId of each SYNTHIA id, as DAFormer has it
SYNTHIA = {3: 0, 4: 1, 2: 2, 21: 3, 5: 4, 7: 5, 15: 6, 9: 7, 6: 8, 16: 9, 1: 10, 10: 11, 17: 12, 8: 13, 18: 14, 19: 15,
           20: 16, 12: 17, 11: 18}


def prepare(*argv) -> int:
    return main(['prepare', *map(str, argv), '--workers', '1'])


def apply(table: dict[int, int], ids: np.ndarray) -> np.ndarray:
    return np.vectorize(lambda label_id: table.get(int(label_id), 255))(ids)


def read(path) -> np.ndarray:
    image = Image.open(path)
    assert image.mode == 'L'
    return np.asarray(image)


def test_cityscapes_ids_become_train_ids(tmp_path, capsys):
    root = raw_trees.cityscapes(tmp_path)
    assert prepare('cityscapes', root) == 0
    labels = sorted(root.glob('gtFine/*/*/*_labelIds.png'))
    assert len(labels) == 4
    for label in labels:
        made = read(label.with_name(label.name.replace('labelIds', 'labelTrainIds')))
        np.testing.assert_array_equal(made, apply(CITYSCAPES, read(label)))
    assert 'cityscapes: 4 done, 0 done before, 0 failed.' in capsys.readouterr().out


def test_prepared_cityscapes_is_what_the_config_reads(tmp_path):
    root = raw_trees.cityscapes(tmp_path)
    prepare('cityscapes', root)
    data = ModalityDataset(
        data_root=str(root), images='leftImg8bit/train/*/*_leftImg8bit.png', label_space='cityscapes19',
        labels=(r'leftImg8bit/(.*)_leftImg8bit\.png', r'gtFine/\1_gtFine_labelTrainIds.png'),
        pipeline=[dict(type='LoadModalityImage'), dict(type='LoadMappedLabel')])
    assert set(np.unique(data[0]['gt_seg_map'])) == {*range(19), 255}


def test_gta_palette_indices_become_train_ids(tmp_path):
    root = raw_trees.gta(tmp_path)
    assert prepare('gta', root) == 0
    for index in (1, 2, 3):
        ids = noise(*raw_trees.SIZE, high=35, seed=index)  # 34, the license plate, among them
        np.testing.assert_array_equal(read(root / f'labels/{index:05d}_labelTrainIds.png'), apply(CITYSCAPES, ids))
    assert prepare('gta', root) == 0
    assert len(list((root / 'labels').iterdir())) == 6  # its own files are not taken for labels


def test_synthia_class_channel_becomes_train_ids(tmp_path):
    root = raw_trees.synthia(tmp_path)
    assert prepare('synthia', root) == 0
    for index in range(3):
        made = read(root / f'GT/LABELS/{index:07d}_labelTrainIds.png')
        np.testing.assert_array_equal(made, apply(SYNTHIA, raw_trees.synthia_label(index)[..., 0]))


def test_image_without_label_label_without_image_and_sizes(tmp_path, capsys):
    root = raw_trees.gta(tmp_path, items=4)
    (root / 'labels/00001.png').unlink()
    (root / 'images/00002.png').unlink()
    write_png(root / 'images/00003.png', noise(8, 9, 3))
    assert prepare('gta', root) == 1
    errors = capsys.readouterr().err
    assert '3 failed' in errors
    assert 'labels/00001.png does not exist' in errors
    assert 'images/00002.png does not exist' in errors
    assert 'images/00003.png is 9 x 8, expected 64 x 32' in errors
    assert [path.name for path in (root / 'labels').glob('*TrainIds*')] == ['00004_labelTrainIds.png']


def test_cityscapes_image_without_label_fails_but_a_missing_split_does_not(tmp_path, capsys):
    root = raw_trees.cityscapes(tmp_path)
    write_png(root / 'leftImg8bit/train/aachen/aachen_000009_000019_leftImg8bit.png', noise(*raw_trees.SIZE, 3))
    write_png(root / 'leftImg8bit/train_extra/x/x_1_leftImg8bit.png', noise(*raw_trees.SIZE, 3))
    for image in root.glob('leftImg8bit/val/*/*'):
        image.unlink()
    assert prepare('cityscapes', root) == 1
    captured = capsys.readouterr()
    assert 'No images of gtFine/val' in captured.out
    assert '1 failed' in captured.err
    assert 'aachen_000009_000019_gtFine_labelIds.png does not exist' in captured.err


@pytest.mark.parametrize(('label', 'words'), [
    (np.full(raw_trees.SIZE, 255, np.uint8), 'holds the ids 255; expected 0 to 33'),
    (np.full(raw_trees.SIZE, 40, np.uint8), 'holds the ids 40'),
    (np.zeros((*raw_trees.SIZE, 4), np.uint8), '4 channels'),
])
def test_files_that_are_no_raw_labels(tmp_path, capsys, label, words):
    root = raw_trees.cityscapes(tmp_path, items=1)
    write_png(next(root.glob('gtFine/*/*/*_labelIds.png')), label)
    assert prepare('cityscapes', root) == 1
    assert words in capsys.readouterr().err


def test_synthia_ids_of_16_bits_are_not_cut_to_8(tmp_path, capsys):
    import cv2
    root = raw_trees.synthia(tmp_path, items=1)
    label = np.full((*raw_trees.SIZE, 3), 256 + 3, np.uint16)
    cv2.imwrite(str(root / 'GT/LABELS/0000000.png'), label)
    assert prepare('synthia', root) == 1
    assert 'holds the ids 259' in capsys.readouterr().err
