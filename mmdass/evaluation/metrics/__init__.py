from .domain_iou_metric import DomainIoUMetric
from .feature_distance import KernelDistance, extract_features, frechet_distance, kernel_distance
from .feature_networks import InceptionFeatures, RandomFeatures, SegmentorFeatures
from .translation_metric import LabelConsistency, LabelConsistencyMetric, label_consistency

__all__ = [
    'DomainIoUMetric',
    'InceptionFeatures',
    'KernelDistance',
    'LabelConsistency',
    'LabelConsistencyMetric',
    'RandomFeatures',
    'SegmentorFeatures',
    'extract_features',
    'frechet_distance',
    'kernel_distance',
    'label_consistency',
]
