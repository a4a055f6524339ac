"""The Denoiser against diffusers, and the ways a user makes, trains and hands on one."""

import pytest
import torch
from diffusers import DDPMPipeline, DDPMScheduler, UNet2DModel
from mmseg.structures import SegDataSample

from mmdass.models import Denoiser
from mmdass.models.translators.denoiser_sizes import DENOISER_SIZES
from mmdass.registry import MODELS

LEARNED = dict(DENOISER_SIZES['tiny'], out_channels=6)


@pytest.fixture
def images():
    return torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1


def test_noise_is_the_unets_and_images_are_the_state(images):
    denoiser = MODELS.build(dict(type='Denoiser', unet='tiny')).eval()
    timesteps = torch.tensor([3, 700])
    noise, variance_logits = denoiser.predict(images, timesteps)
    torch.testing.assert_close(noise, denoiser.unet(images, timesteps).sample)
    assert variance_logits is None and denoiser.scheduler.config.variance_type == 'fixed_small'
    assert denoiser.encode(images) is images and denoiser.decode(images) is images
    assert denoiser.stride == 2


def test_six_channels_are_noise_and_variance(images):
    denoiser = Denoiser(unet=LEARNED).eval()
    noise, variance_logits = denoiser.predict(images, torch.tensor([3, 700]))
    output = denoiser.unet(images, torch.tensor([3, 700])).sample
    torch.testing.assert_close(torch.cat([noise, variance_logits], 1), output)
    assert denoiser.scheduler.config.variance_type == 'learned_range'


def test_perfect_prediction_has_no_loss(images, monkeypatch):
    denoiser = Denoiser(unet='tiny')
    scheduler = denoiser.scheduler

    def perfect(x, timesteps):
        abar = scheduler.alphas_cumprod[timesteps].view(-1, 1, 1, 1)
        return (x - abar.sqrt() * images) / (1 - abar).sqrt(), None

    monkeypatch.setattr(denoiser, 'predict', perfect)
    assert denoiser(images, mode='loss')['loss_noise'] < 1e-6
    torch.testing.assert_close(denoiser(images), images, rtol=0, atol=1e-3)


def test_variance_learns_from_the_bound_alone(images):
    denoiser = Denoiser(unet=LEARNED, vlb_weight=0.5)
    torch.manual_seed(1)
    losses = denoiser(images, mode='loss')
    denoiser.unet.conv_out.weight.retain_grad()
    losses['loss_vlb'].backward()
    grad = denoiser.unet.conv_out.weight.grad
    assert grad[:3].abs().max() == 0 and grad[3:].abs().max() > 0
    torch.manual_seed(1)
    denoiser.vlb_weight = 1.0
    torch.testing.assert_close(denoiser(images, mode='loss')['loss_vlb'], 2 * losses['loss_vlb'])


def test_export_is_read_by_us_and_by_diffusers(images, tmp_path):
    denoiser = Denoiser(unet=LEARNED, scheduler=dict(num_train_timesteps=50)).eval()
    denoiser.export(tmp_path / 'denoiser')
    again = Denoiser(pretrained=str(tmp_path / 'denoiser')).eval()
    bare = Denoiser(pretrained=str(tmp_path / 'denoiser/unet')).eval()
    timesteps = torch.tensor([3, 40])
    for other in (again, bare):
        for ours, theirs in zip(other.predict(images, timesteps), denoiser.predict(images, timesteps), strict=True):
            torch.testing.assert_close(ours, theirs, rtol=0, atol=5e-3)  # stored in half precision
    pipeline = DDPMPipeline.from_pretrained(tmp_path / 'denoiser')
    assert pipeline.scheduler.config.num_train_timesteps == again.scheduler.config.num_train_timesteps == 50
    assert next(denoiser.unet.parameters()).dtype == torch.float32  # the export left the model as it was


def test_wrong_arguments_are_named(tmp_path):
    with pytest.raises(ValueError, match='one of `unet`'):
        Denoiser()
    with pytest.raises(ValueError, match='one of `unet`'):
        Denoiser(unet='tiny', pretrained='toy')
    with pytest.raises(ValueError, match="'adm_256'; choose one of .*tiny"):
        Denoiser(unet='adm_256')
    with pytest.raises(FileNotFoundError, match='Set `pretrained` to a folder'):
        Denoiser(pretrained=str(tmp_path))


def test_arguments_of_unet_and_scheduler_reach_diffusers():
    denoiser = Denoiser(unet=DENOISER_SIZES['tiny'], scheduler=dict(beta_end=0.01))
    assert isinstance(denoiser.unet, UNet2DModel)
    torch.testing.assert_close(denoiser.scheduler.alphas_cumprod, DDPMScheduler(beta_end=0.01).alphas_cumprod)


def test_a_margin_is_not_learned(images):
    sample = SegDataSample(metainfo=dict(img_path='small.png', img_shape=(48, 64), padding_size=(0, 0, 0, 16)))
    with pytest.raises(ValueError, match='small.png enters the batch as 64 x 48, smaller than others'):
        Denoiser(unet='tiny')(images, [sample], mode='loss')
