"""The LatentDenoiser against diffusers, and what it hands on to translators and backbones."""

import pytest
import torch
from diffusers import AutoencoderTiny, DDPMScheduler, StableDiffusionPipeline
from mmengine.runner.checkpoint import load_state_dict
from tiny_madm import SIZE, save_stable_diffusion

from mmdass.models import LatentDenoiser
from mmdass.models.backbones.stable_diffusion_parts import load_parts
from mmdass.registry import MODELS

LORA = dict(rank=2, alpha=6)


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    return str(save_stable_diffusion(tmp_path_factory.mktemp('stable-diffusion')))


def build(**kwargs):
    if 'pretrained' not in kwargs:
        kwargs = dict(random_init=SIZE) | kwargs
    return MODELS.build(dict(type='LatentDenoiser', **kwargs))


def latents(seed=0):
    return torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def images():
    coarse = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1
    return torch.nn.functional.interpolate(coarse, (64, 64), mode='bilinear')


def trained(**kwargs):
    """With weights that differ from the initial ones, wherever they are trained."""
    denoiser = build(**kwargs)
    generator = torch.Generator().manual_seed(1)
    for parameter in denoiser.parameters():
        if parameter.requires_grad:
            parameter.data += 0.1 * torch.randn(parameter.shape, generator=generator)
    return denoiser.eval()


@torch.no_grad()
def predict(denoiser, x=None):
    return denoiser.predict(latents() if x is None else x, torch.tensor([10, 700]))[0]


def test_it_is_stable_diffusion_with_the_empty_prompt(folder, images):
    denoiser, parts = build(pretrained=folder), load_parts(folder)
    with torch.no_grad():
        expected = parts.unet(latents(), torch.tensor([10, 700]), parts.empty_prompt.expand(2, -1, -1)).sample
        mean = parts.vae.encode(images).latent_dist.mean
        decoded = parts.vae.decode(mean).sample
    torch.testing.assert_close(predict(denoiser), expected)
    torch.testing.assert_close(denoiser.encode(images), mean * parts.vae.config.scaling_factor)
    torch.testing.assert_close(denoiser.decode(denoiser.encode(images)), decoded)
    torch.testing.assert_close(denoiser.scheduler.alphas_cumprod, parts.scheduler.alphas_cumprod)
    assert denoiser.scheduler.config.clip_sample is False  # latents are not bounded
    assert denoiser.stride == 64


def test_velocity_is_converted_to_noise(folder):
    """Stable Diffusion 2: what diffusers' scheduler says the noise is, and a loss that is the velocity's."""
    v = build(pretrained=folder, scheduler=dict(prediction_type='v_prediction')).double()
    x, timesteps = latents().double(), torch.tensor([10, 700])
    with torch.no_grad():
        velocity = v.run_unet(x, timesteps)
        noise = v.predict(x, timesteps)[0]
    for i, timestep in enumerate(timesteps):
        scheduler = DDPMScheduler.from_config(v.scheduler.config, clip_sample=False)
        clean = scheduler.step(velocity[i], timestep, x[i]).pred_original_sample
        abar = scheduler.alphas_cumprod[timestep].double()
        torch.testing.assert_close((x[i] - (1 - abar).sqrt() * noise[i]) / abar.sqrt(), clean)
    torch.manual_seed(0)
    loss = v.forward(torch.zeros(2, 3, 64, 64).double(), mode='loss')['loss_noise']
    torch.manual_seed(0)
    x0 = v.encode(torch.zeros(2, 3, 64, 64).double())
    noise, timesteps = torch.randn_like(x0), torch.randint(1000, (2,))
    target = v.scheduler.get_velocity(x0, noise, timesteps)
    predicted = v.run_unet(v.scheduler.add_noise(x0, noise, timesteps), timesteps)
    torch.testing.assert_close(loss, torch.nn.functional.mse_loss(predicted, target))
    with pytest.raises(ValueError, match="must be 'epsilon' or 'v_prediction', not 'sample'"):
        build(scheduler=dict(prediction_type='sample'))


def test_adapter_starts_as_the_model_and_alone_is_trained(folder, images):
    plain, denoiser = build(pretrained=folder), build(pretrained=folder, lora=LORA).train()
    torch.testing.assert_close(predict(denoiser), predict(plain))
    names = {name for name, value in denoiser.named_parameters() if value.requires_grad}
    assert names and all('lora_' in name for name in names)
    before = {name: value.clone() for name, value in denoiser.named_parameters()}
    optimizer = torch.optim.SGD(denoiser.parameters(), lr=0.1)
    for _ in range(2):  # one half of an adapter is zero at first, so the other has no gradient
        optimizer.zero_grad()
        denoiser(images, mode='loss')['loss_noise'].backward()
        optimizer.step()
    changed = {name for name, value in denoiser.named_parameters() if not torch.equal(value, before[name])}
    assert changed <= names and {name.split('.')[-3] for name in changed} == {'lora_A', 'lora_B'}


@pytest.mark.parametrize('load', [torch.nn.Module.load_state_dict, load_state_dict])
def test_checkpoints_hold_what_was_trained_and_the_recipe(folder, load):
    denoiser = trained(pretrained=folder, lora=LORA)
    state = denoiser.state_dict()
    assert {name for name in state if 'lora_' not in name} == {'_extra_state', 'empty_prompt'}
    again = build(pretrained=folder, lora=LORA)
    load(again, state, strict=True)
    torch.testing.assert_close(predict(again), predict(denoiser))
    frozen = trained(pretrained=folder, lora=LORA).requires_grad_(False)  # as in a translator
    assert frozen.state_dict().keys() == state.keys()
    whole = {name for name in build().state_dict() if not name.startswith('unet.')}
    assert whole == {'_extra_state', 'empty_prompt'}
    del state[next(name for name in state if 'lora_' in name)]
    with pytest.raises(RuntimeError, match='(M|m)issing key'):
        load(again, state, strict=True)


def test_an_adapter_of_another_model_is_refused(folder, tmp_path):
    """Its shapes fit, so that nothing else would tell."""
    other = build(pretrained=folder)
    other.unet.conv_in.bias.data += 0.1
    other.export(tmp_path / 'other')
    other = build(pretrained=str(tmp_path / 'other'), lora=LORA)
    with pytest.raises(RuntimeError, match="goes with the Stable Diffusion model 'other'.*unet.*Set `pretrained`"):
        build(pretrained=folder, lora=LORA).load_state_dict(other.state_dict())
    other.export(tmp_path / 'adapter')
    with pytest.raises(ValueError, match='adapter .* was trained with another U-Net'):
        build(pretrained=folder, lora=str(tmp_path / 'adapter'))


def test_an_adapter_of_another_scale_is_refused(folder):
    """The weights fit, and would count half."""
    trained = build(pretrained=folder, lora=dict(rank=2, alpha=4)).state_dict()
    build(pretrained=folder, lora=dict(rank=2, alpha=4)).load_state_dict(trained)
    with pytest.raises(RuntimeError, match="scale .* of 2, but the config's is 1. Set `lora.alpha`"):
        build(pretrained=folder, lora=dict(rank=2)).load_state_dict(trained)


def test_a_misspelt_option_of_the_adapter_is_refused():
    with pytest.raises(TypeError, match='aplha'):
        build(lora=dict(rank=2, aplha=4))


def test_exported_adapter_continues_and_serves_diffusers(folder, tmp_path):
    denoiser = trained(pretrained=folder, lora=LORA)
    denoiser.export(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ['pytorch_lora_weights.safetensors']
    again = build(pretrained=folder, lora=str(tmp_path))
    torch.testing.assert_close(predict(again), predict(denoiser))
    assert (predict(build(pretrained=folder)) - predict(denoiser)).abs().mean() > 1e-3
    assert {name for name, value in again.named_parameters() if value.requires_grad} == \
        {name for name, value in denoiser.named_parameters() if value.requires_grad}
    again.load_state_dict(denoiser.state_dict())
    pipeline = _pipeline(build(pretrained=folder), tmp_path / 'base')
    pipeline.load_lora_weights(str(tmp_path))
    with torch.no_grad():
        output = pipeline.unet(latents(), torch.tensor([10, 700]), denoiser.empty_prompt.expand(2, -1, -1)).sample
    torch.testing.assert_close(output, predict(denoiser), rtol=0.02, atol=0.02)  # its base is in half precision
    with pytest.raises(FileNotFoundError, match='(?s)cannot read the adapter .*absent.*rank=16'):
        build(pretrained=folder, lora=str(tmp_path / 'absent'))


def _pipeline(denoiser, folder) -> StableDiffusionPipeline:
    denoiser.export(folder)
    return StableDiffusionPipeline.from_pretrained(folder)


@pytest.mark.parametrize('origin', ['random', 'pretrained'])
def test_a_trained_model_is_a_whole_one_for_diffusers_and_backbones(origin, folder, images, tmp_path):
    options = dict(random_init='tiny', vae='toy') if origin == 'random' else dict(pretrained=folder)
    denoiser = trained(**options)
    pipeline = _pipeline(denoiser, tmp_path)
    picture = pipeline('', num_inference_steps=1, guidance_scale=1, height=64, width=64, output_type='np').images
    assert picture.shape == (1, 64, 64, 3)
    torch.testing.assert_close(predict(build(pretrained=str(tmp_path))), predict(denoiser), rtol=0.01, atol=0.01)
    backbone = MODELS.build(dict(type='StableDiffusionBackbone', pretrained=str(tmp_path), noise_size=(8, 8))).eval()
    torch.testing.assert_close(backbone.empty_prompt, denoiser.empty_prompt, rtol=0.01, atol=0.01)
    with torch.no_grad():
        x = denoiser.encode(images)
        torch.testing.assert_close(backbone.encode(images), x, rtol=0.01, atol=0.01)
        noisy = backbone.scheduler.add_noise(x, backbone.noise.expand_as(x), torch.tensor([500, 500]))
        expected = denoiser.predict(noisy, torch.tensor([500, 500]))[0]
        torch.testing.assert_close(backbone.forward_latents(x, 500).latents, expected, rtol=0.02, atol=0.02)


def test_full_training_on_the_toy_vae_learns(images):
    denoiser = build(random_init='tiny', vae='toy').train()
    optimizer = torch.optim.AdamW([p for p in denoiser.parameters() if p.requires_grad], lr=2e-3)
    losses = []
    for _ in range(12):
        torch.manual_seed(0)
        optimizer.zero_grad()
        losses.append(denoiser(images, mode='loss')['loss_noise'])
        losses[-1].backward()
        optimizer.step()
    assert losses[-1] < 0.8 * losses[0]
    assert not any(parameter.grad is not None for parameter in denoiser.vae.parameters())


def test_the_guide_sees_through_a_tiny_decoder(tmp_path):
    torch.manual_seed(0)
    tiny = AutoencoderTiny(
        encoder_block_out_channels=(4,) * 4, decoder_block_out_channels=(4,) * 4,
        num_encoder_blocks=(1,) * 4, num_decoder_blocks=(1,) * 4)
    tiny.save_pretrained(tmp_path)
    denoiser = build(guide_decoder=str(tmp_path))
    with torch.no_grad():
        torch.testing.assert_close(denoiser.decode_for_guide(latents()), tiny.decode(latents()).sample)
    torch.testing.assert_close(denoiser.decode(latents()), build().decode(latents()))
    assert not any('guide_decoder' in name for name in denoiser.state_dict())
    denoiser.load_state_dict(build().state_dict())
    for decode in (denoiser.decode, denoiser.decode_for_guide, build().decode_for_guide):
        x = latents().requires_grad_()
        with torch.autocast('cpu', torch.bfloat16):
            images = decode(x)
        images.sum().backward()
        assert images.dtype == torch.float32 and x.grad.abs().sum() > 0
    with pytest.raises(FileNotFoundError, match='tiny autoencoder .*absent.*guide_decoder'):
        build(guide_decoder=str(tmp_path / 'absent'))


def test_gradient_checkpointing_changes_nothing(images):
    gradients = []
    for with_cp in (False, True):
        denoiser = build(with_cp=with_cp).train()
        torch.manual_seed(0)
        denoiser(images, mode='loss')['loss_noise'].backward()
        x = latents().requires_grad_()
        denoiser.decode(x).square().sum().backward()
        gradients.append([denoiser.unet.conv_in.weight.grad, x.grad])
    torch.testing.assert_close(*gradients)


def test_exactly_one_origin():
    with pytest.raises(ValueError, match='exactly one of `pretrained` and `random_init`'):
        LatentDenoiser()
