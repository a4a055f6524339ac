"""What Python code calls: whole tasks, from data to files."""

from .inferencer import DASegInferencer
from .translation_manifest import TranslationError, read_manifest, recipe_hash
from .translator import translate_dataset, translation_recipe

__all__ = [
    'DASegInferencer', 'TranslationError', 'read_manifest', 'recipe_hash', 'translate_dataset', 'translation_recipe',
]
