"""One reverse step of a diffusion chain, before its noise is drawn."""

from dataclasses import dataclass

import torch
from diffusers import DDPMScheduler
from torch import Tensor


@dataclass
class Posterior:
    """The normal distribution of the next, less noisy state.

    Attributes:
        mean: (N, C, H, W).
        variance: (N, C, H, W) if it is learned, else a scalar tensor; positive, also at the last step.
        x0: (N, C, H, W), the predicted clean state.
    """

    mean: Tensor
    variance: Tensor
    x0: Tensor


def posterior(
    scheduler: DDPMScheduler,
    x: Tensor,
    noise: Tensor,
    timestep: int,
    previous: int,
    variance_logits: Tensor | None = None,
    clip: bool = True,
) -> Posterior:
    """What ``DDPMScheduler.step`` draws from, at any spacing and whatever ``set_timesteps`` was told.

    Source: "Denoising Diffusion Probabilistic Models" equations 6, 7 and 15; guided-diffusion's ``p_mean_variance``.
    At the last step no noise is drawn, but guidance multiplies the variance: a learned range begins there at the
    variance of the unspaced chain's next timestep, guided-diffusion's clipped log; diffusers begins it at 1e-20. (In
    a respaced chain guided-diffusion takes the next timestep that was kept, up to twice as much.)

    Args:
        scheduler: Has the noise schedule and ``variance_type`` 'fixed_small' or 'learned_range'.
        x: Noisy states (N, C, H, W).
        noise: The noise predicted in them.
        timestep: Of ``x``, 0-based.
        previous: The timestep to step to; -1 at the last step, which leads to clean states.
        variance_logits: (N, C, H, W), -1 the smallest and 1 the largest variance; used for 'learned_range' alone.
        clip: Clip the predicted clean state to the scheduler's ``clip_sample_range``, [-1, 1] unless set.

    Raises:
        ValueError: The steps are not in order, ``variance_type`` is another, or the logits that it needs are missing.
    """
    if not -1 <= previous < timestep:
        raise ValueError(f'a reverse step leads from timestep {timestep} to a lower one or -1, not to {previous}')
    abar, abar_previous = _signal(scheduler, timestep), _signal(scheduler, previous)
    x0 = (x - (1 - abar) ** 0.5 * noise) / abar**0.5
    if clip:
        x0 = x0.clamp(-scheduler.config.clip_sample_range, scheduler.config.clip_sample_range)
    alpha = abar / abar_previous
    mean = abar_previous**0.5 * (1 - alpha) / (1 - abar) * x0 + alpha**0.5 * (1 - abar_previous) / (1 - abar) * x
    return Posterior(mean, _variance(scheduler, timestep, previous, variance_logits), x0)


def _variance(scheduler: DDPMScheduler, timestep: int, previous: int, logits: Tensor | None) -> Tensor:
    variance_type = scheduler.config.variance_type
    if variance_type == 'fixed_small':
        return _smallest_variance(scheduler, timestep, previous)
    if variance_type != 'learned_range':
        raise ValueError(f"variance_type must be 'fixed_small' or 'learned_range', not {variance_type!r}")
    if logits is None:
        raise ValueError("variance_type 'learned_range' needs a network that predicts the variance: one with twice as "
                         "many output as input channels. Set the denoiser's scheduler to 'fixed_small'.")
    above = (timestep, previous) if previous >= 0 else (timestep + 1, timestep)
    smallest = _smallest_variance(scheduler, *above)
    largest = 1 - _signal(scheduler, timestep) / _signal(scheduler, previous)
    fraction = (logits + 1) / 2
    return (fraction * largest.log() + (1 - fraction) * smallest.log()).exp()


def _smallest_variance(scheduler: DDPMScheduler, timestep: int, previous: int) -> Tensor:
    abar, abar_previous = _signal(scheduler, timestep), _signal(scheduler, previous)
    return ((1 - abar_previous) / (1 - abar) * (1 - abar / abar_previous)).clamp(min=1e-20)  # as diffusers


def _signal(scheduler: DDPMScheduler, timestep: int) -> Tensor:
    """The share of the signal's variance left at a timestep (alpha-bar), with the precision of diffusers' table."""
    return scheduler.alphas_cumprod[timestep] if timestep >= 0 else torch.ones_like(scheduler.alphas_cumprod[0])
