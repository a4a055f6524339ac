"""The data sets that a config will load, each once, under the names of all its uses."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from mmcv.transforms import BaseTransform
from mmengine.config import Config, ConfigDict
from mmseg.datasets import BaseSegDataset
from mmseg.datasets.transforms import LoadAnnotations

from mmdass.datasets import Cached, LabelSpace, LoadMappedLabel, ModalityDataset
from mmdass.datasets.label_space import OUTSIDE
from mmdass.registry import DATASETS

_INNER = ('source', 'target', 'dataset', 'datasets')  # where a data set that wraps others names them
_DRAWN = 64  # scenes looked at of a data set that has no files


@dataclass
class Split:
    """A data set of the config.

    Args:
        cfg: Its config.
        uses: Where it is loaded: 'train source', 'train target', 'val', 'test', ...
    """

    cfg: ConfigDict
    uses: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """All its uses."""
        return ', '.join(self.uses)

    @property
    def trains(self) -> bool:
        """Whether training sees it."""
        return any(use.startswith('train') for use in self.uses)

    @cached_property
    def dataset(self) -> BaseSegDataset:
        """The data set, listing images whose label is missing too.

        Raises:
            Exception: Whatever the data set refuses.
        """
        lenient = dict(require_labels=False) if issubclass(DATASETS.get(self.cfg.type), ModalityDataset) else {}
        return DATASETS.build({**self.cfg, **lenient})

    @property
    def indices(self) -> range:
        """The items to look at: all, or the first ones where nothing is on disk."""
        drawn = '://' in self.dataset.get_data_info(0)['img_path']
        return range(min(len(self.dataset), _DRAWN) if drawn else len(self.dataset))

    @property
    def loaders(self) -> list[BaseTransform]:
        """The transforms of the pipeline that read the image and, if there is one, the label."""
        first, *rest = self.dataset.pipeline.transforms
        if isinstance(first, Cached):
            first, *rest = first.transforms.transforms
        return [first, *(step for step in rest if isinstance(step, (LoadMappedLabel, LoadAnnotations)))]

    @property
    def label_space(self) -> LabelSpace:
        """What the model predicts."""
        if isinstance(self.dataset, ModalityDataset):
            return self.dataset.label_space
        meta = self.dataset.metainfo
        return LabelSpace(meta['classes'], meta['palette'])

    @property
    def raw_labels(self) -> LabelSpace:
        """What the label files hold."""
        if isinstance(self.dataset, ModalityDataset):
            return self.dataset.raw_labels
        classes = self.dataset.METAINFO.get('classes') or self.dataset.metainfo['classes']
        return LabelSpace(classes, first_id=int(self.dataset.reduce_zero_label))

    @property
    def class_lut(self) -> np.ndarray:
        """(256,) uint8: id in the files to class index; see :func:`mmdass.datasets.lookup_table`."""
        if isinstance(self.dataset, ModalityDataset):
            return self.dataset.class_lut
        raw, table = self.raw_labels, np.full(256, OUTSIDE, np.uint8)
        table[[255, *range(raw.first_id)]] = 255
        for index, file_id in enumerate(raw.file_ids):
            table[file_id] = (self.dataset.label_map or {}).get(index, index)
        return table


def find_splits(cfg: Config) -> list[Split]:
    """The data sets of the train, val and test dataloaders; equal ones (val and test, usually) are one split."""
    splits: dict[str, Split] = {}
    for loader in ('train', 'val', 'test'):
        dataset = (cfg.get(f'{loader}_dataloader') or {}).get('dataset')
        for use, leaf in _leaves(dataset, loader):
            splits.setdefault(repr(leaf), Split(leaf)).uses.append(use)
    return list(splits.values())


def _leaves(cfg: ConfigDict | list | None, use: str) -> Iterator[tuple[str, ConfigDict]]:
    if isinstance(cfg, (list, tuple)):
        for number, one in enumerate(cfg, 1):
            yield from _leaves(one, f'{use} {number}')
    elif cfg:
        inner = [key for key in _INNER if key in cfg]
        if not inner:
            yield use, cfg
        for key in inner:
            yield from _leaves(cfg[key], use if key.startswith('dataset') else f'{use} {key}')
