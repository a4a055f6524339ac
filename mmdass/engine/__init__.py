from .hooks import (
    DomainVisualizationHook,
    FiniteLossHook,
    KeyedRandomnessHook,
    NonFiniteLossError,
    TeacherUpdateHook,
)
from .loops import TeacherStudentValLoop
from .optimizers import AutocastOptimWrapper

__all__ = [
    'AutocastOptimWrapper',
    'DomainVisualizationHook',
    'FiniteLossHook',
    'KeyedRandomnessHook',
    'NonFiniteLossError',
    'TeacherStudentValLoop',
    'TeacherUpdateHook',
]
