"""Heads."""

from .daformer_head import DAFormerHead
from .latent_palette_head import LatentPaletteHead

__all__ = ['DAFormerHead', 'LatentPaletteHead']
