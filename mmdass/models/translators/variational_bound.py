"""The variational lower bound that teaches a denoiser its variance."""

import math

import torch
from diffusers import DDPMScheduler
from torch import Tensor
from torch.special import ndtr


def variational_bound(
    scheduler: DDPMScheduler, x0: Tensor, x: Tensor, noise: Tensor, variance_logits: Tensor, timesteps: Tensor
) -> Tensor:
    """One term of the bound for each sample, in bits per dimension (N,).

    Source: "Improved Denoising Diffusion Probabilistic Models" section 3.1, guided-diffusion's ``_vb_terms_bpd``. Its
    normal distribution function is the exact one here; theirs is an approximation by tanh.

    Args:
        scheduler: Has the noise schedule.
        x0: Clean states (N, C, H, W) in [-1, 1].
        x: The same at their timesteps.
        noise: The predicted noise, detached: the mean learns from the squared error alone.
        variance_logits: (N, C, H, W), -1 the smallest and 1 the largest variance.
        timesteps: (N,) long, 0-based.
    """
    alphas_cumprod = scheduler.alphas_cumprod.to(x0)
    abar = alphas_cumprod[timesteps].view(-1, 1, 1, 1)
    abar_prev = torch.where(timesteps > 0, alphas_cumprod[timesteps - 1], 1).view(-1, 1, 1, 1)
    beta = 1 - abar / abar_prev
    # The posterior's variance is 0 at the first timestep; guided-diffusion takes the next one's there.
    smallest = (beta * (1 - abar_prev) / (1 - abar)).clamp(min=_second_posterior_variance(alphas_cumprod)).log()
    fraction = (variance_logits + 1) / 2
    log_variance = fraction * beta.log() + (1 - fraction) * smallest

    def mean(clean: Tensor) -> Tensor:
        return (abar_prev.sqrt() * beta * clean + (1 - beta).sqrt() * (1 - abar_prev) * x) / (1 - abar)

    predicted = mean((x - (1 - abar).sqrt() * noise) / abar.sqrt())
    divergence = 0.5 * (
        log_variance - smallest - 1 + (smallest - log_variance).exp()
        + (mean(x0) - predicted) ** 2 * (-log_variance).exp())
    likelihood = _discretized_log_likelihood(x0, predicted, 0.5 * log_variance)
    bound = torch.where((timesteps > 0).view(-1, 1, 1, 1), divergence, -likelihood)
    return bound.flatten(1).mean(1) / math.log(2)


def _second_posterior_variance(alphas_cumprod: Tensor) -> Tensor:
    first, second = alphas_cumprod[:2]
    return (1 - second / first) * (1 - first) / (1 - second)


def _discretized_log_likelihood(x: Tensor, mean: Tensor, log_scale: Tensor) -> Tensor:
    """Log probability of 8-bit values, scaled to [-1, 1], under a normal distribution; the outer bins are open."""
    upper = ndtr((x + 1 / 255 - mean) / log_scale.exp())
    lower = ndtr((x - 1 / 255 - mean) / log_scale.exp())
    upper = torch.where(x > 0.999, 1, upper)
    lower = torch.where(x < -0.999, 0, lower)
    return (upper - lower).clamp(min=1e-12).log()
