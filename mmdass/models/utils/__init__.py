"""Parts of the methods."""

from .counter import Counter
from .ema_teacher import EMATeacher
from .finite_check import FiniteCheck, NonFiniteError
from .mixing import ClassMix, paste
from .pixel_weights import pixel_weights
from .strong_augmentation import StrongAugmentation

__all__ = [
    'ClassMix',
    'Counter',
    'EMATeacher',
    'FiniteCheck',
    'NonFiniteError',
    'StrongAugmentation',
    'paste',
    'pixel_weights',
]
