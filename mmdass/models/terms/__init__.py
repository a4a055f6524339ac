"""Further losses of an iteration of self-training, to be named in ``terms`` of ``SelfTraining``."""

from .feature_distance import FeatureDistance
from .loss_term import LossTerm
from .masked_consistency import MaskedConsistency

__all__ = ['FeatureDistance', 'LossTerm', 'MaskedConsistency']
