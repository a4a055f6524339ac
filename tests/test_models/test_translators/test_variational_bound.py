"""The variational bound against a plain reading of its formulas with torch.distributions."""

import math

import pytest
import torch
from diffusers import DDPMScheduler
from torch.distributions import Normal, kl_divergence

from mmdass.models.translators.variational_bound import variational_bound


@pytest.fixture
def case():
    generator = torch.Generator().manual_seed(0)

    def draw():
        return torch.randn(3, 3, 4, 4, generator=generator, dtype=torch.float64)

    scheduler = DDPMScheduler()
    scheduler.alphas_cumprod = scheduler.alphas_cumprod.double()
    levels = torch.randint(256, (3, 3, 4, 4), generator=generator)
    levels[0, 0, 0, :2] = torch.tensor([0, 255])  # the open bins
    return scheduler, levels / 127.5 - 1.0, draw(), draw(), draw().tanh()


def _variance(scheduler, logits, t):
    """guided-diffusion's learned range: between the clipped posterior variance and beta, in the logarithm."""
    abar = scheduler.alphas_cumprod
    beta = 1 - abar[t] / (abar[t - 1] if t else 1)
    s = max(t, 1)
    smallest = (1 - abar[s - 1]) / (1 - abar[s]) * (1 - abar[s] / abar[s - 1])
    return (smallest, (smallest.log() * (1 - logits) / 2 + beta.log() * (1 + logits) / 2).exp(), beta)


def test_later_steps_are_the_divergence_of_two_normals(case):
    scheduler, x0, true_noise, noise, logits = case
    x0 = x0.double()
    timesteps = torch.tensor([1, 300, 999])
    x = scheduler.add_noise(x0, true_noise, timesteps)
    bound = variational_bound(scheduler, x0, x, noise, logits, timesteps)
    for i, t in enumerate(timesteps.tolist()):
        smallest, variance, beta = _variance(scheduler, logits[i], t)
        abar, prev = scheduler.alphas_cumprod[t], scheduler.alphas_cumprod[t - 1]

        def mean(clean, i=i, abar=abar, prev=prev, beta=beta):
            return prev.sqrt() * beta / (1 - abar) * clean + (1 - beta).sqrt() * (1 - prev) / (1 - abar) * x[i]

        guess = (x[i] - (1 - abar).sqrt() * noise[i]) / abar.sqrt()
        expected = kl_divergence(Normal(mean(x0[i]), smallest.sqrt()), Normal(mean(guess), variance.sqrt())).mean()
        torch.testing.assert_close(bound[i], expected / math.log(2), rtol=1e-6, atol=1e-9)


def test_first_step_is_the_likelihood_of_eight_bit_values(case):
    scheduler, x0, true_noise, noise, logits = case
    x0 = x0.double()
    timesteps = torch.zeros(3, dtype=torch.long)
    noise = true_noise + 0.1 * noise  # near the truth, where the likelihood is not cut at 1e-12
    x = scheduler.add_noise(x0, true_noise, timesteps)
    bound = variational_bound(scheduler, x0, x, noise, logits, timesteps)
    abar = scheduler.alphas_cumprod[0]
    _, variance, _ = _variance(scheduler, logits, 0)
    normal = Normal((x - (1 - abar).sqrt() * noise) / abar.sqrt(), variance.sqrt())
    upper, lower = normal.cdf(x0 + 1 / 255), normal.cdf(x0 - 1 / 255)
    upper[x0 > 0.999], lower[x0 < -0.999] = 1, 0
    expected = -(upper - lower).log().flatten(1).mean(1) / math.log(2)
    torch.testing.assert_close(bound, expected, rtol=1e-6, atol=1e-9)
