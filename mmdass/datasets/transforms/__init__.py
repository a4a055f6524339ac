from .labels import EvaluateAtCurrentSize, LoadMappedLabel
from .loading import LoadModalityImage
from .rare_class_crop import RareClassCrop

__all__ = ['EvaluateAtCurrentSize', 'LoadMappedLabel', 'LoadModalityImage', 'RareClassCrop']
