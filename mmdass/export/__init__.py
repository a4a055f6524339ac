"""Trained segmentors as single files that run without mmdass."""

from .command import export_segmentor
from .deployable import DeployableSegmentor
from .formats import ExportError

__all__ = ['DeployableSegmentor', 'ExportError', 'export_segmentor']
