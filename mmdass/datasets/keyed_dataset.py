"""Endless samples of one data set, each determined by (seed, counter) alone."""

from collections.abc import Iterator
from itertools import islice

import numpy as np
import torch
from mmengine.dataset import BaseDataset
from mmengine.logging import print_log

from mmdass.registry import DATASETS
from mmdass.utils.random import draw_key, keyed_generator, keyed_globals

from .broken_samples import BrokenSamples
from .class_counts import count_label_ids
from .label_space import IGNORED
from .rare_class import RareClass, RareClassSampler

BROKEN = OSError, ValueError, AssertionError  # the last is what MMCV's own loaders raise
TRIES = 100  # items for one sample, before all that may be drawn for it count as broken


@DATASETS.register_module()
class KeyedDataset:
    """A data set whose ``ds[counter]`` is a keyed random draw, for any non-negative integer.

    Counters 0 to len - 1 visit each item once, in an order keyed by (seed, 0), the next len by (seed, 1), and so on.
    The pipeline runs with the global generators keyed by (seed, counter): stock transforms of MMCV and MMSeg become
    reproducible, and a resumed run continues as if it had never stopped. Use it with :class:`KeyedSampler`.

    An item whose file cannot be read, or holds what it must not, is reported once and replaced by another, keyed too:
    as long as a file stays broken, every run replaces it by the same. Rare-class statistics are of all files, though.

    Args:
        dataset: Config or instance of the data set. For several at once: ``type='ConcatDataset'``.
        rare_class_sampling: None, or arguments of :class:`RareClassSampler` (and ``cache_dir`` and ``statistics`` of
            :func:`count_label_ids`); ``dict()`` for the official values. Items are then drawn with replacement, and the
            pipeline should crop with :class:`RareClassCrop`. ``ignored_classes=False`` draws for no class that
            ``class_mapping`` leaves out; the official codes draw for these, too.
        seed: The runner's (set by the sampler) if None.
        name: Keeps the draws of several keyed data sets apart.
        max_broken: Largest share of the items that may be replaced; more end the training with a list of them. Data
            sets too small for one such item, and 0, end it at the first, with its own error. Counted by each rank for
            itself, over all its workers.

    Raises:
        BrokenDataError: More items are broken.
        OSError, ValueError, AssertionError: The first broken item, where none may be replaced.
    """

    def __init__(
        self, dataset: dict | BaseDataset, rare_class_sampling: dict | None = None, seed: int | None = None,
        name: str = 'source', max_broken: float = 0.01,
    ) -> None:
        self.dataset = DATASETS.build(dataset) if isinstance(dataset, dict) else dataset
        self.rare_classes = None if rare_class_sampling is None else self._scan(**rare_class_sampling)
        self.broken = BrokenSamples(self.dataset, max_broken)
        self.seed = seed
        self.name = name
        self._order = None, None

    @property
    def metainfo(self) -> dict:
        """Classes and palette."""
        return self.dataset.metainfo

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, counter: int) -> dict:
        if self.seed is None:
            raise ValueError(f'{type(self).__name__} has no seed: take `KeyedSampler` as its sampler, or set `seed`.')
        for item, rare_class in islice(self._candidates(counter), TRIES):
            try:
                with keyed_globals(self.seed, counter, f'{self.name}/pipeline', rank=0):
                    return self._load(item, rare_class)
            except BROKEN as error:
                failure = error
                self.broken.report(item, error)
        raise failure

    def _candidates(self, counter: int) -> Iterator[tuple[int, RareClass | None]]:
        """The item of a counter and, should it be broken, those that replace it."""
        draws = np.random.default_rng(draw_key(self.seed, counter, f'{self.name}/rare_class', rank=0))
        if self.rare_classes is None:
            yield self._index(counter), None
        while True:
            yield (int(draws.integers(len(self))), None) if self.rare_classes is None else self.rare_classes.draw(draws)

    def _load(self, item: int, rare_class: RareClass | None) -> dict:
        if rare_class is None:
            return self.dataset[item]
        return self.dataset.pipeline({**self.dataset.get_data_info(item), 'rare_class': rare_class})

    def _index(self, counter: int) -> int:
        epoch, position = divmod(counter, len(self))
        if self._order[0] != (self.seed, epoch):
            generator = keyed_generator(self.seed, epoch, f'{self.name}/order', rank=0)
            self._order = (self.seed, epoch), torch.randperm(len(self), generator=generator)
        return int(self._order[1][position])

    def _scan(
        self, cache_dir: str | None = None, statistics: str | None = None, ignored_classes: bool = True, **kwargs
    ) -> RareClassSampler:
        dataset = self.dataset
        if getattr(dataset, 'labels', None) is None:
            raise ValueError(
                'Rare-class sampling counts the pixels of label files: it needs one ModalityDataset with `labels`, not '
                f'{type(dataset).__name__}.'
            )
        paths = [dataset.get_data_info(index)['seg_map_path'] for index in range(len(dataset))]
        counts = count_label_ids(paths, dataset.label_channel, cache_dir, statistics=statistics)
        space = dataset.raw_labels
        ids = space.file_ids
        ignored = dataset.class_lut[ids] == IGNORED
        sampler = RareClassSampler(
            counts[:, ids], counts.sum(axis=1), space.classes, None if ignored_classes else ignored, space.first_id,
            **kwargs)
        share = sampler.probabilities[ignored[sampler.classes]].sum()
        if share:
            names = ', '.join(name for name, left_out in zip(space.classes, ignored, strict=True) if left_out)
            print_log(
                f'Rare-class sampling: {share:.0%} of the images are drawn for classes that are not trained ({names}), '
                'as in the official codes; rare_class_sampling=dict(ignored_classes=False) draws for the others alone.',
                logger='current')
        return sampler
