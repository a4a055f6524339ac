import json

import numpy as np
import pytest
from event_files import SENSOR, random_events, write_dsec, write_rectify_map
from mmengine.registry import DefaultScope
from trees import noise, write_png

from mmdass.check import main as check
from mmdass.datasets import DomainPairDataset, EventDataset
from mmdass.registry import DATASETS

OFFSET = 50_000_000_000


@pytest.fixture
def root(tmp_path):
    """Raw DSEC: two sequences of five frames with events, rectification, time stamps and semantic labels."""
    for number, name in enumerate(('zurich_city_00_a', 'zurich_city_13_a')):
        folder = tmp_path / 'train' / name
        write_dsec(folder / 'events/left/events.h5', random_events(seed=number), OFFSET)
        write_rectify_map(folder / 'events/left/rectify_map.h5',
                          np.stack(np.meshgrid(np.arange(64), np.arange(48)), axis=-1))
        (folder / 'images').mkdir()
        (folder / 'images/timestamps.txt').write_text(''.join(f'{OFFSET + 40_000 * i}\n' for i in range(5)))
        for frame in range(5):
            write_png(folder / f'semantic/11classes/{frame:06d}.png', noise(44, 64, high=11, seed=frame))
    return tmp_path


LOAD = dict(type='LoadEvents', duration=40_000, sensor=SENSOR, crop=(44, 64), rectify_map='rectify_map.h5')
LABELS = ('events/left/events.h5', 'semantic/11classes/{frame:06d}.png')


def config(root, pipeline, **kwargs):
    defaults = dict(
        type='EventDataset', data_root=str(root), images='train/*/events/left/events.h5', modality='event',
        timestamps=('events/left/events.h5', 'images/timestamps.txt'), frames=(1, None, 1), label_space='madm11')
    return {**defaults, 'pipeline': pipeline, **kwargs}


def build(root, pipeline=(), **kwargs):
    cfg = config(root, list(pipeline), **kwargs)
    cfg.pop('type')
    return EventDataset(**cfg)


def frames(dataset):
    infos = map(dataset.get_data_info, range(len(dataset)))
    return [(info['img_path'].split('/')[-4][-4:], info['frame'], info['timestamp'] - OFFSET) for info in infos]


def test_a_sample_for_each_frame(root):
    assert frames(build(root, frames=(2, None, 2))) == [
        ('00_a', 2, 80_000), ('00_a', 4, 160_000), ('13_a', 2, 80_000), ('13_a', 4, 160_000)]
    assert len(build(root)) == 8 and len(build(root, frames=(0, 2, 1))) == 4


def test_each_frame_is_cached_by_itself(root, tmp_path):
    DefaultScope.get_instance('cached_events', scope_name='mmdass')
    head = dict(type='Cached', cache_dir=str(tmp_path / 'cache'), transforms=[LOAD])
    plain, cached = (DATASETS.build(config(root, [step, dict(type='PackSegInputs')])) for step in (LOAD, head))
    for _ in range(2):  # made, and read
        for index in range(len(plain)):
            assert cached[index]['inputs'].equal(plain[index]['inputs'])
    assert len(list((tmp_path / 'cache').iterdir())) == len(plain) == 8


def test_labels_follow_the_frame(root):
    dataset = build(root, labels=LABELS)
    info = dataset.get_data_info(1)
    assert info['seg_map_path'] == str(root / 'train/zurich_city_00_a/semantic/11classes/000002.png')
    (root / 'train/zurich_city_00_a/semantic/11classes/000002.png').unlink()
    with pytest.raises(FileNotFoundError, match='1 of 8 images have no label'):
        build(root, labels=LABELS)


def test_raw_events_load_with_their_labels_by_config_alone(root):
    DefaultScope.get_instance('raw_events', scope_name='mmdass')
    pipeline = [LOAD, dict(type='LoadMappedLabel'), dict(type='PackSegInputs')]
    dataset = DATASETS.build(config(root, pipeline, labels=LABELS))
    sample = dataset[5]
    assert sample['inputs'].shape == (3, 44, 64) and 100 < sample['inputs'].float().mean() < 150
    np.testing.assert_array_equal(sample['data_samples'].gt_sem_seg.data[0], noise(44, 64, high=11, seed=2))
    assert not (sample['inputs'] == dataset[4]['inputs']).all()


def test_raw_events_are_a_target_domain(root):
    DefaultScope.get_instance('raw_events', scope_name='mmdass')
    pipeline = [LOAD, dict(type='RandomCrop', crop_size=(32, 32)), dict(type='PackSegInputs')]
    source = config(root, [LOAD, dict(type='LoadMappedLabel'), *pipeline[1:]], labels=LABELS)
    pairs = DomainPairDataset(source=source, target=config(root, pipeline), rare_class_sampling=None, seed=0)
    sample = pairs[3]
    assert sample['target']['inputs'].shape == (3, 32, 32)
    assert (sample['target']['inputs'] == pairs[3]['target']['inputs']).all()


def test_missing_and_wrong_time_stamps_are_named(root):
    path = root / 'train/zurich_city_13_a/images/timestamps.txt'
    path.write_text('0.5\n0.6\n')
    with pytest.raises(ValueError, match=r'13_a/images/timestamps\.txt is no list of time stamps'):
        build(root)
    path.unlink()
    with pytest.raises(FileNotFoundError, match=r'timestamps\.txt of .*13_a/events/left/events\.h5.*set `timestamps`'):
        build(root)
    with pytest.raises(ValueError, match="pattern 'right' of `timestamps` does not occur"):
        build(root, timestamps=('right', 'images'))
    with pytest.raises(ValueError, match='has no frame .*set `frames`'):
        build(root, frames=(7, None, 1))


def test_text_recordings_are_not_taken_for_a_list(root):
    (root / 'a.txt').write_text('1 2 3 1\n')
    (root / 'stamps_a.txt').write_text('5\n')
    dataset = build(root, images='a*.txt', timestamps=(r'(.*)\.txt', r'stamps_\1.txt'), frames=(0, None, 1))
    assert len(dataset) == 1 and dataset.get_data_info(0)['img_path'] == str(root / 'a.txt')


def test_check_looks_at_each_frame_without_hashing_its_whole_recording(root, tmp_path):
    (tmp_path / 'config.py').write_text(
        f'train_dataloader = dict(dataset=dict(type="KeyedDataset", dataset={config(root, [LOAD], labels=LABELS)!r}))')
    json_file = tmp_path / 'facts.json'
    assert check([str(tmp_path / 'config.py'), '--json', str(json_file), '--workers', '0']) == 0
    (split,) = json.loads(json_file.read_text())['splits']
    assert split['items'] == split['labelled'] == 8 and split['image_sizes'] == {'64 x 44': 8}
    assert split['image_forms'] == {}
