import copy

import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.runner.checkpoint import load_state_dict
from mmseg.models import EncoderDecoder
from tiny_madm import LEVELS, SIZE, make_batch, tiny_backbone, total_loss
from torch import Tensor

from mmdass.models import StableDiffusionBackbone
from mmdass.models.utils import NonFiniteError
from mmdass.registry import MODELS

CONDITIONING = dict(type='mmdass.LearnableConditioning')


def build(**options) -> StableDiffusionBackbone:
    torch.manual_seed(0)
    return MODELS.build(tiny_backbone(**options))


@pytest.fixture
def images() -> Tensor:
    return make_batch()[0]['source']


def seen_by_unet(backbone: StableDiffusionBackbone, latents: Tensor, timestep: int = 0) -> Tensor:
    """What goes into the UNet."""
    seen = []
    hook = backbone.unet.conv_in.register_forward_pre_hook(lambda module, args: seen.append(args[0]))
    backbone.forward_latents(latents, timestep)
    hook.remove()
    return seen[0]


@pytest.mark.parametrize(('timestep', 'clean', 'sigma'), [
    (0, 0.99957, 0.02916), (10, 0.99520, 0.09782), (50, 0.97549, 0.22005), (60, 0.96999, 0.24316)])
def test_noise_is_one_tensor_of_seed_42(images, timestep, clean, sigma):
    backbone = build(noise_size=(64, 64))
    noise = torch.randn(1, 4, 64, 64, generator=torch.Generator().manual_seed(42))
    assert torch.equal(backbone.noise, noise)
    latents = torch.randn(2, 4, 64, 64)
    expected = (clean * latents + sigma * noise).to(torch.float32)
    torch.testing.assert_close(seen_by_unet(backbone, latents, timestep), expected, atol=5e-5, rtol=0)


def test_clean_latent_is_the_scaled_mean_of_the_posterior(images):
    backbone = build()
    posterior = backbone.vae.encode(images).latent_dist
    torch.testing.assert_close(backbone.encode(images), posterior.mean * 0.18215)


@pytest.mark.parametrize(('resize', 'size'), [('bicubic', (8, 16)), ('draw', (8, 16))])
def test_noise_at_other_sizes(resize, size):
    backbone = build(noise_resize=resize)
    latents = torch.zeros(2, 4, *size)
    noise = seen_by_unet(backbone, latents) / 0.02916
    if resize == 'draw':
        expected = torch.randn(1, 4, *size, generator=torch.Generator().manual_seed(42))
    else:
        expected = torch.nn.functional.interpolate(backbone.noise, size, mode='bicubic', align_corners=False)
    torch.testing.assert_close(noise, expected.expand(2, -1, -1, -1), atol=2e-3, rtol=0)


@pytest.mark.parametrize('conditioned', [False, True])
def test_features_are_those_of_the_stock_unet(images, conditioned):
    """Up path, one index per resnet and attention: 11, 8 and 5, each before its block's upsampler."""
    backbone = build(conditioning=CONDITIONING if conditioned else None)
    latents = backbone.encode(images)
    noisy = seen_by_unet(backbone, latents, 7)
    pairs = [(block, i) for block in backbone.unet.up_blocks for i in range(len(block.resnets))]
    seen, prompt = {}, backbone.empty_prompt
    for index in (5, 8, 11):
        block, i = pairs[index]
        block.attentions[i].register_forward_hook(lambda m, args, out, key=index: seen.update({key: out[0]}))
    if conditioned:
        torch.nn.init.normal_(backbone.conditioning.alpha_cond_time)
        prompt, residual = backbone.conditioning(backbone.empty_prompt)
        stock = backbone.unet.time_embedding.forward
        backbone.unet.time_embedding.forward = lambda *args: stock(*args) + residual
    timesteps = torch.tensor([7, 7])
    expected = backbone.unet(noisy, timesteps, encoder_hidden_states=prompt.expand(2, -1, -1)).sample
    features = [seen[index] for index in (11, 8, 5)]
    if conditioned:
        backbone.unet.time_embedding.forward = stock

    output = backbone.forward_latents(latents, 7)
    torch.testing.assert_close(output.latents, expected)
    torch.testing.assert_close(output.features, (output.decoded, *features))
    assert [feature.shape for feature in output.features] == [
        (2, LEVELS[0], 64, 64), (2, LEVELS[1], 8, 8), (2, LEVELS[2], 4, 4), (2, LEVELS[3], 2, 2)]
    picture = backbone.vae.decode(expected / 0.18215).sample
    torch.testing.assert_close(output.decoded, picture)


def test_no_gradient_flows_through_the_decoded_picture(images):
    backbone = build(conditioning=CONDITIONING)
    s0, *features = backbone(images)
    assert not s0.requires_grad
    assert all(feature.requires_grad for feature in features)


def test_hooks_are_gone_after_a_pass_even_a_failed_one(images):
    backbone = build()
    backbone(images)
    backbone.empty_prompt = torch.zeros(1, 77, 9)
    with pytest.raises(RuntimeError, match='cannot be multiplied'):
        backbone(images)
    assert not any(module._forward_hooks for module in backbone.unet.modules())


def test_exactly_four_tensors_of_the_unet_are_frozen():
    backbone = build()
    frozen = [name for name, p in backbone.unet.named_parameters() if not p.requires_grad]
    assert frozen == ['conv_norm_out.weight', 'conv_norm_out.bias', 'conv_out.weight', 'conv_out.bias']
    assert not any(p.requires_grad for p in backbone.vae.parameters())
    assert all(p.requires_grad for p in build(freeze_tail=False).unet.parameters())
    assert not any(p.requires_grad for p in build(train_unet=False).unet.parameters())


def test_vae_stays_in_eval_mode():
    backbone = build().train()
    assert backbone.unet.training and not any(module.training for module in backbone.vae.modules())


@pytest.mark.parametrize('size', [(64, 128), (192, 64)])
def test_any_size_that_64_divides(size):
    backbone = build()
    height, width = size
    shapes = [feature.shape[2:] for feature in backbone(torch.zeros(1, 3, *size))]
    assert shapes == [(height // stride, width // stride) for stride in (1, 8, 16, 32)]


@pytest.mark.parametrize('size', [(64, 96), (100, 64)])
def test_other_sizes_are_refused_with_the_remedy(size):
    message = f'{size[0]} x {size[1]}, which 64 does not divide. Change the crop size, .*size_divisor=64'
    with pytest.raises(ValueError, match=message):
        build()(torch.zeros(1, 3, *size))


@pytest.mark.parametrize('decode_output', [True, False])
def test_inside_a_stock_segmentor(decode_output):
    levels = LEVELS if decode_output else LEVELS[1:]
    segmentor = EncoderDecoder(
        backbone=tiny_backbone(decode_output=decode_output),
        decode_head=dict(
            type='UPerHead', in_channels=levels, in_index=list(range(len(levels))), channels=8, pool_scales=(1, 2),
            num_classes=9, align_corners=False, loss_decode=dict(type='CrossEntropyLoss')),
        test_cfg=ConfigDict(mode='whole'))
    segmentor.init_weights()
    inputs, samples = make_batch(height=64, width=128)
    total_loss(segmentor.loss(inputs['source'], samples['source'])).backward()
    assert segmentor.backbone.unet.conv_in.weight.grad.any()
    predicted = segmentor.eval().predict(inputs['target'])
    assert predicted[1].pred_sem_seg.data.shape == (1, 64, 128)


def test_state_dict_leaves_the_vae_out_and_loads_strictly(images):
    backbone, other = build(conditioning=CONDITIONING), build(conditioning=CONDITIONING)
    for parameter in backbone.unet.parameters():
        parameter.data += 0.1
    state = backbone.state_dict(prefix='model.')
    assert not [name for name in state if 'vae' in name]
    assert 'model.noise' in state and 'model.empty_prompt' in state
    state = backbone.state_dict()
    names = list(state)
    other.load_state_dict(state, strict=True)
    assert list(state) == names  # the caller's dict is left alone
    torch.testing.assert_close(other(images), backbone(images))
    another = build(conditioning=CONDITIONING)
    load_state_dict(another, state, strict=True)
    torch.testing.assert_close(another(images), backbone(images))


def test_initialisation_leaves_the_parts_alone_unless_configured(images, tmp_path):
    backbone = build()
    trained = build()
    expected = backbone(images)
    backbone.init_weights()
    torch.testing.assert_close(backbone(images), expected, rtol=0, atol=0)
    for parameter in trained.unet.parameters():
        parameter.data += 0.1
    torch.save(trained.state_dict(), tmp_path / 'backbone.pth')
    backbone = build(init_cfg=dict(type='Pretrained', checkpoint=str(tmp_path / 'backbone.pth')))
    backbone.init_weights()
    torch.testing.assert_close(backbone(images), trained(images), rtol=0, atol=0)


def test_state_dict_lacking_a_weight_is_noticed():
    state = build().state_dict()
    del state['unet.conv_in.weight']
    with pytest.raises(RuntimeError, match='Missing key.*unet.conv_in.weight'):
        build().load_state_dict(state)


@pytest.mark.parametrize('load', [torch.nn.Module.load_state_dict, load_state_dict])
def test_checkpoint_of_another_vae_is_refused(load):
    other = build(random_init=SIZE | dict(vae=SIZE['vae'] | dict(layers_per_block=2)))
    with pytest.raises(RuntimeError, match='goes with the Stable Diffusion model .*Set `pretrained` to the former'):
        load(build(), other.state_dict())


@pytest.mark.parametrize('dtype', ['float16', 'bfloat16'])
def test_checkpoint_does_not_depend_on_the_precision_of_the_vae(dtype):
    build(vae_dtype=dtype).load_state_dict(build().state_dict())
    build().load_state_dict(build(vae_dtype=dtype).state_dict())


def test_random_weights_are_the_same_each_time_and_leave_the_generator_alone():
    torch.manual_seed(5)
    first = MODELS.build(tiny_backbone())
    drawn = torch.rand(1)
    second = MODELS.build(tiny_backbone())
    torch.manual_seed(5)
    assert torch.equal(drawn, torch.rand(1))
    assert torch.equal(first.unet.conv_in.weight, second.unet.conv_in.weight)
    assert torch.equal(first.vae.decoder.conv_in.weight, second.vae.decoder.conv_in.weight)


def test_a_deep_copy_and_a_second_pass_give_the_same(images):
    backbone = build(conditioning=CONDITIONING)
    first = backbone(images)
    clone = copy.deepcopy(backbone)
    torch.testing.assert_close(backbone(images), first, rtol=0, atol=0)
    torch.testing.assert_close(clone(images), first, rtol=0, atol=0)
    clone.load_state_dict(backbone.state_dict())
    for parameter in clone.vae.parameters():
        parameter.data.zero_()
    torch.testing.assert_close(backbone(images), first, rtol=0, atol=0)


def test_gradient_checkpointing_changes_no_gradient(images):
    gradients = []
    for with_cp in (False, True):
        backbone = build(with_cp=with_cp, conditioning=CONDITIONING).train()
        assert backbone.unet.is_gradient_checkpointing is with_cp
        output = backbone.forward_latents(backbone.encode(images))
        (output.latents.abs().mean() + sum(feature.square().mean() for feature in output.features)).backward()
        gradients.append({name: p.grad for name, p in backbone.named_parameters() if p.requires_grad})
    assert all(gradient is not None for gradient in gradients[1].values())
    torch.testing.assert_close(gradients[1], gradients[0])


@pytest.mark.parametrize('mode', ['train', 'eval'])
def test_an_overflow_names_the_image(images, mode):
    backbone = build()
    getattr(backbone, mode)()
    images[1, 0, 3, 4] = float('inf')
    with pytest.raises(NonFiniteError, match='the VAE gave NaN or infinite values for night.png.*vae_dtype') as caught:
        backbone.encode(images, ['day.png', 'night.png'])
    assert caught.value.indices == [1]
    with pytest.raises(NonFiniteError, match='image 1 of the batch'):
        backbone(images)
    backbone(images[:1])  # and nothing is left over


def test_autocast_does_not_reach_the_vae(images):
    backbone = build()
    expected = backbone.encode(images)
    with torch.autocast('cpu', torch.bfloat16):
        assert torch.equal(backbone.encode(images), expected)
        assert backbone.decode(expected.bfloat16()).dtype == torch.float32


@pytest.mark.parametrize(('options', 'message'), [
    (dict(random_init=None), 'exactly one of `pretrained` and `random_init`'),
    (dict(pretrained='a/b'), 'exactly one of `pretrained` and `random_init`'),
    (dict(random_init='huge'), "unknown size 'huge'.*sd1.*tiny"),
    (dict(noise_resize='nearest'), "'bicubic' or 'draw', not 'nearest'"),
    (dict(taps=['up_blocks.3.attention.2']), 'the UNet has no .*up_blocks.3.attention.2'),
])
def test_wrong_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        MODELS.build(tiny_backbone(**options))


def test_shipped_sizes_are_known():
    features = MODELS.build(dict(type='StableDiffusionBackbone', random_init='tiny'))(torch.zeros(1, 3, 64, 64))
    assert [feature.shape[1] for feature in features] == [3, 32, 48, 64]


THREE_LEVELS = dict(
    block_out_channels=(8, 16, 24), down_block_types=('CrossAttnDownBlock2D', 'CrossAttnDownBlock2D', 'DownBlock2D'),
    up_block_types=('UpBlock2D', 'CrossAttnUpBlock2D', 'CrossAttnUpBlock2D'), layers_per_block=1)


@pytest.mark.parametrize(('unet', 'taps', 'expected'), [
    # Stable Diffusion 2: linear projections, one head size a level
    (dict(use_linear_projection=True, attention_head_dim=(1, 2, 2, 2)), ['up_blocks.3', 'mid_block'],
     [(8, 8, 8), (24, 1, 1)]),
    # Stable Diffusion 1 with other layers as features
    (dict(), ['up_blocks.3.resnets.1', 'up_blocks.0.upsamplers.0', 'down_blocks.1'],
     [(8, 8, 8), (24, 2, 2), (16, 2, 2)]),
    # another U-Net
    (THREE_LEVELS, ['up_blocks.2.attentions.1', 'up_blocks.1.attentions.1', 'up_blocks.0.resnets.1'],
     [(8, 8, 8), (16, 4, 4), (24, 2, 2)]),
])
def test_other_unets_and_taps_need_no_code(images, unet, taps, expected):
    size = SIZE | dict(unet=SIZE['unet'] | unet)
    backbone = build(random_init=size, taps=taps, decode_output=False, conditioning=CONDITIONING, lora=dict(rank=2))
    features = backbone.train()(images)
    assert [feature.shape[1:] for feature in features] == expected
    sum(feature.square().mean() for feature in features).backward()
    assert any(p.grad is not None and p.grad.any() for name, p in backbone.named_parameters() if 'lora_B' in name)


def test_paper_noise_is_drawn_anew_and_absent_at_timestep_zero():
    backbone = MODELS.build(tiny_backbone(paper_noise=True)).eval()
    seen = []
    backbone.unet.conv_in.register_forward_pre_hook(lambda module, args: seen.append(args[0]))
    latents = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        for timestep in (0, 40, 40):
            backbone.forward_latents(latents, timestep)
    assert torch.equal(seen[0], latents)
    assert not torch.equal(seen[1], latents) and not torch.equal(seen[1], seen[2])
