"""The shipped toy-sd: a whole, small, trained Stable Diffusion model."""

from pathlib import Path

import pytest
import torch
from diffusers import StableDiffusionPipeline
from safetensors.torch import load_file

from mmdass.datasets.toy.scene import ToyStreet
from mmdass.models import LatentDenoiser
from mmdass.registry import MODELS

FOLDER = Path(__file__).parents[3] / 'mmdass/models/weights/toy_sd'


@pytest.fixture(scope='module')
def streets() -> torch.Tensor:
    """Images (4, 3, 128, 128), RGB in [-1, 1], of scenes that it was not trained on."""
    scenes = [ToyStreet(123, (256, 128)).scene(index) for index in range(4)]
    images = [torch.from_numpy(scene.rgb('real')[:, :128, ::-1].copy()) for scene in scenes]
    return torch.stack(images).permute(0, 3, 1, 2).float() / 127.5 - 1


def test_it_is_small_and_in_half_precision():
    assert sum(path.stat().st_size for path in FOLDER.rglob('*') if path.is_file()) < 12e6
    for part in ('vae', 'unet'):
        weights = load_file(FOLDER / part / 'diffusion_pytorch_model.safetensors')
        assert {value.dtype for value in weights.values()} == {torch.float16}


def test_diffusers_opens_it():
    pipeline = StableDiffusionPipeline.from_pretrained(FOLDER)
    picture = pipeline('', num_inference_steps=1, guidance_scale=1, height=64, width=64, output_type='np').images
    assert picture.shape == (1, 64, 64, 3)


def test_its_latents_hold_the_image(streets):
    vae = MODELS.build(dict(type='StableDiffusionBackbone', pretrained='toy')).vae
    with torch.no_grad():
        latents = vae.encode(streets).latent_dist.mean
        restored = vae.decode(latents).sample
    blurred = torch.nn.functional.avg_pool2d(streets, 16).repeat_interleave(16, 2).repeat_interleave(16, 3)
    assert (restored - streets).abs().mean() < (blurred - streets).abs().mean()
    assert 0.5 < (latents * vae.config.scaling_factor).std() < 1.5


def test_it_predicts_the_noise_of_streets(streets):
    errors = {}
    for name, options in dict(trained=dict(pretrained='toy'), random=dict(random_init='tiny', vae='toy')).items():
        torch.manual_seed(0)
        with torch.no_grad():
            errors[name] = LatentDenoiser(**options).eval()(streets.repeat(4, 1, 1, 1), mode='loss')['loss_noise']
    assert errors['trained'] < 0.5 * errors['random']
