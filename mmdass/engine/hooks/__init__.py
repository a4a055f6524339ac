from .checkpoint_compatibility_hook import CheckpointCompatibilityHook
from .class_count_hook import ClassCountHook
from .domain_visualization_hook import DomainVisualizationHook
from .exact_resume_hook import ExactResumeHook
from .export_denoiser_hook import ExportDenoiserHook
from .export_segmentor_hook import ExportSegmentorHook
from .export_vae_hook import ExportVAEHook
from .finite_loss_hook import FiniteLossHook, NonFiniteLossError
from .keyed_randomness_hook import KeyedRandomnessHook
from .preemption_hook import PreemptionHook
from .report_hook import ReportHook
from .safe_checkpoint_hook import SafeCheckpointHook
from .sgg_hooks import GlobalSceneGuidanceHook, LocalClassGuidanceHook, SGGHook
from .teacher_update_hook import TeacherUpdateHook

__all__ = [
    'CheckpointCompatibilityHook',
    'ClassCountHook',
    'DomainVisualizationHook',
    'ExactResumeHook',
    'ExportDenoiserHook',
    'ExportSegmentorHook',
    'ExportVAEHook',
    'FiniteLossHook',
    'GlobalSceneGuidanceHook',
    'KeyedRandomnessHook',
    'LocalClassGuidanceHook',
    'NonFiniteLossError',
    'PreemptionHook',
    'ReportHook',
    'SGGHook',
    'SafeCheckpointHook',
    'TeacherUpdateHook',
]
