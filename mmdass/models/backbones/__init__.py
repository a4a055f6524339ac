"""Backbones."""

from .conditioning import LearnableConditioning
from .dilated_vgg import DilatedVGG16
from .stable_diffusion import StableDiffusionBackbone, StableDiffusionOutput

__all__ = ['DilatedVGG16', 'LearnableConditioning', 'StableDiffusionBackbone', 'StableDiffusionOutput']
