import os
from unittest.mock import Mock

import numpy as np
import pytest
from mmengine.registry import init_default_scope
from trees import noise, write_png

from mmdass.datasets import ModalityDataset

STEPS = [dict(type='LoadModalityImage'), dict(type='LoadMappedLabel'), dict(type='Resize', scale=(16, 12))]
PACK = dict(type='PackSegInputs')


@pytest.fixture
def build(tmp_path):
    init_default_scope('mmdass')
    write_png(tmp_path / 'image/a.png', noise(24, 32, 3))
    write_png(tmp_path / 'label/a.png', noise(24, 32, high=11))

    def _build(steps=STEPS, cached=True, **kwargs):
        head = [dict(type='Cached', cache_dir=str(tmp_path / 'cache'), transforms=steps)] if cached else steps
        return ModalityDataset(data_root=str(tmp_path), images='image/*.png', labels=('image', 'label'),
                               label_space='madm11', pipeline=[*head, PACK], **kwargs)
    return _build


def files(tmp_path):
    return sorted((tmp_path / 'cache').iterdir())


def same(one, other):
    np.testing.assert_array_equal(one['inputs'], other['inputs'])
    np.testing.assert_array_equal(one['data_samples'].gt_sem_seg.data, other['data_samples'].gt_sem_seg.data)
    assert one['data_samples'].metainfo == other['data_samples'].metainfo


def test_first_and_second_reading_equal_the_plain_one(build, tmp_path, monkeypatch):
    plain = build(cached=False)[0]
    dataset = build()
    same(dataset[0], plain)
    monkeypatch.setattr('mmdass.datasets.transforms.loading.read_image', None)  # would fail now
    same(dataset[0], plain)
    same(build()[0], plain)
    assert len(files(tmp_path)) == 1


def test_what_changes_is_made_anew(build, tmp_path):
    build()[0]
    build(steps=[*STEPS[:2], dict(type='Resize', scale=(8, 6))])[0]
    build(class_mapping={'sky': None})[0]
    assert len(files(tmp_path)) == 3
    write_png(tmp_path / 'image/a.png', np.zeros((24, 32, 3), np.uint8))
    os.utime(tmp_path / 'image/a.png', ns=(1, 1))
    assert not build()[0]['inputs'].any()
    assert len(files(tmp_path)) == 4


@pytest.mark.parametrize('damage', [lambda data: data[:-100], lambda data: b'', lambda data: bytes(
    byte ^ (index == len(data) // 2) for index, byte in enumerate(data))])
def test_a_damaged_file_is_made_anew(build, tmp_path, damage):
    plain = build()[0]
    path, = files(tmp_path)
    whole = path.read_bytes()
    path.write_bytes(damage(whole))
    same(build()[0], plain)
    assert path.read_bytes()[:100] == whole[:100] and path.stat().st_size == len(whole)


def test_samples_drawn_for_a_rare_class_keep_their_ids(build):
    dataset = build()
    info = dict(dataset.get_data_info(0), rare_class=object())
    first = dataset.pipeline.transforms[0](info)
    again = dataset.pipeline.transforms[0](dict(dataset.get_data_info(0), rare_class=object()))
    assert 'raw_seg_map' in first and first['seg_fields'] == again['seg_fields'] == ['gt_seg_map', 'raw_seg_map']
    np.testing.assert_array_equal(first['raw_seg_map'], again['raw_seg_map'])
    assert 'raw_seg_map' not in dataset.pipeline.transforms[0](dataset.get_data_info(0))


def test_a_full_disk_costs_the_cache_alone(build, monkeypatch):
    said = []
    monkeypatch.setattr('mmdass.datasets.transforms.cached.print_log', lambda text, **_: said.append(text))
    full = Mock(side_effect=OSError('No space left on device'))
    monkeypatch.setattr('mmdass.datasets.transforms.cached._write', full)
    dataset = build()
    for _ in range(2):
        same(dataset[0], build(cached=False)[0])
    assert len(said) == 1 and 'cannot take more' in said[0] and 'No space left' in said[0]
