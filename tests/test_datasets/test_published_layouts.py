import re
from pathlib import Path

import numpy as np
import pytest
import torch
import trees
from mmengine.registry import init_default_scope
from PIL import Image

from mmdass.registry import DATASETS, METRICS
from mmdass.utils.config import load_config

CONFIGS = Path(__file__).parents[2] / 'configs/_base_/datasets'
TASKS = {
    'cityscapes_to_dsec_event': (trees.dsec, 'event', 11, 'RGB'),
    'cityscapes_to_deliver_depth': (trees.deliver, 'depth', 11, 'RGBA'),
    'cityscapes_to_fmb_infrared': (trees.fmb, 'infrared', 9, 'L'),
}


@pytest.fixture
def load(tmp_path):
    """Reads a task's config for fixture trees, with rare classes counted in a folder of the test."""
    init_default_scope('mmdass')

    def _load(task):
        cfg = load_config(CONFIGS / f'{task}.py', {
            'source_root': str(trees.cityscapes(tmp_path / 'cityscapes')),
            'target_root': str(TASKS[task][0](tmp_path / 'target')),
            'train_dataloader.dataset.rare_class_sampling.cache_dir': str(tmp_path / 'cache'),
            'train_dataloader.dataset.rare_class_sampling.min_pixels': 100,  # the fixtures are small
        })
        cfg.train_dataloader.dataset.seed = 0
        return cfg
    return _load


@pytest.mark.parametrize('task', TASKS)
def test_one_option_sets_each_root_for_training_and_test(task, tmp_path):
    cfg = load_config(CONFIGS / f'{task}.py', dict(target_root='elsewhere/', source_root='there/'))
    assert cfg.train_dataloader.dataset.source.data_root == 'there/'
    assert cfg.train_dataloader.dataset.target.data_root == 'elsewhere/'
    assert cfg.val_dataloader.dataset.data_root == cfg.test_dataloader.dataset.data_root == 'elsewhere/'


@pytest.mark.parametrize('task', TASKS)
def test_training_pairs_are_512_crops_and_the_target_has_no_label(task, load):
    pairs = DATASETS.build(load(task).train_dataloader.dataset)
    _, modality, classes, _ = TASKS[task]
    pair = pairs[3]
    assert pair['source']['inputs'].shape == pair['target']['inputs'].shape == (3, 512, 512)
    assert 'gt_sem_seg' not in pair['target']['data_samples']
    label = pair['source']['data_samples'].gt_sem_seg.data
    assert label.shape == (1, 512, 512)
    assert set(np.unique(label)) <= {*range(classes), 255} and label.min() < classes
    assert len(pairs.metainfo['classes']) == classes
    assert pairs.target.dataset.get_data_info(0)['modality'] == modality


@pytest.mark.parametrize('task', TASKS)
def test_test_samples_are_squashed_with_their_label(task, load):
    dataset = DATASETS.build(load(task).test_dataloader.dataset)
    sample = dataset[0]
    assert sample['inputs'].shape == (3, 512, 512)
    assert sample['data_samples'].ori_shape == sample['data_samples'].gt_sem_seg.shape == (512, 512)
    assert set(np.unique(sample['data_samples'].gt_sem_seg.data)) <= {*range(TASKS[task][2]), 255}


def test_test_time_augmentation_keeps_the_label_of_the_first_view(load):
    cfg = load('cityscapes_to_fmb_infrared')
    plain = DATASETS.build(cfg.test_dataloader.dataset)[0]
    views = DATASETS.build(dict(cfg.test_dataloader.dataset, pipeline=cfg.tta_pipeline))[0]
    assert torch.equal(views['inputs'][0], plain['inputs'])
    assert torch.equal(views['inputs'][1], plain['inputs'].flip(-1))
    assert torch.equal(views['data_samples'][0].gt_sem_seg.data, plain['data_samples'].gt_sem_seg.data)
    assert views['data_samples'][1].flip and views['data_samples'][1].ori_shape == (512, 512)


def names(dataset, key='img_path'):
    return [Path(dataset.get_data_info(i)[key]).relative_to(dataset.data_root).as_posix() for i in range(len(dataset))]


def test_dsec_frames_are_the_official_ones(load):
    cfg = load('cityscapes_to_dsec_event')
    train = DATASETS.build(cfg.train_dataloader.dataset.target)
    assert [name[-10:-4] for name in names(train)] == ['000002', '000004', '000006']
    test = DATASETS.build(cfg.test_dataloader.dataset)
    assert [name[-10:-4] for name in names(test)] == [f'{i:06d}' for i in range(1, 7)]
    assert names(test, 'seg_map_path')[0] == 'test_semantic_labels/zurich_city_13_a/11classes/000001.png'


def test_deliver_has_all_weathers_and_its_labels_are_in_channel_0(load):
    cfg = load('cityscapes_to_deliver_depth')
    assert len(DATASETS.build(cfg.train_dataloader.dataset.target)) == 10
    test = DATASETS.build(cfg.test_dataloader.dataset)
    assert names(test)[0] == 'depth/cloud/test/MAP_0_point1/000000_depth_front.png'
    assert names(test, 'seg_map_path')[0] == 'semantic/cloud/test/MAP_0_point1/000000_semantic_front.png'
    assert sorted({name.split('/')[1] for name in names(test)}) == ['cloud', 'fog', 'night', 'rain', 'sun']


def test_fmb_splits(load):
    cfg = load('cityscapes_to_fmb_infrared')
    assert names(DATASETS.build(cfg.train_dataloader.dataset.target)) == [
        'train/Infrared/00001.png', 'train/Infrared/00009.png']
    assert names(DATASETS.build(cfg.test_dataloader.dataset), 'seg_map_path') == ['test/Label/00043.png']


def test_cityscapes_labels_are_the_train_ids(load):
    source = DATASETS.build(load('cityscapes_to_fmb_infrared').train_dataloader.dataset.source)
    assert names(source, 'seg_map_path')[0] == 'gtFine/train/aachen/aachen_000000_000019_gtFine_labelTrainIds.png'
    assert len(source) == 4


# source tree, target tree, training images of source and target, test images, modality, (H, W) of a test input
NATIVE = {
    'gta5_to_cityscapes': (trees.gta5, trees.cityscapes_target, 2, 2, 2, 'rgb', (512, 1024)),
    'synthia_to_cityscapes': (trees.synthia, trees.cityscapes_target, 2, 2, 2, 'rgb', (512, 1024)),
    'cityscapes_to_acdc': (trees.cityscapes, trees.acdc, 4, 4, 4, 'rgb', (540, 960)),
    'cityscapes_to_dark_zurich': (trees.cityscapes, trees.dark_zurich, 4, 1, 1, 'rgb', (540, 960)),
    'cityscapes_to_mfnet_infrared': (trees.cityscapes, trees.mfnet, 4, 2, 2, 'infrared', (48, 64)),
    'cityscapes_to_msrs_infrared': (trees.cityscapes, trees.msrs, 4, 2, 2, 'infrared', (48, 64)),
    'pst900_rgb_to_infrared': (None, trees.pst900, 2, 2, 2, 'infrared', (512, 910)),
    'nyuv2_rgb_to_depth': (None, trees.nyuv2, 2, 2, 2, 'depth', (48, 64)),
}


@pytest.mark.parametrize('task', NATIVE)
def test_further_data_sets_by_config_alone(task, tmp_path):
    """Pairs are 512 crops; tests are measured at the label's own size, in plain and augmented testing."""
    init_default_scope('mmdass')
    source, target, *counts, modality, size = NATIVE[task]
    roots = {'target_root': str(target(tmp_path / 'target'))}
    if source:
        roots['source_root'] = str(source(tmp_path / 'source'))
    cfg = load_config(CONFIGS / f'{task}.py', {
        **roots, 'train_dataloader.dataset.rare_class_sampling': dict(min_pixels=0.001, cache_dir=str(tmp_path / 'c'))})
    pairs = DATASETS.build(dict(cfg.train_dataloader.dataset, seed=0))
    test = DATASETS.build(cfg.test_dataloader.dataset)
    assert [len(pairs.source), len(pairs.target), len(test)] == counts
    classes = pairs.metainfo['classes']
    assert test.metainfo['classes'] == classes and test.get_data_info(0)['modality'] == modality

    pair = pairs[1]
    assert pair['source']['inputs'].shape == pair['target']['inputs'].shape == (3, 512, 512)
    assert 'gt_sem_seg' not in pair['target']['data_samples']
    assert set(np.unique(pair['source']['data_samples'].gt_sem_seg.data)) <= {*range(len(classes)), 255}

    views = DATASETS.build(dict(cfg.test_dataloader.dataset, pipeline=cfg.tta_pipeline))[0]
    for sample, inputs in ((test[0], test[0]['inputs']), (dict(data_samples=views['data_samples'][0]),
                                                          views['inputs'][0])):
        label = sample['data_samples'].gt_sem_seg.data[0]
        assert inputs.shape[1:] == size and label.shape == sample['data_samples'].ori_shape
        assert set(np.unique(label)) <= {*range(len(classes)), 255} and label.min() < len(classes)

    metric = METRICS.build(cfg.val_evaluator)
    if metric.group_by:
        assert all(re.search(metric.group_by, test.get_data_info(i)['img_path']) for i in range(len(test)))
    for names in metric.subsets.values():
        assert set(names) < set(classes)


def test_mfnet_infrared_is_the_fourth_channel(tmp_path):
    init_default_scope('mmdass')
    root = trees.mfnet(tmp_path)
    test = DATASETS.build(
        load_config(CONFIGS / 'cityscapes_to_mfnet_infrared.py', dict(target_root=str(root))).test_dataloader.dataset)
    pixels = np.asarray(Image.open(root / 'images/00003D.png'))
    np.testing.assert_array_equal(test[0]['inputs'][1].numpy(), pixels[..., 3])
    raw = np.asarray(Image.open(root / 'labels/00003D.png'))
    expected = np.where(raw > 3, 255, raw)  # unlabelled, car, person, bike; the rest is ignored
    np.testing.assert_array_equal(test[0]['data_samples'].gt_sem_seg.data[0].numpy(), expected)
