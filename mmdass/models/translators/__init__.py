"""Translation of images by diffusion models of the target's images."""

from .denoiser import Denoiser
from .diffusion_translator import DiffusionTranslator, TranslationOutput
from .guide import Guide
from .latent_denoiser import LatentDenoiser
from .posterior import Posterior, posterior
from .profiles import PROFILES

__all__ = [
    'PROFILES',
    'Denoiser',
    'DiffusionTranslator',
    'Guide',
    'LatentDenoiser',
    'Posterior',
    'TranslationOutput',
    'posterior',
]
