import numpy as np
import pytest
from trees import noise, write_png

from mmdass.datasets import ModalityDataset


@pytest.fixture
def root(tmp_path):
    for name in ('b', 'a', 'c'):
        write_png(tmp_path / f'train/image/{name}.png', noise(6, 8))
        write_png(tmp_path / f'train/label/{name}_ids.png', noise(6, 8, high=11))
    return tmp_path


def build(root, images='train/image/*.png', **kwargs):
    return ModalityDataset(data_root=str(root), images=images, label_space='madm11', **kwargs)


LABELS = (r'image/(.*)\.png', r'label/\1_ids.png')


def names(dataset):
    return [dataset.get_data_info(i)['img_path'][-5] for i in range(len(dataset))]


def test_items_are_sorted_and_carry_what_the_pipeline_needs(root):
    dataset = build(root, labels=LABELS, modality='thermal')
    assert names(dataset) == ['a', 'b', 'c']
    info = dataset.get_data_info(1)
    assert info['seg_map_path'] == str(root / 'train/label/b_ids.png')
    assert info['modality'] == 'thermal'
    assert info['class_lut'].shape == (256,) and info['class_lut'].dtype == np.uint8
    assert dataset.metainfo['classes'][0] == 'sky' and dataset.metainfo['palette'][0] == [70, 130, 180]


def test_seg_fields_are_not_shared_between_samples(root):
    dataset = build(root)
    dataset.get_data_info(0)['seg_fields'].append('gt_seg_map')
    assert dataset.get_data_info(0)['seg_fields'] == []


def test_several_globs_exclusions_and_subsets(root):
    write_png(root / 'night/x.png', noise(6, 8))
    dataset = build(root, images=['train/image/*.png', 'night/*.png', 'train/image/a*'], exclude=['b.png'])
    assert names(dataset) == ['x', 'a', 'c']
    assert names(build(root, indices=2)) == ['a', 'b']


def test_list_file_keeps_its_order(root):
    (root / 'list.txt').write_text('train/image/c.png\n\ntrain/image/a.png\n')
    assert names(build(root, images='list.txt')) == ['c', 'a']
    assert names(build(root, images='list.txt', exclude=['c.png'])) == ['a']


def test_missing_root_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'data root .*nowhere does not exist\. Set `data_root`'):
        build(tmp_path / 'nowhere')


@pytest.mark.parametrize('images', ['train/image/*.jpg', ['train/image/*.png', 'empty/*.png']])
def test_glob_without_match_is_named(root, images):
    (root / 'empty').mkdir()
    with pytest.raises(FileNotFoundError, match=r"No image matches '.*' in .*set `images`"):
        build(root, images=images)


def test_missing_label_is_named_with_its_image(root):
    (root / 'train/label/b_ids.png').unlink()
    sentence = r"1 of 3 images have no label.*image/b\.png should have .*b_ids\.png.*`exclude`: \('b\.png',\)"
    with pytest.raises(FileNotFoundError, match=sentence):
        build(root, labels=LABELS)


def test_pattern_that_does_not_occur_is_refused(root):
    with pytest.raises(ValueError, match="pattern 'Image' of `labels` does not occur in the image path 'train/image/a"):
        build(root, labels=('Image', 'label'))


def test_unknown_class_in_the_mapping_is_refused_with_the_nearest_spelling(root):
    with pytest.raises(ValueError, match="Did you mean 'pedestrian'"):
        build(root, labels=LABELS, raw_labels='camvid11', class_mapping=dict(pedestrain='person'))


def test_broken_image_is_not_replaced_by_another(root):
    from mmdass.datasets import LoadModalityImage
    path = root / 'train/image/b.png'
    path.write_bytes(path.read_bytes()[:60])
    dataset = build(root, pipeline=[LoadModalityImage()])
    with pytest.raises(OSError, match=r'b\.png'):
        dataset[1]
    dropped = build(root, pipeline=[lambda results: None if results['img_path'].endswith('b.png') else results])
    with pytest.raises(Exception, match='Cannot find valid image'):
        dropped[1]
