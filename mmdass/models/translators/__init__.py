"""Translation of images by diffusion models of the target's images."""

from .denoiser import Denoiser
from .posterior import Posterior, posterior

__all__ = ['Denoiser', 'Posterior', 'posterior']
