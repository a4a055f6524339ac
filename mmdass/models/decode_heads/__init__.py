"""Heads."""

from .daformer_head import DAFormerHead
from .deeplabv2_head import DeepLabV2Head
from .latent_palette_head import LatentPaletteHead

__all__ = ['DAFormerHead', 'DeepLabV2Head', 'LatentPaletteHead']
