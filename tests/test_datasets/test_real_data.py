"""Real files of mixed sizes, JPEG and PNG, grey and RGB, by config alone."""

import json
from pathlib import Path

import numpy as np
import pytest
from mmengine.registry import init_default_scope

from mmdass.datasets import LabelSpace, lookup_table
from mmdass.registry import DATASETS

ROOT = Path(__file__).parents[3] / 'shared/realdata'
pytestmark = pytest.mark.skipif(not ROOT.is_dir(), reason='the real data samples are not beside the repository')

AUGMENT = [dict(type='RandomResize', scale=(320, 240), ratio_range=(0.9, 1.5), keep_ratio=True),
           dict(type='RandomFlip', prob=0.5)]
CAMVID = dict(type='ModalityDataset', data_root=str(ROOT), labels=(r'image/(.*)\.\w+$', r'label/\1.png'),
              raw_labels='camvid11', class_mapping='camvid_to_street7', label_space='street7')


@pytest.fixture(autouse=True)
def scope():
    init_default_scope('mmdass')


def test_camvid_to_two_sets_of_thermal_images(tmp_path):
    pairs = DATASETS.build(dict(
        type='DomainPairDataset', seed=0, rare_class_sampling=dict(min_pixels=0.01, cache_dir=str(tmp_path)),
        source=dict(
            CAMVID, images='camvid_rgb/train/image/*.png',
            pipeline=[dict(type='LoadModalityImage'), dict(type='LoadMappedLabel'), *AUGMENT,
                      dict(type='RareClassCrop', crop_size=(128, 128)), dict(type='PackSegInputs')]),
        target=dict(
            type='ModalityDataset', data_root=str(ROOT), label_space='street7', modality='infrared',
            images=['roadscene_thermal/train/image/*.jpg', 'msrs_thermal/train/image/*.png'],
            pipeline=[dict(type='LoadModalityImage'), *AUGMENT, dict(type='RandomCrop', crop_size=(128, 128)),
                      dict(type='PackSegInputs')])))
    assert (len(pairs.source), len(pairs.target)) == (44, 65)
    seen = set()
    for counter in range(16):
        pair = pairs[counter]
        assert pair['source']['inputs'].shape == pair['target']['inputs'].shape == (3, 128, 128)
        seen |= set(np.unique(pair['source']['data_samples'].gt_sem_seg.data))
    assert 6 in seen and seen <= {*range(7), 255}  # persons are rare, and are drawn


def test_every_labelled_thermal_image_is_read_at_its_own_size():
    dataset = DATASETS.build(dict(
        CAMVID, images='roadscene_thermal/val/image/*.jpg', test_mode=True, modality='infrared',
        pipeline=[dict(type='LoadModalityImage'), dict(type='LoadMappedLabel'), dict(type='PackSegInputs')]))
    sizes = set()
    for sample in dataset:
        height, width = sample['data_samples'].gt_sem_seg.shape
        assert sample['inputs'].shape == (3, height, width)
        sizes.add((height, width))
    assert len(dataset) == 20 and len(sizes) > 5


@pytest.mark.parametrize('target', ['street7', 'madm11'])
def test_mappings_are_those_of_the_data_samples(target):
    table = json.loads((ROOT / 'classes.json').read_text())['common_sets'][target][f'camvid_ids_to_{target}']
    ours = lookup_table(LabelSpace.get('camvid11'), LabelSpace.get(target), f'camvid_to_{target}')
    assert {int(key): value for key, value in table.items()} == dict(enumerate(ours[:12].tolist()))
