"""Inference sees what testing sees, of files of every modality, and of arrays."""

import cv2
import numpy as np
import pytest
import torch
from event_files import random_events, write_dsec
from mmengine.config import Config
from mmengine.registry import init_default_scope

from mmdass.apis.inference_inputs import list_inputs
from mmdass.apis.inference_pipeline import as_picture, inference_pipeline
from mmdass.registry import DATASETS

SPACE = dict(classes=('a', 'b'))
TAIL = [
    dict(type='LoadMappedLabel'), dict(type='Resize', scale=(32, 32)), dict(type='EvaluateAtCurrentSize'),
    dict(type='PackModalityInputs')]


@pytest.fixture(autouse=True)
def scope():
    init_default_scope('mmdass')


def config(folder, loader: dict, images: str, modality: str = 'depth', **dataset) -> Config:
    return Config(dict(test_dataloader=dict(dataset=dict(
        type='ModalityDataset', data_root=str(folder), images=images, labels=(r'(\w+)\.\w+$', r'\1_label.png'),
        label_space=SPACE, modality=modality, pipeline=[loader, *TAIL]) | dataset)))


def write(path, array) -> None:
    np.save(path, array) if path.suffix == '.npy' else cv2.imwrite(str(path), array)
    cv2.imwrite(str(path.with_name(f'{path.stem}_label.png')), np.zeros(array.shape[:2], np.uint8))


@pytest.mark.parametrize('suffix', ['.png', '.npy'])
@pytest.mark.parametrize('loader', [dict(type='LoadDepth', coding='inverse'), dict(type='LoadInfrared', gain=0.04)])
def test_sixteen_bit_measurements_go_through_the_transforms_of_testing(tmp_path, suffix, loader):
    write(tmp_path / f'x{suffix}', np.random.default_rng(0).integers(1000, 60000, (20, 30)).astype(np.uint16))
    cfg = config(tmp_path, loader, f'x{suffix}')
    tested = DATASETS.build(cfg.test_dataloader.dataset)[0]
    pipeline = inference_pipeline(cfg)
    found, = list_inputs(tmp_path / f'x{suffix}', pipeline.suffixes)
    sample = pipeline(found)
    assert torch.equal(sample['inputs'], tested['inputs'])
    assert sample['data_samples'].modality == 'depth'
    assert sample['data_samples'].ori_shape == (20, 30)  # predictions at the size of the file, not of the protocol


def test_a_recording_is_cut_into_the_windows_of_the_config(tmp_path):
    events = random_events(duration=230_000)
    write_dsec(tmp_path / 'events.h5', events, offset=7)
    cfg = config(tmp_path, dict(type='LoadEvents', duration=50_000), 'events.h5', modality='event')
    pipeline = inference_pipeline(cfg)
    found = list_inputs(tmp_path, pipeline.suffixes, pipeline.window_ends)
    span = int(events.t[-1] - events.t[0]) + 1
    assert [each.name for each in found] == [f'events/{i:06d}' for i in range(span // 50_000)]
    assert found[0].timestamp == 7 + events.t[0] + 50_000
    windows = [pipeline.load(each)['img'] for each in found]
    assert all(window.shape == (480, 640, 3) for window in windows)
    assert any((window != windows[0]).any() for window in windows[1:])
    (tmp_path / 'broken.h5').write_bytes(b'none')
    broken = list_inputs(tmp_path / 'broken.h5', pipeline.suffixes, pipeline.window_ends)
    with pytest.raises(OSError, match='broken.h5'):
        pipeline.load(broken[0])


def test_a_toy_config_loads_pictures(tmp_path):
    picture = np.random.default_rng(0).integers(0, 255, (16, 24, 3), np.uint8)
    cv2.imwrite(str(tmp_path / 'x.png'), picture)
    cfg = Config(dict(test_dataloader=dict(dataset=dict(
        type='ToyStreetDataset', modality='event', pipeline=[
            dict(type='RenderToyScene'), dict(type='PackModalityInputs')]))))
    pipeline = inference_pipeline(cfg)
    assert pipeline.modality == 'event'
    for source in (picture, tmp_path / 'x.png', str(tmp_path / 'x.png')):
        assert torch.equal(pipeline(source)['inputs'], torch.from_numpy(picture).permute(2, 0, 1))


def test_a_grey_array_becomes_three_channels_and_others_are_refused():
    pipeline = inference_pipeline(config('.', dict(type='LoadModalityImage'), '*'))
    assert (pipeline.load(np.full((4, 6), 7, np.uint8))['img'] == 7).all()
    assert pipeline.load(np.full((4, 6), 7, np.uint8))['img'].shape == (4, 6, 3)
    with pytest.raises(ValueError, match='uint16'):
        pipeline.load(np.zeros((4, 6), np.uint16))
    with pytest.raises(ValueError, match='by LoadDepth: give it files'):
        inference_pipeline(config('.', dict(type='LoadDepth'), '*')).load(np.zeros((4, 6), np.uint8))


def test_half_a_file_is_refused_though_opencv_would_take_it(tmp_path):
    path = tmp_path / 'x.png'
    cv2.imwrite(str(path), np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8))
    path.write_bytes(path.read_bytes()[:6000])
    pipeline = inference_pipeline(config(tmp_path, dict(type='LoadImageFromFile'), 'x.png'))
    with pytest.raises(OSError, match='x.png .*truncated'):
        pipeline.load(path)


def test_several_modalities_are_chosen_from():
    each = [config('.', dict(type=name), '*', modality=modality).test_dataloader.dataset
            for name, modality in (('LoadDepth', 'depth'), ('LoadModalityImage', 'event'))]
    cfg = Config(dict(test_dataloader=dict(dataset=dict(type='ConcatDataset', datasets=each))))
    assert type(inference_pipeline(cfg, 'depth').loader).__name__ == 'LoadDepth'
    assert inference_pipeline(cfg, 'event').modality == 'event'
    for wrong in (None, 'infrared'):
        with pytest.raises(ValueError, match='depth, event: choose one'):
            inference_pipeline(cfg, wrong)


def test_a_config_without_labels_loads_as_its_training_does():
    target = dict(modality='infrared', pipeline=[dict(type='LoadInfrared', clahe=2.0), dict(type='RandomFlip')])
    cfg = Config(dict(
        train_dataloader=dict(dataset=dict(type='DomainPairDataset', source=dict(pipeline=[]), target=target)),
        test_dataloader=None, test_pipeline=[dict(type='LoadModalityImage'), *TAIL]))
    pipeline = inference_pipeline(cfg)
    assert [each['type'] for each in pipeline.transforms] == ['LoadInfrared', 'Resize', 'PackModalityInputs']
    assert pipeline.modality == 'infrared'
    with pytest.raises(ValueError, match='does not say how test images are loaded'):
        inference_pipeline(Config(dict(model=dict())))


def test_cached_loading_is_unpacked():
    cached = dict(type='Cached', cache_dir='absent', transforms=[dict(type='LoadDepth'), dict(type='LoadMappedLabel')])
    pipeline = inference_pipeline(config('.', cached, '*'))
    assert [each['type'] for each in pipeline.transforms] == ['LoadDepth', 'Resize', 'PackModalityInputs']


def test_numbers_become_a_picture_for_the_eye():
    voxels = np.zeros((4, 5, 3), np.float32)
    voxels[1, 2] = -2
    picture = as_picture(voxels)
    assert picture.dtype == np.uint8 and picture[1, 2].tolist() == [255] * 3 and picture.sum() == 3 * 255
    assert as_picture(picture) is picture
    assert not as_picture(np.zeros((4, 5, 2), np.float32)).any()
