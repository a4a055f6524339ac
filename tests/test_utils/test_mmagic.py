"""mmagic's networks in our denoiser and translator; skipped where mmagic is not installed."""

import importlib
import re
import sys

import mmcv
import pytest
import torch
from mmengine.registry import init_default_scope
from tiny_translator import UNET, both_hooks, make_images, make_segmentor

from mmdass.checkpoints import adm
from mmdass.models import Denoiser
from mmdass.models.translators import denoiser_sizes
from mmdass.registry import MODELS

# The published ADM models' arguments, at 32 pixels and with few channels; 'GN' for float64.
ADM = dict(
    type='DenoisingUnet', _scope_='mmagic', image_size=32, base_channels=32, channels_cfg=[1, 2],
    resblocks_per_downsample=1, attention_res=(16, ), norm_cfg=dict(type='GN32', num_groups=32), resblock_updown=True,
    attention_cfg=dict(type='MultiHeadAttentionBlock', num_head_channels=16, use_new_attention_order=False),
    use_scale_shift_norm=True)
WRAPPED = dict(type='UNet2DModel', _scope_='mmagic', **UNET)
# mmagic's name: guided-diffusion's.
NAMES = {
    'in_blocks': 'input_blocks', 'mid_blocks': 'middle_block', 'out_blocks': 'output_blocks',
    r'time_embedding\.blocks': 'time_embed', r'out\.gn': 'out.0', r'out\.conv': 'out.2', 'conv_1': 'in_layers',
    r'norm_with_embedding\.norm': 'out_layers.0', r'norm_with_embedding\.embedding_layer': 'emb_layers',
    r'conv_2\.2': 'out_layers.3', 'shortcut': 'skip_connection'}


@pytest.fixture
def bridge():
    return pytest.importorskip('mmdass.utils.mmagic')


@pytest.fixture(params=['mmdass', 'mmseg'])
def scope(request) -> str:
    init_default_scope(request.param)
    return '' if request.param == 'mmdass' else 'mmdass.'


@pytest.fixture
def inputs() -> tuple[torch.Tensor, torch.Tensor]:
    return torch.randn(2, 3, 16, 32, generator=torch.Generator().manual_seed(0)), torch.tensor([3, 700])


def with_weights(model: torch.nn.Module) -> torch.nn.Module:
    """mmagic's last layers are zero until trained."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    return model.eval()


def test_absence_is_told_with_the_remedy(monkeypatch):
    monkeypatch.setitem(sys.modules, 'mmagic', None)
    monkeypatch.delitem(sys.modules, 'mmdass.utils.mmagic', raising=False)
    with pytest.raises(ModuleNotFoundError, match='pip install --no-deps mmagic==1.2.0'):
        importlib.import_module('mmdass.utils.mmagic')


def test_mmcv_keeps_its_version(bridge):
    from importlib.metadata import distributions
    owner = next(d for d in distributions() if d.metadata['Name'] in ('onedl-mmcv', 'mmcv', 'mmcv-lite'))
    assert mmcv.__version__ == owner.version


@torch.no_grad()
def test_denoising_unet_is_a_denoisers_network(bridge, scope, inputs):
    denoiser = with_weights(MODELS.build(dict(type=f'{scope}Denoiser', unet=ADM)))
    noise, variance_logits = denoiser.predict(*inputs)
    output = super(bridge.DenoisingUnet, denoiser.unet).forward(*inputs)['sample']
    assert torch.equal(torch.cat([noise, variance_logits], 1), output) and output.std() > 0.01
    assert denoiser.stride == 2 and denoiser.scheduler.config.variance_type == 'learned_range'
    losses = denoiser(inputs[0], mode='loss')
    assert losses.keys() == {'loss_noise', 'loss_vlb'}


@torch.no_grad()
def test_its_weights_converted_give_the_same_output(bridge, inputs, monkeypatch):
    """mmagic's network stands for OpenAI's code here, which is not in any package."""
    size = denoiser_sizes._adm((32, 64), {1}, layers=1) | dict(attention_head_dim=16)
    monkeypatch.setitem(denoiser_sizes.DENOISER_SIZES, 'adm256', size)
    unet = with_weights(Denoiser(unet=ADM)).unet
    weights = unet.state_dict()
    for theirs, official in NAMES.items():
        weights = {re.sub(rf'(^|\.){theirs}\.', rf'\g<1>{official}.', name): value for name, value in weights.items()}
    converted = adm.convert(weights).model.unet.eval()
    torch.testing.assert_close(converted(*inputs).sample, unet(*inputs).sample, rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_published_checkpoints_load_by_init_cfg(bridge, scope, inputs, tmp_path):
    """Their keys begin with `unet.`, as a denoiser's do."""
    trained = with_weights(MODELS.build(dict(type=f'{scope}Denoiser', unet=ADM)))
    unet = {f'unet.{name}': value for name, value in trained.unet.state_dict().items()}
    torch.save(dict(meta={}, state_dict=unet), tmp_path / 'adm.pth')
    init_cfg = dict(type='Pretrained', checkpoint=str(tmp_path / 'adm.pth'))
    denoiser = MODELS.build(dict(type=f'{scope}Denoiser', unet=ADM, init_cfg=init_cfg))
    denoiser.init_weights()
    assert torch.equal(denoiser.eval().predict(*inputs)[0], trained.predict(*inputs)[0])


@torch.no_grad()
def test_weights_given_to_the_network_survive_init_weights(bridge, inputs, tmp_path):
    trained = with_weights(Denoiser(unet=ADM))
    torch.save(trained.unet.state_dict(), tmp_path / 'unet.pth')
    denoiser = Denoiser(unet=dict(ADM, pretrained=str(tmp_path / 'unet.pth')))
    denoiser.init_weights()
    assert torch.equal(denoiser.eval().predict(*inputs)[0], trained.predict(*inputs)[0])


@torch.no_grad()
def test_wrapped_diffusers_model_is_a_denoisers_network(bridge, scope, inputs, tmp_path):
    original = with_weights(Denoiser(unet=UNET))
    original.unet.save_pretrained(tmp_path)
    unet = dict(type='UNet2DModel', _scope_='mmagic', from_pretrained=str(tmp_path))
    denoiser = MODELS.build(dict(type=f'{scope}Denoiser', unet=unet))
    denoiser.init_weights()
    assert isinstance(denoiser.unet, bridge.DiffusersWrapper)
    assert torch.equal(denoiser.eval().predict(*inputs)[0], original.predict(*inputs)[0])
    denoiser.export(tmp_path / 'exported')
    exported = Denoiser(pretrained=str(tmp_path / 'exported')).eval()
    torch.testing.assert_close(exported.predict(*inputs)[0], original.predict(*inputs)[0], rtol=1e-2, atol=1e-2)


def test_what_diffusers_has_no_layout_for_is_not_exported(bridge, tmp_path):
    with pytest.raises(TypeError, match='DenoisingUnet'):
        Denoiser(unet=ADM).export(tmp_path)


@pytest.mark.parametrize('unet', [ADM, WRAPPED])
@pytest.mark.parametrize('dtype', ['float32', 'bfloat16'])
def test_translates(bridge, scope, unet, dtype):
    images, labels, ids = make_images()
    hooks = [dict(hook, type=f'{scope}{hook["type"]}') for hook in both_hooks()]

    def translate(hooks: list[dict]) -> torch.Tensor:
        translator = MODELS.build(dict(
            type=f'{scope}DiffusionTranslator', denoiser=dict(type=f'{scope}Denoiser', unet=unet), sgg_hooks=hooks,
            start=300, num_steps=6, dtype=dtype))
        with_weights(translator.denoiser)
        translator.guide_with(make_segmentor())
        return translator.translate(images, labels, ids).images

    torch.manual_seed(0)
    guided = translate(hooks)
    torch.manual_seed(0)
    unguided = translate([])
    assert guided.shape == images.shape and guided.isfinite().all()
    assert (guided - unguided).abs().mean() > 1e-3
