from .hooks import (
    CheckpointCompatibilityHook,
    DomainVisualizationHook,
    FiniteLossHook,
    KeyedRandomnessHook,
    NonFiniteLossError,
    TeacherUpdateHook,
)
from .loops import ProgressiveTranslationLoop, TeacherStudentValLoop
from .optimizers import AutocastOptimWrapper

__all__ = [
    'AutocastOptimWrapper',
    'CheckpointCompatibilityHook',
    'DomainVisualizationHook',
    'FiniteLossHook',
    'KeyedRandomnessHook',
    'NonFiniteLossError',
    'ProgressiveTranslationLoop',
    'TeacherStudentValLoop',
    'TeacherUpdateHook',
]
