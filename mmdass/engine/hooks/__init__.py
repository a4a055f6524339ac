from .checkpoint_compatibility_hook import CheckpointCompatibilityHook
from .domain_visualization_hook import DomainVisualizationHook
from .finite_loss_hook import FiniteLossHook, NonFiniteLossError
from .keyed_randomness_hook import KeyedRandomnessHook
from .teacher_update_hook import TeacherUpdateHook

__all__ = [
    'CheckpointCompatibilityHook',
    'DomainVisualizationHook',
    'FiniteLossHook',
    'KeyedRandomnessHook',
    'NonFiniteLossError',
    'TeacherUpdateHook',
]
