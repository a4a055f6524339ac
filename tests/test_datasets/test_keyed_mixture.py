"""Mixtures of keyed data sets: shares, keys, and what is refused."""

from collections import Counter

import pytest
import torch
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample

from mmdass.datasets import KeyedMixture, KeyedSampler


class Part:
    """Stands for a ``KeyedDataset``: its samples say which part and counter they are."""

    metainfo = dict(classes=('road',))

    def __init__(self, name: str) -> None:
        self.name, self.seed = name, None

    def __len__(self) -> int:
        return 5

    def __getitem__(self, counter: int) -> dict:
        label = SegDataSample(metainfo=dict(part=self.name, counter=counter, seed=self.seed))
        label.gt_sem_seg = PixelData(data=torch.zeros(1, 2, 2, dtype=torch.uint8))
        return dict(inputs=torch.zeros(3, 2, 2, dtype=torch.uint8), data_samples=label)


def mixture(**kwargs) -> KeyedMixture:
    arguments = dict(datasets=[Part('new'), Part('old'), Part('source')], shares=(0.7, 0.2, 0.1), seed=3) | kwargs
    return KeyedMixture(**arguments)


def parts(data: KeyedMixture, counters) -> list[str]:
    return [data[counter]['data_samples'].part for counter in counters]


def test_shares():
    counts = Counter(parts(mixture(), range(4000)))
    assert [counts[name] / 4000 for name in ('new', 'old', 'source')] == pytest.approx([0.7, 0.2, 0.1], abs=0.03)


def test_a_part_without_a_share_is_never_asked():
    data = mixture(shares=(7, 3, 0))
    assert set(parts(data, range(200))) == {'new', 'old'}
    assert len(data) == 10


def test_samples_depend_on_seed_and_counter_alone():
    whole = parts(mixture(), range(50))
    assert parts(mixture(), reversed(range(50))) == whole[::-1]
    assert parts(mixture(seed=4), range(50)) != whole
    sample = mixture()[17]['data_samples']
    assert (sample.counter, sample.seed) == (17, 3)


def test_sampler_hands_the_seed_to_all_parts():
    data = mixture(seed=None)
    KeyedSampler(data, seed=9)
    assert data.seed == 9 and {part.seed for part in data.datasets} == {9}


def test_transforms_are_keyed():
    data = mixture(transforms=[dict(type='mmdass.ForwardNoise', prob=1.0, max_steps=500)])
    first, again, other = data[1]['inputs'], data[1]['inputs'], data[2]['inputs']
    assert first.equal(again) and not first.equal(other)


@pytest.mark.parametrize('shares', [(1, 1), (0, 0, 0), (1, -1, 1)])
def test_shares_that_are_none(shares):
    with pytest.raises(ValueError, match='shares'):
        mixture(shares=shares)


def test_parts_of_different_classes():
    other = Part('old')
    other.metainfo = dict(classes=('sky',))
    with pytest.raises(ValueError, match='road\nsky'):
        mixture(datasets=[Part('new'), other], shares=(1, 1))
