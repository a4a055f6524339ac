"""Training of a VAE."""

import pytest
import torch
from diffusers import AutoencoderKL
from mmengine.config import Config
from mmengine.hooks import EMAHook
from mmengine.runner import Runner
from mmseg.structures import SegDataSample

from mmdass.models import AutoencoderTrainer

VAE = dict(block_out_channels=(4, 4), norm_num_groups=2, layers_per_block=1, mid_block_add_attention=False,
           down_block_types=('DownEncoderBlock2D',) * 2, up_block_types=('UpDecoderBlock2D',) * 2)


@pytest.fixture
def images():
    return torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1


def test_a_margin_is_not_learned(images):
    sample = SegDataSample(metainfo=dict(img_path='small.png', img_shape=(12, 16), padding_size=(0, 0, 0, 4)))
    with pytest.raises(ValueError, match='small.png enters the batch as 16 x 12, smaller than others'):
        AutoencoderTrainer(VAE)(images, [sample], mode='loss')


def test_the_scale_is_that_of_all_batches_together(images, tmp_path):
    trainer = AutoencoderTrainer(VAE)
    trainer.export(iter(images.split(1)), str(tmp_path))
    latents = trainer.vae.encode(images).latent_dist.mean
    scale = AutoencoderKL.from_pretrained(tmp_path).config.scaling_factor
    assert scale == pytest.approx(1 / latents.std().item(), rel=1e-4)


def test_one_that_was_exported_is_trained_further(images, tmp_path):
    first = AutoencoderTrainer(VAE)
    first.export([images], str(tmp_path))
    again = AutoencoderTrainer(str(tmp_path))
    torch.testing.assert_close(again(images), first(images), rtol=0.02, atol=0.02)  # in half precision
    again(images, mode='loss')['loss_reconstruction'].backward()
    assert all(parameter.grad is not None for parameter in again.vae.decoder.parameters())


def test_the_hook_writes_the_average(tmp_path):
    runner = Runner.from_cfg(Config(dict(
        model=dict(type='AutoencoderTrainer', vae=VAE, data_preprocessor=dict(
            type='SegDataPreProcessor', mean=[127.5] * 3, std=[127.5] * 3, size=(64, 64))),
        work_dir=str(tmp_path), default_scope='mmdass', train_cfg=dict(type='IterBasedTrainLoop', max_iters=2),
        train_dataloader=dict(batch_size=2, num_workers=0, sampler=dict(type='DefaultSampler'), dataset=dict(
            type='ToyStreetDataset', num_images=2, size=(64, 64),
            pipeline=[dict(type='RenderToyScene'), dict(type='PackSegInputs')])),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=1.0)),
        custom_hooks=[dict(type='EMAHook', momentum=1e-6), dict(type='ExportVAEHook', num_batches=1)])))
    runner.train()
    average = next(hook for hook in runner.hooks if isinstance(hook, EMAHook)).ema_model.module.vae.state_dict()
    last = runner.model.vae.state_dict()
    assert any((value - last[name]).abs().max() > 0.01 for name, value in average.items())
    for name, value in AutoencoderKL.from_pretrained(tmp_path / 'vae').state_dict().items():
        torch.testing.assert_close(value, average[name], rtol=1e-3, atol=1e-3, msg=name)  # half precision
