"""`posterior` against diffusers' `DDPMScheduler.step` with the same noise, in float64."""

import pytest
import torch
from diffusers import DDPMScheduler

from mmdass.models.translators.posterior import posterior

SHAPE = (2, 3, 4, 5)
SPACINGS = {
    'unspaced': range(599, -1, -1),
    'every tenth': range(590, -1, -10),
    'uneven, to the end': [999, 998, 700, 64, 5, 1, 0],
    'ends early': [600, 300, 7],
    'one step': [400],
}


def make_scheduler(variance_type: str, **kwargs) -> DDPMScheduler:
    scheduler = DDPMScheduler(variance_type=variance_type, **kwargs)
    scheduler.alphas_cumprod = torch.cumprod(1 - scheduler.betas.double(), 0)
    scheduler.one = scheduler.one.double()
    return scheduler


def draw(seed: int) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(seed)
    x, noise, logits = torch.randn(3, *SHAPE, generator=generator, dtype=torch.float64)
    return x, noise, logits.clamp(-1, 1)


def next_state(step, seed: int, last: bool) -> torch.Tensor:
    noise = torch.randn(SHAPE, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return step.mean if last else step.mean + step.variance.sqrt() * noise


@pytest.mark.parametrize('spacing', SPACINGS)
@pytest.mark.parametrize('variance_type', ['fixed_small', 'learned_range'])
@pytest.mark.parametrize('clip', [True, False])
def test_equals_diffusers_at_each_step(spacing, variance_type, clip):
    scheduler = make_scheduler(variance_type, clip_sample=clip)
    timesteps = list(SPACINGS[spacing])
    scheduler.set_timesteps(timesteps=timesteps)
    for timestep, previous in zip(timesteps, [*timesteps[1:], -1], strict=True):
        x, noise, logits = draw(timestep)
        step = posterior(scheduler, x, noise, timestep, previous, logits, clip)
        output = torch.cat([noise, logits], 1) if variance_type == 'learned_range' else noise
        theirs = scheduler.step(output, timestep, x, generator=torch.Generator().manual_seed(timestep))
        torch.testing.assert_close(step.x0, theirs.pred_original_sample, rtol=1e-12, atol=1e-12)
        if timestep > 0 and previous < 0:  # diffusers draws noise unless the timestep is 0; the last step ends clean
            continue
        ours = next_state(step, timestep, last=timestep == 0)
        torch.testing.assert_close(ours, theirs.prev_sample, rtol=1e-12, atol=1e-12)


def test_walks_with_the_tables_as_diffusers_makes_them():
    scheduler = DDPMScheduler()
    scheduler.set_timesteps(20)
    timesteps = scheduler.timesteps.tolist()
    ours = theirs = draw(0)[0].float()
    generator = torch.Generator().manual_seed(1)
    for timestep, previous in zip(timesteps, [*timesteps[1:], -1], strict=True):
        state = generator.get_state()
        theirs = scheduler.step(0.5 * theirs, timestep, theirs, generator).prev_sample
        generator.set_state(state)
        step = posterior(scheduler, ours, 0.5 * ours, timestep, previous)
        z = torch.randn(SHAPE, generator=generator) if timestep else torch.zeros(SHAPE)
        ours = step.mean + step.variance.sqrt() * z
    assert ours.dtype == torch.float32
    torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-6)


def test_the_last_learned_variance_begins_where_guided_diffusion_begins_it():
    scheduler = make_scheduler('learned_range')
    x, noise, logits = draw(0)
    smallest = posterior(scheduler, x, noise, 0, -1, torch.full_like(logits, -1)).variance
    largest = posterior(scheduler, x, noise, 0, -1, torch.ones_like(logits)).variance
    beta = scheduler.betas.double()
    second = beta[1] * (1 - scheduler.alphas_cumprod[0]) / (1 - scheduler.alphas_cumprod[1])
    torch.testing.assert_close(smallest, second.expand(SHAPE), rtol=1e-12, atol=0)
    torch.testing.assert_close(largest, beta[0].expand(SHAPE), rtol=1e-12, atol=0)


def test_the_last_fixed_variance_can_be_divided_by():
    x, noise, _ = draw(0)
    assert 0 < posterior(make_scheduler('fixed_small'), x, noise, 0, -1).variance <= 1e-20


def test_refuses_what_it_cannot_do():
    x, noise, logits = draw(0)
    with pytest.raises(ValueError, match='from timestep 5 to a lower one'):
        posterior(make_scheduler('fixed_small'), x, noise, 5, 5)
    with pytest.raises(ValueError, match="not 'fixed_large'"):
        posterior(make_scheduler('fixed_large'), x, noise, 5, 4)
    with pytest.raises(ValueError, match='predicts the variance'):
        posterior(make_scheduler('learned_range'), x, noise, 5, 4)
