"""Files of a training set that cannot be read: each is reported once, and too many end the training."""

import copy
import logging

import torch
from mmengine.dataset import BaseDataset
from mmengine.logging import print_log

from mmdass.utils.ranks import rank_prefix

SHOWN = 20


class BrokenDataError(RuntimeError):
    """More samples are broken than a training may leave out."""


class BrokenSamples:
    """Which items of a data set could not be loaded; one record for all data workers of a rank.

    Args:
        dataset: The data set, for the items' paths.
        max_share: Largest share of the items that may be left out, in [0, 1).
    """

    def __init__(self, dataset: BaseDataset, max_share: float) -> None:
        if not 0 <= max_share < 1:
            raise ValueError(f'`max_broken` is a share of the data set in [0, 1), not {max_share}.')
        self.dataset = dataset
        self.max_share = max_share
        self.allowed = int(max_share * len(dataset))
        # Workers are processes: in shared memory, a file is reported once and not once by each of them.
        self.found = torch.zeros(len(dataset), dtype=torch.bool).share_memory_()

    def __deepcopy__(self, memo: dict) -> 'BrokenSamples':
        """A copy with the same record: MMEngine copies the data set that a loader is built of."""
        twin = copy.copy(self)
        twin.dataset = copy.deepcopy(self.dataset, memo)
        return twin

    def report(self, item: int, error: Exception) -> None:
        """Log why an item is left out, if that is news.

        Raises:
            Exception: ``error`` itself, if no item may be left out.
            BrokenDataError: With this one they are too many; the message lists them.
        """
        if not self.allowed:
            raise error
        if not self.found[item]:
            self.found[item] = True
            print_log(f'{rank_prefix()}Broken training sample, another takes its place: {self.path(item)}: {error}',
                      logger='current', level=logging.ERROR)
        if self.found.sum() > self.allowed:
            raise BrokenDataError(self._summary()) from error

    def path(self, item: int) -> str:
        """The image file of an item."""
        return self.dataset.get_data_info(item).get('img_path', f'item {item}')

    def _summary(self) -> str:
        items = self.found.nonzero().flatten().tolist()
        listed = [f'  {self.path(item)}' for item in items[:SHOWN]]
        if len(items) > SHOWN:
            listed.append(f'  and {len(items) - SHOWN} more')
        return '\n'.join([
            f'{len(items)} of {len(self.found)} training samples are broken, more than the {self.allowed} that '
            '`max_broken` of the data set lets a training leave out:', *listed,
            'The log says what is wrong with each; `mmdass check CONFIG` looks at all files.'])
