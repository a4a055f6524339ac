"""Models, all registered in ``mmdass.registry.MODELS``."""

from .backbones import DilatedVGG16, LearnableConditioning, StableDiffusionBackbone, StableDiffusionOutput
from .data_preprocessor import DomainPairDataPreprocessor
from .decode_heads import DAFormerHead, DeepLabV2Head, LatentPaletteHead
from .necks import BottleneckProjection
from .priors import AutoencoderTrainer
from .pseudo_labelers import ConfidencePseudoLabeler, DiffusionPseudoLabeler
from .segmentors import MADM, Distillation, SelfTraining, UDASegmentor
from .terms import FeatureDistance, LossTerm, MaskedConsistency
from .translators import Denoiser, DiffusionTranslator, Guide, LatentDenoiser
from .utils import BlockMask, ClassMix, CutMix, EMATeacher, StrongAugmentation

__all__ = [
    'MADM',
    'AutoencoderTrainer',
    'BlockMask',
    'BottleneckProjection',
    'ClassMix',
    'ConfidencePseudoLabeler',
    'CutMix',
    'DAFormerHead',
    'DeepLabV2Head',
    'Denoiser',
    'DiffusionPseudoLabeler',
    'DiffusionTranslator',
    'DilatedVGG16',
    'Distillation',
    'DomainPairDataPreprocessor',
    'EMATeacher',
    'FeatureDistance',
    'Guide',
    'LatentDenoiser',
    'LatentPaletteHead',
    'LearnableConditioning',
    'LossTerm',
    'MaskedConsistency',
    'SelfTraining',
    'StableDiffusionBackbone',
    'StableDiffusionOutput',
    'StrongAugmentation',
    'UDASegmentor',
]
