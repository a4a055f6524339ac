"""Real files of mixed sizes, JPEG and PNG, grey and RGB, by config alone."""

import json
from pathlib import Path

import numpy as np
import pytest
from mmengine.registry import init_default_scope
from mmengine.runner import Runner

from mmdass.check import main as check
from mmdass.datasets import LabelSpace, lookup_table
from mmdass.datasets.label_presets import CLASS_MAPPINGS
from mmdass.registry import DATASETS
from mmdass.utils.config import load_config

ROOT = Path(__file__).parents[3] / 'shared/realdata'
TEMPLATE = Path(__file__).parents[2] / 'configs/self_training/custom_modality.py'
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


# NYU ids from 0 here; 39 is otherprop and unlabelled in one
NYU_TO_13 = {name: to for name, to in CLASS_MAPPINGS['nyu40_to_nyu13'].items() if name != 'otherprop'}
NYU = dict(classes=LabelSpace.get('nyu40').classes[:39], void_ids=(39,))
TASKS = {
    'camvid_to_roadscene': dict(
        source='camvid_rgb/train/image/*.png', target='roadscene_thermal/train/image/*.jpg',
        val='roadscene_thermal/val/image/*.jpg', raw='camvid11', mapping='camvid_to_street7', space='street7'),
    'camvid_to_msrs': dict(
        source='camvid_rgb/train/image/*.png', target='msrs_thermal/train/image/*.png',
        val='camvid_dusk/val/image/*.png', raw='camvid11', mapping='camvid_to_madm11', space='madm11'),
    'nyu_rgb_to_depth': dict(
        source='nyu_depth/train_rgb/image/*.jpg', target='nyu_depth/train_depth/image/*.png',
        val='nyu_depth/val_depth/image/*.png', raw=NYU, mapping=NYU_TO_13, space='nyu13',
        loader=dict(type='LoadDepth', unit=1 / 25.5, coding='inverse')),
    'camvid_to_events': dict(
        source='camvid_rgb/train/image/*.png', target='camvid_events_sim/train/image/*.png',
        val='camvid_events_sim/val/image/*.png', raw='camvid11', mapping='camvid_to_madm11', space='madm11'),
}


@pytest.fixture
def task_config(tmp_path, request):
    """The shipped template with the roots, classes, loaders and globs of a task, at the smallest size."""
    task = TASKS[request.param]
    cfg = load_config(TEMPLATE, dict(source_root=f'{ROOT}/', target_root=f'{ROOT}/'))
    pairs, test = cfg.train_dataloader.dataset, cfg.val_dataloader.dataset
    labels = dict(labels=(r'image/(.*)\.\w+$', r'label/\1.png'), raw_labels=task['raw'],
                  class_mapping=task['mapping'])
    for dataset, images, kwargs in ((pairs.source, task['source'], labels), (pairs.target, task['target'], {}),
                                    (test, task['val'], labels)):
        dataset.update(images=images, label_space=task['space'], indices=4)
        dataset.pop('class_mapping', None)  # a dict in the template
        dataset.update(kwargs)
    pairs.target.pipeline[0] = test.pipeline[0] = task.get('loader', pairs.target.pipeline[0])
    for loader in (cfg.train_dataloader, cfg.val_dataloader):
        loader.update(num_workers=0, persistent_workers=False)
    cfg.test_dataloader = cfg.val_dataloader
    segmentor = cfg.model.segmentor
    segmentor.backbone.update(embed_dims=8, num_layers=[1] * 4, init_cfg=None)  # tests download nothing
    segmentor.decode_head.update(
        in_channels=[8, 16, 40, 64], channels=8, num_classes=len(LabelSpace.get(task['space']).classes))
    cfg.model.data_preprocessor.source.size = (64, 64)
    small = dict(crop_size=(64, 64), scale=(128, 64))
    for pipeline in (pairs.source.pipeline, pairs.target.pipeline, test.pipeline):
        for step in pipeline:
            step.update({key: size for key, size in small.items() if key in step})
    cfg.train_cfg.update(max_iters=1, val_interval=1)
    cfg.work_dir = str(tmp_path / 'work')
    path = tmp_path / f'{request.param}.py'
    cfg.dump(path)
    return path


@pytest.mark.parametrize('task_config', [
    'nyu_rgb_to_depth', *(pytest.param(name, marks=pytest.mark.slow) for name in TASKS if name != 'nyu_rgb_to_depth')
], indirect=True)
def test_real_data_checks_and_trains_by_config_alone(task_config, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))
    assert check([str(task_config), '--workers', '0', '--contact-sheet', str(tmp_path / 'sheet.png')]) == 0
    assert '0 errors' in capsys.readouterr().out and (tmp_path / 'sheet.png').is_file()
    runner = Runner.from_cfg(load_config(task_config))
    runner.train()
    assert runner.iter == 1
    assert 0 <= runner.message_hub.get_scalar('val/student/mIoU').current() <= 100
