"""Translation of images by diffusion models of the target's images."""

from .denoiser import Denoiser
from .diffusion_translator import DiffusionTranslator, TranslationOutput
from .guide import Guide
from .posterior import Posterior, posterior
from .profiles import PROFILES

__all__ = ['PROFILES', 'Denoiser', 'DiffusionTranslator', 'Guide', 'Posterior', 'TranslationOutput', 'posterior']
