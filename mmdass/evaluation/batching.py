"""Batches of data set samples."""

from collections.abc import Iterable, Iterator
from itertools import groupby


def same_sized_batches(samples: Iterable[dict], batch_size: int) -> Iterator[list[dict]]:
    """Neighbours of one image size, in order, at most ``batch_size`` at a time.

    Args:
        samples: Each with ``inputs``, (3, H, W).
        batch_size: The most samples in a batch.
    """
    for _, neighbours in groupby(samples, key=lambda sample: sample['inputs'].shape):
        batch = []
        for sample in neighbours:
            batch.append(sample)
            if len(batch) == batch_size:
                yield batch
                batch = []
        if batch:
            yield batch
