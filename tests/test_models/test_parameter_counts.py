"""The paper's sizes, on the meta device, which allocates nothing."""

import pytest
import torch
from mmengine.config import Config
from tiny_madm import CONFIGS

from mmdass.models import MADM, Denoiser
from mmdass.registry import MODELS

UNET, VAE, NECK, CONDITIONING, TAIL = 859_520_964, 83_653_863, 2_245_888, 179_968, 12_164
HEAD = dict(event=3_874_059, depth=3_874_059, infrared=3_873_545)


def count(module: torch.nn.Module, trained_only: bool = False) -> int:
    return sum(p.numel() for p in module.parameters() if p.requires_grad or not trained_only)


@pytest.fixture(params=HEAD)
def task(request) -> str:
    return request.param


@pytest.fixture
def no_hash(monkeypatch):
    monkeypatch.setattr('mmdass.models.backbones.stable_diffusion_recipe.weights_hash', lambda state_dict: 'none')


@pytest.fixture
def model(task, no_hash) -> MADM:
    cfg = Config.fromfile(CONFIGS / f'{task}.py').model
    cfg.segmentor.backbone.update(pretrained=None, revision=None, random_init='sd1')
    with torch.device('meta'):
        return MODELS.build(cfg)


def test_parameters_of_the_shipped_configs(task, model):
    student, backbone = model.segmentor, model.segmentor.backbone
    parts = backbone.unet, backbone.vae, student.neck, student.decode_head, backbone.conditioning
    assert [count(part) for part in parts] == [UNET, VAE, NECK, HEAD[task], CONDITIONING]
    assert count(model, trained_only=True) == UNET - TAIL + NECK + HEAD[task] + CONDITIONING
    assert count(model.teacher) == NECK + HEAD[task] + CONDITIONING


@pytest.mark.parametrize('modalities', [['depth'], ['depth', 'event']])
def test_adapters(modalities, no_hash):
    cfg = Config.fromfile(CONFIGS / 'depth_lora.py').model.segmentor.backbone
    cfg.update(pretrained=None, revision=None, random_init='sd1')
    cfg.lora.modalities = modalities
    with torch.device('meta'):
        backbone = MODELS.build(cfg)
    assert count(backbone, trained_only=True) == len(modalities) * 3_188_736 + CONDITIONING


def test_stable_diffusion_2(no_hash):
    with torch.device('meta'):
        backbone = MODELS.build(dict(type='StableDiffusionBackbone', random_init='sd2'))
    assert count(backbone.unet) == 865_910_724


def test_trainable_total_of_the_released_code():
    assert UNET - TAIL + NECK + HEAD['event'] + CONDITIONING == 865_808_715


@pytest.mark.parametrize('size, millions', [('adm256', 552.8), ('adm512', 558.0), ('adm_lite', 93.6)])
def test_denoisers(size, millions):
    """OpenAI's models; adm_lite is one of theirs made smaller."""
    with torch.device('meta'):
        assert round(count(Denoiser(unet=size).unet) / 1e6, 1) == millions
