from pathlib import Path

import pytest
import torch
from mmengine.registry import init_default_scope

from mmdass.apis.memory_levers import explain_out_of_memory, memory_levers
from mmdass.utils.config import load_config

CONFIGS = Path(__file__).parents[2] / 'configs'


def levers(name, **options):
    init_default_scope('mmdass')
    return {lever.change.split('=')[0].split(' ')[0]: lever
            for lever in memory_levers(load_config(CONFIGS / name, options))}


def test_full_fine_tuning_of_madm_has_every_lever_the_largest_first():
    found = levers('madm/event.py')
    assert list(found) == [
        'model.segmentor.backbone.lora.rank', 'model.segmentor.backbone.with_cp',
        'model.segmentor.decode_head.final_fuse', 'train_dataloader.batch_size',
        'model.segmentor.backbone.vae_dtype', 'crop_size']
    assert found['crop_size'].remaining == (384 / 512)**2
    assert 'accumulative_counts=2' in found['train_dataloader.batch_size'].change


def test_levers_pulled_already_are_not_named():
    head = {'model.segmentor.decode_head.final_fuse': True}
    assert list(levers('madm/event_lora.py', **head)) == ['model.segmentor.backbone.vae_dtype', 'crop_size']
    in_float32 = levers('madm/event_lora.py', **head, **{'optim_wrapper.type': 'OptimWrapper'})
    assert list(in_float32) == ['optim_wrapper.type', 'model.segmentor.backbone.vae_dtype', 'crop_size']


def test_larger_batches_save_more():
    assert levers('madm/event.py', **{'train_dataloader.batch_size': 8})['train_dataloader.batch_size'].remaining == 1/8


def test_a_plain_segmentor(tiny_config):
    init_default_scope('mmdass')
    assert [lever.change for lever in memory_levers(tiny_config)] == [
        'model.backbone.with_cp=True', 'train_dataloader.batch_size=1 optim_wrapper.accumulative_counts=2',
        'optim_wrapper.type=mmdass.AutocastOptimWrapper, or --amp']


@pytest.mark.parametrize('name', [
    'self_training/toy_daformer.py', 'sgg_ptl/denoiser_cityscapes.py', 'sgg_ptl/gta_to_cityscapes.py',
    'sgg_ptl/latent_lora.py', 'distill/segformer_b0_event.py'])
def test_every_kind_of_training_has_an_answer(name):
    assert levers(name)


def test_the_error_says_what_was_wanted_and_what_to_change():
    init_default_scope('mmdass')
    cfg = load_config(CONFIGS / 'madm/event.py')

    def forward():
        raise torch.OutOfMemoryError('CUDA out of memory. Tried to allocate 2.00 GiB.')

    with pytest.raises(torch.OutOfMemoryError) as error, explain_out_of_memory(cfg):
        forward()
    text = str(error.value)
    assert text.startswith('CUDA out of memory. Tried to allocate 2.00 GiB.')
    assert "model.segmentor.backbone.with_cp=True\n      the backbone's activations x 0.3; a third more time" in text


def test_other_errors_pass():
    with pytest.raises(RuntimeError, match='^shapes$'), explain_out_of_memory(None):
        raise RuntimeError('shapes')
