"""Models, all registered in ``mmdass.registry.MODELS``."""

from .backbones import LearnableConditioning, StableDiffusionBackbone, StableDiffusionOutput
from .data_preprocessor import DomainPairDataPreprocessor
from .decode_heads import DAFormerHead, LatentPaletteHead
from .necks import BottleneckProjection
from .priors import AutoencoderTrainer
from .pseudo_labelers import ConfidencePseudoLabeler, DiffusionPseudoLabeler
from .segmentors import MADM, SelfTraining, UDASegmentor
from .translators import Denoiser, DiffusionTranslator, Guide, LatentDenoiser
from .utils import ClassMix, EMATeacher, StrongAugmentation

__all__ = [
    'MADM',
    'AutoencoderTrainer',
    'BottleneckProjection',
    'ClassMix',
    'ConfidencePseudoLabeler',
    'DAFormerHead',
    'Denoiser',
    'DiffusionPseudoLabeler',
    'DiffusionTranslator',
    'DomainPairDataPreprocessor',
    'EMATeacher',
    'Guide',
    'LatentDenoiser',
    'LatentPaletteHead',
    'LearnableConditioning',
    'SelfTraining',
    'StableDiffusionBackbone',
    'StableDiffusionOutput',
    'StrongAugmentation',
    'UDASegmentor',
]
