"""Pseudo-labelers."""

from .confidence import ConfidencePseudoLabeler
from .diffusion import DiffusionPseudoLabeler

__all__ = ['ConfidencePseudoLabeler', 'DiffusionPseudoLabeler']
