"""Adapters of the StableDiffusionBackbone: what they change, what is trained, what is saved, what is refused."""

import pytest
import torch
from mmengine.runner.checkpoint import load_state_dict
from tiny_madm import SIZE, make_batch, tiny_backbone

from mmdass.models import StableDiffusionBackbone
from mmdass.registry import MODELS

TWO = dict(rank=2, modalities=('depth', 'event'))


def build(**options) -> StableDiffusionBackbone:
    torch.manual_seed(0)
    return MODELS.build(tiny_backbone(**options))


def trained(**options) -> StableDiffusionBackbone:
    """With adapters that do something."""
    backbone = build(**options)
    generator = torch.Generator().manual_seed(1)
    for name, parameter in backbone.unet.named_parameters():
        if 'lora_' in name:
            parameter.data = 0.3 * torch.randn(parameter.shape, generator=generator)
    return backbone


def trainable(backbone: StableDiffusionBackbone) -> set[str]:
    return {name for name, value in backbone.named_parameters() if value.requires_grad}


@pytest.fixture
def images() -> torch.Tensor:
    return make_batch()[0]['source']


@pytest.mark.parametrize('lora', [dict(rank=2), dict(rank=2, target_modules=['conv1', 'proj_in'])])
def test_an_untrained_adapter_changes_nothing(images, lora):
    plain, adapted = build(), build(lora=lora)
    torch.testing.assert_close(adapted(images), plain(images), rtol=0, atol=0)
    assert any((a - b).abs().mean() > 1e-3 for a, b in zip(trained(lora=lora)(images), plain(images), strict=True))


@pytest.mark.parametrize('with_cp', [False, True])
def test_the_gradient_reaches_adapters_and_conditioning_alone(images, with_cp):
    backbone = trained(lora=dict(rank=2), conditioning=dict(type='mmdass.LearnableConditioning'), with_cp=with_cp)
    output = backbone.train().forward_latents(backbone.encode(images))
    (output.latents.abs().mean() + sum(feature.square().mean() for feature in output.features)).backward()
    moved = {name for name, value in backbone.named_parameters() if value.grad is not None}
    assert moved == trainable(backbone)
    assert {name.split('.')[0] for name in moved if '.lora_' not in name} == {'conditioning'}
    adapters = {name: value.grad for name, value in backbone.named_parameters() if '.lora_' in name}
    assert len(adapters) == 2 * 4 * 2 * 16  # two factors of four layers in two attentions of 16 transformer blocks
    assert all(gradient.any() for name, gradient in adapters.items() if 'mid_block' not in name and 'attn2' in name)


def test_alpha_is_in_proportion_to_the_rank():
    backbone = build(lora=dict(rank=2, alpha=3))
    assert backbone.adapters == dict(default=1.5)
    layer = backbone.unet.get_submodule('up_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q')
    assert layer.scaling == dict(default=1.5) and layer.r == dict(default=2)


def test_the_adapter_in_use_is_chosen_and_training_is_not_affected(images):
    backbone = trained(lora=dict(TWO, frozen=('depth',)))
    before = trainable(backbone)
    assert before and all(name.endswith('.event.weight') for name in before)
    with pytest.raises(RuntimeError, match='which of the adapters depth, event.*use_adapter'):
        backbone(images)
    seen = {}
    for name in ('event', 'depth', 'event'):
        backbone.use_adapter(name)
        features = backbone(images)
        torch.testing.assert_close(features, seen.setdefault(name, features), rtol=0, atol=0)
        assert trainable(backbone) == before
    assert (seen['event'][1] - seen['depth'][1]).abs().mean() > 1e-3
    alone = build(lora=dict(rank=2, modalities='depth'))
    alone.load_state_dict(backbone.state_dict(), strict=False)
    torch.testing.assert_close(alone(images), seen['depth'], rtol=0, atol=0)
    with pytest.raises(ValueError, match="no adapter for 'infrared', but for depth, event"):
        backbone.use_adapter('infrared')


@pytest.mark.parametrize('load', [torch.nn.Module.load_state_dict, load_state_dict])
def test_checkpoints_hold_adapters_and_the_recipe(images, load):
    backbone = trained(lora=dict(rank=2))
    state = backbone.state_dict()
    assert {name for name in state if '.lora_' not in name} == {'_extra_state', 'noise', 'empty_prompt'}
    assert {'vae_sha256', 'unet_sha256', 'pretrained', 'revision'} < backbone.recipe.keys()
    again = build(lora=dict(rank=2))
    load(again, state, strict=True)
    torch.testing.assert_close(again(images), backbone(images), rtol=0, atol=0)
    frozen = trained(lora=dict(rank=2, frozen=['default']))  # as another adapter's training finds it
    assert frozen.state_dict().keys() == state.keys()
    del state[next(name for name in state if '.lora_' in name)]
    with pytest.raises(RuntimeError, match='(M|m)issing key'):
        load(again, state, strict=True)


@pytest.mark.parametrize('load', [torch.nn.Module.load_state_dict, load_state_dict])
def test_a_checkpoint_of_another_base_is_refused(load):
    """Shapes fit: nothing but the recipe tells. `strict=False` is how MMEngine loads."""
    state = build(lora=dict(rank=2)).state_dict()
    for options, message in (
        (dict(), 'only one has adapters of a frozen U-Net. Set `lora`'),
        (dict(lora=dict(rank=2, alpha=1)), "adapter 'default' with a scale .* of 1, but the config's is 0.5"),
    ):
        with pytest.raises(RuntimeError, match=message):
            load(build(**options), state, strict=False)
    with pytest.raises(RuntimeError, match='has adapters for depth, .* for event, .* none would be used'):
        load(build(lora=dict(rank=2, modalities='event')), build(lora=dict(rank=2, modalities='depth')).state_dict(),
             strict=False)
    theirs = build(lora=dict(rank=2), random_init=SIZE | dict(unet=SIZE['unet'] | dict(layers_per_block=1)), taps=[])
    with pytest.raises(RuntimeError, match='goes with the Stable Diffusion model .* unet .*Set `pretrained`'):
        load(build(lora=dict(rank=2)), theirs.state_dict(), strict=False)
    with pytest.raises(RuntimeError, match='only one has adapters'):
        load(build(lora=dict(rank=2)), build().state_dict(), strict=False)


@pytest.mark.parametrize(('lora', 'message'), [
    (dict(target_modules=['to_q', 'to_out']), "no layer 'to_out' among `target_modules`.*to_out.0"),
    (dict(target_modules=['attn1.to_querry']), 'the nearest names are .*attn1.to_q'),
    (dict(target_modules=['xyzzy']), 'attention layers are to_q, to_k, to_v, to_out.0'),
    (dict(modalities=['depth'], frozen=['event']), "frozen='event' is none of the modalities depth"),
])
def test_wrong_options_are_refused(lora, message):
    with pytest.raises(ValueError, match=message):
        build(lora=dict(rank=2) | lora)
