from .domain_pair import DomainPairDataset
from .keyed_dataset import KeyedDataset
from .label_space import LabelSpace, lookup_table, mapping_table
from .modality_dataset import ModalityDataset
from .rare_class import RareClassSampler
from .samplers import KeyedSampler
from .toy import RenderToyScene, ToyScene, ToyStreet, ToyStreetDataset
from .transforms import EvaluateAtCurrentSize, LoadMappedLabel, LoadModalityImage, RareClassCrop

__all__ = [
    'DomainPairDataset', 'EvaluateAtCurrentSize', 'KeyedDataset', 'KeyedSampler', 'LabelSpace', 'LoadMappedLabel',
    'LoadModalityImage', 'ModalityDataset', 'RareClassCrop', 'RareClassSampler', 'RenderToyScene', 'ToyScene',
    'ToyStreet', 'ToyStreetDataset', 'lookup_table', 'mapping_table',
]
