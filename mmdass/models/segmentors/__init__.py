"""Domain-adaptation methods, each a segmentor around a segmentor."""

from .distillation import Distillation
from .madm import MADM
from .self_training import SelfTraining
from .uda_segmentor import UDASegmentor

__all__ = ['MADM', 'Distillation', 'SelfTraining', 'UDASegmentor']
