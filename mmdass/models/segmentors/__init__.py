"""Domain-adaptation methods, each a segmentor around a segmentor."""

from .madm import MADM
from .self_training import SelfTraining
from .uda_segmentor import UDASegmentor

__all__ = ['MADM', 'SelfTraining', 'UDASegmentor']
