"""The toy world: procedural street scenes with one geometry and many sensors."""

from .dataset import RenderToyScene, ToyStreetDataset
from .scene import MODALITIES, TOY_WORLD_VERSION, ToyScene, ToyStreet

__all__ = ['MODALITIES', 'TOY_WORLD_VERSION', 'RenderToyScene', 'ToyScene', 'ToyStreet', 'ToyStreetDataset']
