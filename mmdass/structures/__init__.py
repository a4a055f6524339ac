"""Data that passes between the parts."""

from .label_regions import VOID, LabelRegions
from .pseudo_label import PseudoLabel
from .reverse_step import ReverseStep
from .self_training_step import SelfTrainingStep

__all__ = ['VOID', 'LabelRegions', 'PseudoLabel', 'ReverseStep', 'SelfTrainingStep']
