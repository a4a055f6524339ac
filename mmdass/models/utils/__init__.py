"""Parts of the methods."""

from .counter import Counter
from .cut_mix import CutMix
from .ema_teacher import EMATeacher
from .finite_check import FiniteCheck, NonFiniteError
from .masking import BlockMask
from .mixing import ClassMix, paste
from .pixel_weights import pixel_weights
from .strong_augmentation import StrongAugmentation

__all__ = [
    'BlockMask',
    'ClassMix',
    'Counter',
    'CutMix',
    'EMATeacher',
    'FiniteCheck',
    'NonFiniteError',
    'StrongAugmentation',
    'paste',
    'pixel_weights',
]
