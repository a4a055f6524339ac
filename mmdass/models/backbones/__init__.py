"""Backbones."""

from .conditioning import LearnableConditioning
from .stable_diffusion import StableDiffusionBackbone, StableDiffusionOutput

__all__ = ['LearnableConditioning', 'StableDiffusionBackbone', 'StableDiffusionOutput']
