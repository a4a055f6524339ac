"""Pairs of a source and a target sample, drawn independently."""

from mmengine.dataset import BaseDataset

from mmdass.registry import DATASETS

from .keyed_dataset import KeyedDataset


@DATASETS.register_module()
class DomainPairDataset:
    """``ds[counter]``: ``{'source': sample, 'target': sample}`` for any non-negative integer.

    Both samples are independent keyed draws (see :class:`KeyedDataset`), each through its own pipeline. The official
    code shuffles the product of both data sets instead; the distribution is the same.

    Args:
        source: Config or instance of the labelled data set.
        target: The same of the unlabelled one.
        rare_class_sampling: Draws the source by rare classes; see :class:`KeyedDataset`.
        seed: The runner's (set by :class:`KeyedSampler`) if None.
        max_broken: Largest share of each data set's items that may be left out as broken; see :class:`KeyedDataset`.

    Raises:
        ValueError: Source and target have different classes.
    """

    def __init__(
        self, source: dict | BaseDataset, target: dict | BaseDataset, rare_class_sampling: dict | None = None,
        seed: int | None = None, max_broken: float = 0.01,
    ) -> None:
        self.source = KeyedDataset(source, rare_class_sampling, name='source', max_broken=max_broken)
        self.target = KeyedDataset(target, name='target', max_broken=max_broken)
        _require_same_classes(self.source.metainfo['classes'], self.target.metainfo['classes'])
        self.seed = seed

    @property
    def seed(self) -> int | None:
        """Seed of all draws."""
        return self.source.seed

    @seed.setter
    def seed(self, seed: int | None) -> None:
        self.source.seed = self.target.seed = seed

    @property
    def metainfo(self) -> dict:
        """Classes and palette, common to both domains."""
        return self.source.metainfo

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, counter: int) -> dict[str, dict]:
        return dict(source=self.source[counter], target=self.target[counter])


def _require_same_classes(source: tuple[str, ...], target: tuple[str, ...]) -> None:
    if tuple(source) == tuple(target):
        return
    difference = sorted(set(source) ^ set(target))
    what = f'Only one of them has: {", ".join(difference)}.' if difference else 'The order differs.'
    raise ValueError(
        f'Source and target must share one label space; set the same `label_space` in both. {what}\n'
        f'source: {", ".join(source)}\ntarget: {", ".join(target)}'
    )
