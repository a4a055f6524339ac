"""Several keyed data sets as one, in given shares."""

from collections.abc import Sequence

import numpy as np
from mmcv.transforms import Compose

from mmdass.registry import DATASETS, TRANSFORMS
from mmdass.utils.random import draw_key, keyed_globals

from .keyed_dataset import KeyedDataset


@DATASETS.register_module()
class KeyedMixture:
    """``ds[counter]`` is the sample ``counter`` of one part, drawn with the parts' shares; all draws are keyed.

    Args:
        datasets: Configs or instances of :class:`KeyedDataset`, with the same classes.
        shares: Probability of each part; they are scaled to a sum of 1. A part of share 0 is never asked.
        transforms: Transforms of the *packed* samples of all parts (:class:`ForwardNoise`, :class:`KeepOneRegion`).
        seed: The runner's (set by :class:`KeyedSampler`) if None.

    Raises:
        ValueError: There is not one share a part, a share is negative, all are 0, or the parts have different classes.
    """

    def __init__(
        self, datasets: Sequence[dict | KeyedDataset], shares: Sequence[float], transforms: Sequence[dict] = (),
        seed: int | None = None,
    ) -> None:
        if len(shares) != len(datasets) or min(shares) < 0 or sum(shares) == 0:
            raise ValueError(f'KeyedMixture: the shares {tuple(shares)} of {len(datasets)} data sets must be one '
                             'non-negative number each, not all 0.')
        self.datasets = [DATASETS.build(part) if isinstance(part, dict) else part for part in datasets]
        if len({tuple(part.metainfo['classes']) for part in self.datasets}) > 1:
            listed = '\n'.join(', '.join(part.metainfo['classes']) for part in self.datasets)
            raise ValueError(f'KeyedMixture: set one `label_space` for all parts; their classes are\n{listed}')
        self.shares = np.array(shares) / sum(shares)
        self.transforms = Compose([TRANSFORMS.build(transform) for transform in transforms])
        self.seed = seed

    @property
    def seed(self) -> int | None:
        """Seed of all draws."""
        return self._seed

    @seed.setter
    def seed(self, seed: int | None) -> None:
        self._seed = seed
        for part in self.datasets:
            part.seed = seed

    @property
    def metainfo(self) -> dict:
        """Classes and palette of the parts."""
        return self.datasets[0].metainfo

    def __len__(self) -> int:
        return sum(len(part) for part, share in zip(self.datasets, self.shares, strict=True) if share)

    def __getitem__(self, counter: int) -> dict:
        draws = np.random.default_rng(draw_key(self.seed, counter, 'mixture/part', rank=0))
        sample = self.datasets[draws.choice(len(self.datasets), p=self.shares)][counter]
        with keyed_globals(self.seed, counter, 'mixture/transforms', rank=0):
            return self.transforms(sample)
