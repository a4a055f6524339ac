"""Endless sample counters for keyed data sets."""

import itertools
from collections.abc import Iterator

from mmengine.dist import get_dist_info
from torch.utils.data import Dataset, Sampler

from mmdass.registry import DATA_SAMPLERS


@DATA_SAMPLERS.register_module()
class KeyedSampler(Sampler):
    """Yields the global sample counters rank, rank + world size, rank + 2 world sizes, ... for ever.

    Shuffling is the data set's: each counter is a keyed draw there. Resuming needs no state and loads nothing twice:
    the onedl family's ``IterBasedTrainLoop`` calls :meth:`skip`, for the classic one ``ExactResumeHook`` does.

    Args:
        dataset: :class:`KeyedDataset`, :class:`DomainPairDataset` or another data set with a ``seed``.
        seed: Seed for a data set that has none; MMEngine passes the runner's.

    Raises:
        TypeError: The data set has no ``seed``, so its draws are not keyed.
        ValueError: There is no seed at all.
    """

    def __init__(self, dataset: Dataset, seed: int | None = None) -> None:
        if not hasattr(dataset, 'seed'):
            raise TypeError(
                f'KeyedSampler needs a keyed data set, not {type(dataset).__name__}: wrap it in '
                "dict(type='KeyedDataset', dataset=...)."
            )
        if dataset.seed is None:
            if seed is None:
                raise ValueError(
                    'KeyedSampler got no seed. With randomness=dict(diff_rank_seed=True) MMEngine passes none: leave '
                    'that out (ranks draw different samples anyway) or set `seed` of the sampler.'
                )
            dataset.seed = seed
        self.dataset = dataset
        self.rank, self.world_size = get_dist_info()
        self.skipped = 0

    def __iter__(self) -> Iterator[int]:
        return itertools.count(self.rank + self.skipped * self.world_size, self.world_size)

    def skip(self, num_samples: int) -> None:
        """Start after this rank's first ``num_samples`` samples, counted from the very beginning."""
        self.skipped = num_samples

    def __len__(self) -> int:
        return len(self.dataset)
