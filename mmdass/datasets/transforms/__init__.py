from .cached import Cached
from .depth_to_hha import DepthToHHA
from .guide_robustness import ForwardNoise, KeepOneRegion
from .labels import EvaluateAtCurrentSize, LoadMappedLabel
from .load_depth import LoadDepth
from .load_events import LoadEvents
from .load_infrared import LoadInfrared
from .loading import LoadModalityImage
from .pack_modality_inputs import PackModalityInputs
from .paint_label import PaintLabel
from .rare_class_crop import RareClassCrop

__all__ = [
    'Cached', 'DepthToHHA', 'EvaluateAtCurrentSize', 'ForwardNoise', 'KeepOneRegion', 'LoadDepth', 'LoadEvents',
    'LoadInfrared', 'LoadMappedLabel', 'LoadModalityImage', 'PackModalityInputs', 'PaintLabel', 'RareClassCrop',
]
