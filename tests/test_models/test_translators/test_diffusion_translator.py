"""The invariants of translation, on whole chains in float64. That a stage is guided by the one before is PTL's test."""

import pytest
import torch
from diffusers import DDPMScheduler
from mmengine.hooks import Hook
from tiny_translator import LEARNED_VARIANCE, UNET, both_hooks, make_images, make_segmentor, make_translator

from mmdass.benchmarks.literal_guidance import LiteralLocalClassGuidance
from mmdass.engine.hooks import GlobalSceneGuidanceHook, LocalClassGuidanceHook
from mmdass.models import DiffusionTranslator
from mmdass.utils.random import keyed_generator

IMAGES, LABELS, IDS = make_images()


class Probe(Hook):
    """Stands last among the hooks and keeps what they did."""

    def __init__(self) -> None:
        self.steps, self.tensors = [], []

    def adjust_mean(self, mean, variance, x, step, label):
        self.steps.append(step)
        self.tensors += [mean, variance, x]
        return mean


def chain_tables_in_double(translator) -> DDPMScheduler:
    scheduler = translator.denoiser.scheduler
    scheduler.alphas_cumprod = torch.cumprod(1 - scheduler.betas.double(), 0)
    scheduler.one = scheduler.one.double()
    return scheduler


@pytest.mark.parametrize('guide_on', ['xk', 'x0_detached'])
@pytest.mark.parametrize('unet', [UNET, LEARNED_VARIANCE])
def test_one_summed_gradient_is_the_literal_loop_over_classes(guide_on, unet):
    options = dict(scale=100.0, guide_on=guide_on)
    exact = make_translator(both_hooks(chunk=3, guide_on=guide_on), unet, num_steps=8)
    literal = make_translator([], unet, num_steps=8)
    literal.sgg_hooks = [LiteralLocalClassGuidance(**options), GlobalSceneGuidanceHook(**options)]
    unguided = make_translator([], unet, num_steps=8).translate(IMAGES, LABELS, IDS).images
    images = exact.translate(IMAGES, LABELS, IDS).images
    assert (images - unguided).abs().mean() > 0.01  # the comparison is of something
    torch.testing.assert_close(images, literal.translate(IMAGES, LABELS, IDS).images, rtol=0, atol=1e-12)


@pytest.mark.parametrize('unet', [UNET, LEARNED_VARIANCE])
@pytest.mark.parametrize('start, num_steps', [(40, 40), (300, 30), (300, 7)])
def test_without_guidance_it_is_diffusers_ddpm_at_any_spacing(unet, start, num_steps):
    translator = make_translator(both_hooks(scale=0.0), unet, start=start, num_steps=num_steps)
    scheduler = chain_tables_in_double(translator)
    timesteps = translator.timesteps(start)
    assert (len(timesteps), timesteps[0], timesteps[-1]) == (num_steps, start - 1, 0)
    scheduler.set_timesteps(timesteps=timesteps)
    generator = keyed_generator(0, 0, f'translate/{IDS[0]}', rank=0)
    with torch.no_grad():
        image = IMAGES[:1].double()
        noise = torch.randn(image.shape, generator=generator, dtype=image.dtype)
        x = scheduler.add_noise(image, noise, torch.tensor([start - 1]))
        for timestep in timesteps:
            output = translator.denoiser.unet(x, timestep).sample
            x = scheduler.step(output, timestep, x, generator=generator).prev_sample
    images = translator.translate(IMAGES[:1], LABELS[:1], IDS[:1]).images
    torch.testing.assert_close(images, x.clamp(-1, 1), rtol=0, atol=1e-10)
    unguided = make_translator([], unet, start=start, num_steps=num_steps)
    chain_tables_in_double(unguided)
    assert torch.equal(images, unguided.translate(IMAGES[:1], LABELS[:1], IDS[:1]).images)


@pytest.mark.parametrize('options', [dict(), dict(trust_region=0.05, guide_on='x0_detached')])
def test_neither_batch_nor_order_matters(options):
    images, labels, ids = make_images(3)
    hooks = both_hooks(**options)
    hooks[0]['num_classes'] = 2
    translator = make_translator(hooks, LEARNED_VARIANCE)
    together = translator.translate(images, labels, ids)
    swapped = translator.translate(images.flip(0), labels.flip(0), ids[::-1])
    torch.testing.assert_close(swapped.images.flip(0), together.images, rtol=0, atol=1e-11)
    for i in range(3):
        alone = translator.translate(images[i:i + 1], labels[i:i + 1], ids[i:i + 1])
        torch.testing.assert_close(alone.images, together.images[i:i + 1], rtol=0, atol=1e-11)
        assert alone.losses[0] == pytest.approx(together.losses[i])


def test_the_noise_depends_on_seed_stage_and_id():
    def translate(seed=0, **kwargs):
        arguments = dict(ids=IDS[:1]) | kwargs
        return make_translator(seed=seed).translate(IMAGES[:1], LABELS[:1], **arguments).images

    results = [translate(), translate(seed=1), translate(stage=1), translate(ids=['other'])]
    assert torch.equal(results[0], translate())
    for i, one in enumerate(results):
        assert not any(torch.equal(one, other) for other in results[:i])


def test_an_image_without_labels_is_translated_without_guidance():
    labels = LABELS.clone()
    labels[0] = 255
    unguided = make_translator().translate(IMAGES, LABELS, IDS).images
    output = make_translator(both_hooks(trust_region=0.3)).translate(IMAGES, labels, IDS)
    assert torch.equal(output.images[0], unguided[0])
    assert not torch.equal(output.images[1], unguided[1])
    assert output.unguided == []
    all_void = make_translator(both_hooks()).translate(IMAGES, torch.full_like(LABELS, 255), IDS)
    assert torch.equal(all_void.images, unguided)


@pytest.mark.parametrize('start, num_steps', [(20, 20), (300, 6)])
def test_the_hooks_take_turns_and_the_last_is_global(start, num_steps):
    translator = make_translator(both_hooks(), start=start, num_steps=num_steps)
    probe = Probe()
    translator.sgg_hooks.append(probe)
    output = translator.translate(IMAGES, LABELS, IDS)
    turns = [list(step.losses) for step in probe.steps]
    assert turns == [['lcg'], ['gsg']] * (num_steps // 2)
    assert [step.remaining for step in probe.steps] == list(range(num_steps - 1, -1, -1))
    assert [step.timestep for step in probe.steps[1:]] == [step.previous for step in probe.steps[:-1]]
    assert probe.steps[-1].previous == -1
    for i, losses in enumerate(output.losses):
        for name, mean in losses.items():
            steps = [step.losses[name][i] for step in probe.steps if name in step.losses]
            assert mean == pytest.approx(torch.stack(steps).mean().item())


def test_guidance_improves_what_the_guide_says():
    def loss(images):
        logits = guided.guide(images.double())
        return torch.nn.functional.cross_entropy(logits, LABELS, ignore_index=255).item()

    guided = make_translator(both_hooks(scale=1e6, trust_region=0.5, guide_on='x0_detached'), num_steps=20)
    unguided = make_translator(num_steps=20)
    before, after = (loss(each.translate(IMAGES, LABELS, IDS).images) for each in (unguided, guided))
    assert after < 0.95 * before


def test_other_sizes_are_padded_as_void_and_cropped():
    images, labels, ids = make_images(2, 13, 18)
    translator = make_translator(both_hooks())
    stride = translator.denoiser.stride
    assert 13 % stride
    output = translator.translate(images, labels, ids).images
    assert output.shape == images.shape
    padded = torch.nn.functional.pad(images, (0, 0, 0, 1), mode='reflect')
    void = torch.nn.functional.pad(labels, (0, 0, 0, 1), value=255)
    assert torch.equal(output, translator.translate(padded, void, ids).images[:, :, :13])


def test_images_that_guidance_breaks_are_redone_without_it():
    class Poison(LocalClassGuidanceHook):
        def adjust_mean(self, mean, variance, x, step, label):
            mean = super().adjust_mean(mean, variance, x, step, label)
            if step.remaining == 3:
                mean[1, 0, 0, 0] = float('nan')
            return mean

    unguided = make_translator().translate(IMAGES, LABELS, IDS).images
    translator = make_translator([])
    translator.sgg_hooks = [Poison(scale=100.0)]
    output = translator.translate(IMAGES, LABELS, IDS)
    assert output.unguided == IDS[1:]
    torch.testing.assert_close(output.images[1], unguided[1], rtol=0, atol=1e-12)
    assert not torch.equal(output.images[0], unguided[0])
    assert output.losses[1] == {} and output.losses[0]['lcg'] > 0
    overflow = make_translator(both_hooks(scale=1e308)).translate(IMAGES, LABELS, IDS)
    assert overflow.unguided == IDS
    assert torch.equal(overflow.images, unguided)


def test_a_broken_denoiser_is_no_matter_of_guidance():
    translator = make_translator(both_hooks())
    with torch.no_grad():
        translator.denoiser.unet.conv_out.bias.fill_(float('nan'))
    with pytest.raises(FloatingPointError, match="image/0.*denoiser's weights"):
        translator.translate(IMAGES, LABELS, IDS)


def test_under_bfloat16_the_chain_stays_in_float32():
    translator = make_translator(both_hooks(scale=1.0), LEARNED_VARIANCE, dtype='bfloat16')
    probe = Probe()
    translator.sgg_hooks.append(probe)
    seen = []
    translator.denoiser.unet.conv_out.register_forward_hook(lambda module, inputs, output: seen.append(output.dtype))
    translator.guide.segmentor.decode_head.conv_seg.register_forward_hook(
        lambda module, inputs, output: seen.append(output.dtype))
    images = translator.translate(IMAGES, LABELS, IDS).images
    assert set(seen) == {torch.bfloat16}
    assert {tensor.dtype for tensor in [images, *probe.tensors]} == {torch.float32}
    exact = make_translator(both_hooks(scale=1.0), LEARNED_VARIANCE, dtype='float32')
    exact = exact.translate(IMAGES, LABELS, IDS).images
    assert 0 < (images - exact).abs().mean() < 0.03


def test_gradients_survive_inference_mode():
    translator = make_translator(both_hooks())
    expected = translator.translate(IMAGES, LABELS, IDS).images
    with torch.inference_mode():
        images, labels, _ = make_images()
        assert labels.is_inference()
        assert torch.equal(translator.translate(images, labels, IDS).images, expected)


def test_start_can_be_given_for_a_stage():
    translator = make_translator(both_hooks())
    less = translator.translate(IMAGES, LABELS, IDS, start=100).images
    assert torch.equal(less, make_translator(both_hooks(), start=100).translate(IMAGES, LABELS, IDS).images)
    assert translator.timesteps(4) == [3, 2, 1, 0]
    for start in (0, 1001):
        with pytest.raises(ValueError, match=f'start={start}'):
            translator.translate(IMAGES, LABELS, IDS, start=start)
    with pytest.raises(ValueError, match='num_steps=0'):
        make_translator(num_steps=0)


def test_each_step_can_be_watched_and_ends_with_what_is_returned():
    seen = []
    translator = make_translator()
    output = translator.translate(IMAGES, LABELS, IDS, watch=lambda x, step: seen.append((x, step)))
    assert [step.timestep for _, step in seen] == translator.timesteps(translator.start)
    x, step = seen[-1]
    assert torch.allclose(step.to_image(step.clean(x)).clamp(-1, 1), output.images, atol=0.05)


def test_stays_in_evaluation_mode_without_parameter_gradients():
    translator = make_translator().train()
    assert not any(module.training for module in translator.modules())
    assert not any(parameter.requires_grad for parameter in translator.parameters())


def test_refuses_what_does_not_fit():
    translator = make_translator(both_hooks())
    with pytest.raises(RuntimeError, match='guide_with'):
        make_translator(both_hooks(), guided=False).translate(IMAGES, LABELS, IDS)
    with pytest.raises(ValueError, match=r'labels \(2, 8, 16\).*image/0'):
        translator.translate(IMAGES, LABELS[:, :8], IDS)
    with pytest.raises(ValueError, match='1 ids for 2 images'):
        translator.translate(IMAGES, LABELS, IDS[:1])
    with pytest.raises(ValueError, match='uint8'):
        translator.translate(torch.zeros(2, 3, 16, 16, dtype=torch.uint8), LABELS, IDS)
    foreign = LABELS.clone()
    foreign[1, 5, 5], foreign[1, 6, 6] = 18, -1
    with pytest.raises(ValueError, match=r"'image/1' has class ids \[-1, 18\].*0 to 4"):
        translator.translate(IMAGES, foreign, IDS)
    translator.guide_with(make_segmentor(classes=2))
    with pytest.raises(ValueError, match=r"'image/0' has class ids \[2, 3, 4\].*0 to 1"):
        translator.translate(IMAGES, LABELS, IDS)


@pytest.mark.parametrize('channels', [dict(in_channels=4, out_channels=4), dict(out_channels=5)])
def test_refuses_a_denoiser_of_other_channels(channels):
    translator = make_translator(unet=UNET | channels)
    with pytest.raises(ValueError, match='channels, but the states'):
        translator.translate(IMAGES, LABELS, IDS)


def test_reads_the_denoisers_weights_at_once(tmp_path):
    trained = make_translator(seed=3).denoiser
    with torch.no_grad():
        trained.unet.conv_in.weight.add_(1)
    torch.save(dict(state_dict=trained.float().state_dict()), tmp_path / 'denoiser.pth')
    init_cfg = dict(type='Pretrained', checkpoint=str(tmp_path / 'denoiser.pth'))
    translator = DiffusionTranslator(dict(type='Denoiser', unet=UNET, init_cfg=init_cfg))
    for name, value in trained.state_dict().items():
        assert torch.equal(translator.denoiser.state_dict()[name], value)

