from .broken_samples import BrokenDataError
from .depth_coding import DepthCoding
from .domain_pair import DomainPairDataset
from .event_dataset import EventDataset
from .events import Events
from .keyed_dataset import KeyedDataset
from .keyed_mixture import KeyedMixture
from .label_space import LabelSpace, lookup_table, mapping_table
from .modality_dataset import ModalityDataset
from .rare_class import RareClassSampler
from .samplers import KeyedSampler
from .toy import RenderToyScene, ToyScene, ToyStreet, ToyStreetDataset
from .transforms import (
    Cached,
    DepthToHHA,
    EvaluateAtCurrentSize,
    ForwardNoise,
    KeepOneRegion,
    LoadDepth,
    LoadEvents,
    LoadInfrared,
    LoadMappedLabel,
    LoadModalityImage,
    PackModalityInputs,
    RareClassCrop,
)

__all__ = [
    'BrokenDataError', 'Cached', 'DepthCoding', 'DepthToHHA', 'DomainPairDataset', 'EvaluateAtCurrentSize',
    'EventDataset', 'Events', 'ForwardNoise', 'KeepOneRegion', 'KeyedDataset', 'KeyedMixture', 'KeyedSampler',
    'LabelSpace', 'LoadDepth', 'LoadEvents', 'LoadInfrared', 'LoadMappedLabel', 'LoadModalityImage', 'ModalityDataset',
    'PackModalityInputs', 'RareClassCrop', 'RareClassSampler', 'RenderToyScene', 'ToyScene', 'ToyStreet',
    'ToyStreetDataset', 'lookup_table', 'mapping_table',
]
