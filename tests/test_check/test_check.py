"""Each kind of bad data through `mmdass check`: one error or warning, and the walk goes on."""

import json
from pathlib import Path

import numpy as np
import pytest
import trees
from PIL import Image
from trees import noise, write_png

from mmdass.check import main
from mmdass.check.report import _share_table
from mmdass.datasets import LabelSpace

CONFIG = """
root = {root!r}
image = [dict(type='LoadModalityImage')]
source = dict(
    type='ModalityDataset', data_root=root, images='train/image/*',
    labels=(r'image/(.*)\\.\\w+$', r'label/\\1_ids.png'),
    label_space='street7', pipeline=[*image, dict(type='LoadMappedLabel')], **{source!r})
train_dataloader = dict(dataset=dict(type='DomainPairDataset', source=source, target=dict(
    type='ModalityDataset', data_root=root, images='target/*', label_space={target!r}, modality='infrared',
    pipeline=image)))
val_dataloader = dict(dataset=dict(source, images='val/image/*', test_mode=True))
test_dataloader = val_dataloader
"""


@pytest.fixture
def root(tmp_path):
    """Two labelled training, two unlabelled target and two validation images of the seven classes."""
    for index in range(2):
        for number, split in enumerate(('train', 'val')):
            seed = 10 * number + index
            write_png(tmp_path / f'data/{split}/image/{index}.png', noise(12, 16, 3, seed=seed))
            write_png(tmp_path / f'data/{split}/label/{index}_ids.png', noise(12, 16, high=7, seed=seed))
        write_png(tmp_path / f'data/target/{index}.png', noise(12, 16, seed=20 + index))
    return tmp_path / 'data'


@pytest.fixture
def check(tmp_path, root, capsys):
    """Run the verb; return its exit status, the JSON's findings by kind, the whole JSON, and what it printed."""
    def _check(*options, workers=0, target='street7', **source):
        config = tmp_path / 'config.py'
        config.write_text(CONFIG.format(root=f'{root}/', source=source, target=target), encoding='utf-8')
        status = main([str(config), '--json', str(tmp_path / 'facts.json'), '--workers', str(workers), *options])
        document = json.loads((tmp_path / 'facts.json').read_text())
        return status, {f['kind']: f for f in document['findings']}, document, capsys.readouterr().out
    return _check


def test_facts_of_whole_data(check, root):
    label = noise(12, 16, high=7, seed=0)
    status, findings, document, printed = check(workers=2)
    assert status == 0 and findings == {} and '0 errors, 0 warnings' in printed
    source, target, val = document['splits']
    assert [split['split'] for split in document['splits']] == ['train source', 'train target', 'val, test']
    assert (source['items'], target['items'], val['labelled']) == (2, 2, 2)
    assert source['image_sizes'] == {'16 x 12': 2} and source['image_forms'] == {'PNG RGB 8-bit': 2}
    assert target['image_forms'] == {'PNG L 8-bit': 2} and target['classes'] == []
    both = np.concatenate([label, noise(12, 16, high=7, seed=1)])
    assert [row['share'] for row in source['classes'][:7]] == pytest.approx(np.bincount(both.ravel()) / both.size)
    assert source['classes'][0]['name'] == 'sky' and f'{100 * source["classes"][0]["share"]:.3f}' in printed


def test_ids_before_and_classes_after_mapping(check, root):
    for path in root.glob('*/label/*.png'):
        write_png(path, np.array([[2, 5, 8, 11]] * 12, np.uint8).repeat(4, axis=1))
    status, findings, document, _ = check(raw_labels='camvid11', class_mapping='camvid_to_street7')
    assert status == 0
    rows = {row['id']: (row['name'], row['to'], row['images']) for row in document['splits'][0]['raw_ids']}
    assert rows == {2: ('pole', 'ignored', 2), 5: ('tree', 'vegetation', 2), 8: ('car', 'vehicle', 2),
                    11: ('no class', 'ignored', 2)}
    assert document['splits'][0]['classes'][-1]['share'] == 0.5
    assert findings['classes never seen in the source']['message'].startswith('sky, building, road, pavement, person:')
    assert 'classes never seen in evaluation' in findings


def test_labels_without_any_class_are_an_error(check, root):
    for path in root.glob('train/label/*.png'):
        write_png(path, np.full((12, 16), 255, np.uint8))
    status, findings, _, _ = check()
    assert status == 1 and findings['no class in the source']['level'] == 'error'


@pytest.mark.parametrize('classes, level', [
    (LabelSpace.get('street7').classes[::-1], 'error'), (LabelSpace.get('street7').classes[:5], 'error'),
    (('a', 'b', 'c', 'd', 'e', 'f', 'g'), 'warning')])
def test_splits_of_other_classes(check, root, classes, level):
    _, findings, _, printed = check(target=dict(classes=classes))
    found = findings['other classes']
    assert (found['level'], found['split']) == (level, 'train target')
    assert 'Share of the labelled pixels' in printed


def test_shares_stand_by_the_names_of_their_classes():
    splits = [dict(split=name, classes=[dict(name=each, share=share) for each, share in shares.items()])
              for name, shares in (('train', dict(a=0.25, b=0.75)), ('val', dict(b=1.0)))]
    lines = [line for line in _share_table(splits).splitlines() if '|' in line]
    rows = [[cell.strip() for cell in line.split('|')[1:-1]] for line in lines]
    assert rows == [['class', 'train', 'val'], ['a', '25.000', '-'], ['b', '75.000', '100.000']]


def break_empty(path: Path):
    path.write_bytes(b'')


def break_truncated(path: Path):
    path.write_bytes(path.read_bytes()[:-40])


def break_loop(path: Path):
    path.unlink()
    path.symlink_to(path)


@pytest.mark.parametrize('spoil', [break_empty, break_truncated, break_loop])
@pytest.mark.parametrize('file, kind', [('train/image/0.png', 'unreadable image'),
                                        ('train/label/0_ids.png', 'unreadable label')])
def test_unreadable_files_are_named_and_the_walk_goes_on(check, root, spoil, file, kind):
    spoil(root / file)
    status, findings, document, _ = check()
    assert status == 1 and [f['count'] for f in findings.values()] == [1]
    assert findings[kind]['files'] == [str(root / file)] and document['splits'][0]['inspected'] == 2


def test_ids_outside_the_space(check, root):
    write_png(root / 'train/label/0_ids.png', noise(12, 16, high=9))
    status, findings, _, _ = check()
    assert status == 1
    assert 'holds the ids 7, 8; its label space has 0 to 6, and 255 for no class' in (
        findings['ids outside the label space']['message'])


def palette_png(path: Path, order) -> None:
    image = Image.fromarray(noise(12, 16, high=7), mode='P')
    palette = LabelSpace.get('street7').palette
    image.putpalette([part for index in order for part in palette[index]])
    image.save(path)


def test_palette_png_is_ids_unless_its_colours_are_of_other_classes(check, root):
    palette_png(root / 'train/label/0_ids.png', range(7))
    assert check()[:2] == (0, {})
    palette_png(root / 'train/label/0_ids.png', reversed(range(7)))
    status, findings, _, _ = check()
    assert status == 1 and list(findings) == ['colour-coded label']


def colours(ids: np.ndarray, alpha: bool) -> np.ndarray:
    rgb = np.array(LabelSpace.get('street7').palette, np.uint8)[ids]
    return np.dstack([rgb, np.full(ids.shape, 255, np.uint8)]) if alpha else rgb


@pytest.mark.parametrize('alpha', [False, True])
def test_colour_pictures_as_labels(check, root, alpha):
    write_png(root / 'train/label/0_ids.png', colours(noise(12, 16, high=7), alpha))
    status, findings, _, _ = check()
    assert status == 1 and 'channels' in findings['label that is not one channel of 8-bit ids']['message']
    write_png(root / 'train/label/1_ids.png', np.dstack([noise(12, 16, high=7), *np.zeros((3, 12, 16), np.uint8)]))
    _, findings, _, _ = check(label_channel=0)
    assert findings['colour-coded label']['files'] == [str(root / 'train/label/0_ids.png')]


def test_sizes_that_differ(check, root):
    write_png(root / 'train/image/0.png', noise(24, 16, 3))
    status, findings, document, _ = check()
    assert status == 1 and '16 x 24' in findings['image and label of different size']['message']
    assert document['splits'][0]['image_sizes'] == {'16 x 24': 1, '16 x 12': 1}


def test_image_without_label_and_label_without_image(check, root):
    (root / 'train/image/1.png').rename(root / 'train/image/2.png')
    status, findings, _, _ = check()
    assert status == 1
    assert findings['missing label']['level'] == 'error'
    assert findings['missing label']['files'] == [str(root / 'train/label/2_ids.png')]
    assert findings['label without image']['level'] == 'warning'
    assert findings['label without image']['files'] == [str(root / 'train/label/1_ids.png')]


def test_labels_among_unlabelled_images(check, root, monkeypatch):
    monkeypatch.setattr(f'{__name__}.CONFIG', CONFIG.replace('target/*', 'target/**/*.png'))
    write_png(root / 'target/label/0.png', noise(12, 16, high=7, seed=9))
    status, findings, _, _ = check()
    assert status == 0 and list(findings) == ['image in a folder of labels']
    found = findings['image in a folder of labels']
    assert found['files'] == [str(root / 'target/label/0.png')] and 'narrow `images`' in found['message']


def test_excluded_images_leave_no_label_without_image(check, root):
    assert check(exclude='1.png')[1].keys() <= {'classes never seen in the source', 'classes never seen in evaluation'}


def test_duplicates_between_and_within_splits(check, root):
    (root / 'val/image/0.png').write_bytes((root / 'train/image/1.png').read_bytes())
    (root / 'target/1.png').write_bytes((root / 'target/0.png').read_bytes())
    status, findings, _, _ = check()
    assert status == 0
    assert findings['images also in train source']['files'] == [str(root / 'train/image/1.png')]
    assert findings['image repeated in a split']['split'] == 'train target'


def test_a_split_that_cannot_be_built_does_not_hide_the_others(check, root):
    for path in root.glob('target/*'):
        path.unlink()
    status, findings, document, _ = check()
    assert status == 1 and "No image matches 'target/*'" in findings['data set cannot be built']['message']
    assert len(document['splits']) == 2


def test_non_ascii_and_long_names(check, root):
    folder = root.joinpath(*['d' * 200] * 4)
    for part in ('image', 'label'):
        suffix = '_ids' if part == 'label' else ''
        (root / f'train/{part}/0{suffix}.png').rename(root / f'train/{part}/Straße 東京{suffix}.png')
    (root / 'target').rename(root / 'moved')
    folder.parent.mkdir(parents=True)
    (root / 'moved').rename(folder)
    (root / 'target').symlink_to(folder)
    status, findings, document, _ = check('--contact-sheet', str(root / 'sheet.png'))
    assert (status, findings) == (0, {}) and document['splits'][1]['inspected'] == 2


def test_sixteen_bit_images_name_their_depth(check, root):
    Image.fromarray(np.full((12, 16), 1000, np.uint16)).save(root / 'target/0.png')
    status, findings, document, _ = check()
    assert status == 1 and '16-bit' in findings['unreadable image']['message']
    assert document['splits'][1]['image_forms'].keys() == {'PNG I;16 16-bit', 'PNG L 8-bit'}


def test_contact_sheet_shows_every_split_in_its_colours(check, root, tmp_path):
    write_png(root / 'train/label/0_ids.png', np.full((12, 16), 5, np.uint8))
    write_png(root / 'train/image/0.png', np.full((12, 16, 3), 255, np.uint8))
    check('--contact-sheet', str(tmp_path / 'sheet.png'))
    sheet = np.asarray(Image.open(tmp_path / 'sheet.png'))
    overlay = (np.array(LabelSpace.get('street7').palette[5]) + 255) // 2
    assert (np.abs(sheet.astype(int) - overlay).max(axis=-1) <= 1).sum() > 10_000
    assert sheet.shape[0] > 3 * 300 and sheet.shape[1] > 2 * 400


def test_toy_world_and_mmseg_data_sets(tmp_path, tiny_config_file, capsys):
    toy = Path(__file__).parents[2] / 'configs/_base_/datasets/toy_event.py'
    limits = ['train_dataloader.dataset.source.num_images=3', 'train_dataloader.dataset.target.num_images=3',
              'val_dataloader.dataset.num_images=3', 'test_dataloader.dataset.num_images=3']
    assert main([str(toy), '--workers', '0', '--cfg-options', *limits]) == 0
    assert 'road' in capsys.readouterr().out
    assert main([str(tiny_config_file), '--workers', '0', '--json', str(tmp_path / 'facts.json')]) == 0
    split, = json.loads((tmp_path / 'facts.json').read_text())['splits']
    assert split['split'] == 'train, val, test' and [row['to'] for row in split['raw_ids']] == ['dark', 'light']


def test_published_layouts(tmp_path, capsys):
    config = Path(__file__).parents[2] / 'configs/_base_/datasets/cityscapes_to_deliver_depth.py'
    options = [f'source_root={trees.cityscapes(tmp_path / "source")}', f'target_root={trees.deliver(tmp_path / "t")}']
    assert main([str(config), '--workers', '0', '--cfg-options', *options]) == 0
    assert 'label without image' not in capsys.readouterr().out
