"""Metrics, of predictions and of translated images."""

from .metrics import (
    DomainIoUMetric,
    InceptionFeatures,
    KernelDistance,
    LabelConsistency,
    LabelConsistencyMetric,
    RandomFeatures,
    SegmentorFeatures,
    extract_features,
    frechet_distance,
    kernel_distance,
    label_consistency,
)

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
