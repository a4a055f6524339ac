from pathlib import Path

import numpy as np
import pytest
import torch
import trees
from mmengine.registry import init_default_scope

from mmdass.registry import DATASETS
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
