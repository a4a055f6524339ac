"""Data that passes between the parts."""

from .pseudo_label import PseudoLabel

__all__ = ['PseudoLabel']
