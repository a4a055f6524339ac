import itertools
import random

import numpy as np
import pytest
import torch
from mmengine.dataset import ConcatDataset
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from torch.utils.data import DataLoader
from trees import noise, write_png

from mmdass.datasets import DomainPairDataset, KeyedDataset, KeyedSampler, ModalityDataset

LOAD = [dict(type='LoadModalityImage')]
AUGMENT = [dict(type='RandomResize', scale=(24, 16), ratio_range=(0.8, 2.0)), dict(type='RandomCrop', crop_size=(8, 8)),
           dict(type='RandomFlip', prob=0.5), dict(type='PhotoMetricDistortion'), dict(type='PackSegInputs')]


@pytest.fixture
def root(tmp_path):
    init_default_scope('mmdass')
    for index in range(5):
        write_png(tmp_path / f'rgb/{index}.png', noise(16, 24, 3, seed=index))
        label = np.zeros((16, 24), np.uint8)
        label[:, 2 * index:2 * index + 2] = 10
        write_png(tmp_path / f'label/{index}.png', label)
    for index in range(7):
        write_png(tmp_path / f'thermal/{index}.png', noise(16, 24, seed=index))
    return tmp_path


def source(root, space='cityscapes19', augment=AUGMENT):
    return dict(type='ModalityDataset', data_root=str(root), images='rgb/*.png', labels=('rgb', 'label'),
                label_space=space, pipeline=[*LOAD, dict(type='LoadMappedLabel'), *augment])


def target(root, space='cityscapes19', images='thermal/*.png'):
    return dict(type='ModalityDataset', data_root=str(root), images=images, label_space=space, modality='infrared',
                pipeline=[*LOAD, *AUGMENT])


def stem(sample):
    return sample['data_samples'].img_path[-5]


def test_samples_depend_on_seed_and_counter_alone(root):
    first, second = (DomainPairDataset(source(root), target(root), seed=3) for _ in range(2))
    for counter in (11, 0, 11):
        random.random(), np.random.rand(), torch.rand(1), second[counter + 1]
        a, b = first[counter], second[counter]
        for domain in ('source', 'target'):
            assert torch.equal(a[domain]['inputs'], b[domain]['inputs'])
    seeds = [DomainPairDataset(source(root), target(root), seed=seed)[11]['source']['inputs'] for seed in (3, 4)]
    assert not torch.equal(*seeds)


def test_every_rank_would_draw_the_same_sample_for_a_counter(root, monkeypatch):
    # Otherwise the ranks' orders would differ, and an epoch would show some items twice and others never.
    pairs = [DomainPairDataset(source(root), target(root), seed=3)[4]]
    monkeypatch.setattr('mmdass.utils.random.get_rank', lambda: 1)
    pairs.append(DomainPairDataset(source(root), target(root), seed=3)[4])
    for domain in ('source', 'target'):
        assert torch.equal(pairs[0][domain]['inputs'], pairs[1][domain]['inputs'])


def test_sampling_leaves_the_global_generators_alone(root):
    pairs = DomainPairDataset(source(root), target(root), seed=0)
    random.seed(1), np.random.seed(1), torch.manual_seed(1)
    expected = random.random(), np.random.rand(), torch.rand(1)
    random.seed(1), np.random.seed(1), torch.manual_seed(1)
    pairs[5]
    assert (random.random(), np.random.rand(), torch.rand(1)) == expected


def test_each_epoch_visits_every_item_once_in_an_order_of_its_own(root):
    pairs = DomainPairDataset(source(root), target(root), seed=0)
    drawn = [pairs[counter] for counter in range(35)]
    for domain, size in (('source', 5), ('target', 7)):
        stems = [stem(pair[domain]) for pair in drawn]
        epochs = [tuple(stems[start:start + size]) for start in range(0, 35, size)]
        assert all(sorted(epoch) == [str(i) for i in range(size)] for epoch in epochs)
        assert len(set(epochs)) > 1


def test_source_and_target_are_drawn_independently(root):
    pairs = DomainPairDataset(source(root), target(root, images='rgb/*.png'), seed=0)  # of equal sizes
    drawn = [pairs[counter] for counter in range(30)]
    assert len({(stem(pair['source']), stem(pair['target'])) for pair in drawn}) > 10
    flips = {(pair['source']['data_samples'].flip, pair['target']['data_samples'].flip) for pair in drawn}
    assert len(flips) == 4


def test_keyed_dataset_gives_ordinary_samples_for_source_only_training(root):
    keyed = KeyedDataset(source(root), seed=0)
    assert sorted(stem(keyed[counter]) for counter in range(5)) == list('01234')
    assert set(keyed[10**9]) == {'inputs', 'data_samples'}
    pair = DomainPairDataset(source(root), target(root), seed=0)
    assert torch.equal(pair[3]['source']['inputs'], keyed[3]['inputs'])


def test_rare_class_sampling_draws_the_images_and_crops_of_a_class(root):
    augment = [dict(type='RareClassCrop', crop_size=(8, 8), max_redraws=200), dict(type='PackSegInputs')]
    # id 10 has 32 pixels in each image: with 30 as the least, a crop must keep more than 15 of them
    keyed = KeyedDataset(source(root, augment=augment), dict(min_pixels=30, cache_dir=str(root / 'cache')), seed=0)
    counts = [(keyed[counter]['data_samples'].gt_sem_seg.data == 10).sum() for counter in range(20)]
    assert min(counts) > 15
    again = KeyedDataset(source(root, augment=augment), dict(min_pixels=30, cache_dir=str(root / 'cache')), seed=0)
    assert torch.equal(keyed[7]['inputs'], again[7]['inputs'])


def test_rare_class_sampling_may_leave_out_what_is_not_trained(root, monkeypatch):
    """Sky, id 10, is the rarer of two classes, and ignored."""
    data = dict(source(root, dict(classes=('road',))), raw_labels='cityscapes19', class_mapping={})
    options = dict(min_pixels=1, cache_dir=str(root / 'cache'))
    draws, log = [], []
    monkeypatch.setattr('mmdass.datasets.keyed_dataset.print_log', lambda text, logger: log.append(text))
    for more in (dict(), dict(ignored_classes=False)):
        rare_classes = KeyedDataset(data, options | more).rare_classes
        draws.append({rare_classes.draw(np.random.default_rng(number))[1].label_id for number in range(50)})
    assert draws == [{10}, {0}]
    assert len(log) == 1 and '100% of the images are drawn for classes that are not trained' in log[0]


def test_rare_class_sampling_needs_label_files(root):
    with pytest.raises(ValueError, match='needs one ModalityDataset with `labels`'):
        KeyedDataset(target(root), dict())


def test_several_folders_are_one_target(root):
    both = dict(type='ConcatDataset', datasets=[target(root), target(root, images='rgb/*.png')])
    pairs = DomainPairDataset(source(root), both, seed=0)
    assert isinstance(pairs.target.dataset, ConcatDataset)
    assert len({pairs[counter]['target']['data_samples'].img_path for counter in range(12)}) == 12


def test_different_label_spaces_are_refused(root):
    with pytest.raises(ValueError, match='same `label_space` in both. Only one of them has: .*terrain'):
        DomainPairDataset(source(root), target(root, space='madm11'))


def test_seed_comes_from_the_sampler_and_is_required(root):
    pairs = DomainPairDataset(source(root), target(root))
    with pytest.raises(ValueError, match='has no seed: take `KeyedSampler`'):
        pairs[0]
    with pytest.raises(ValueError, match='KeyedSampler got no seed'):
        KeyedSampler(pairs)
    KeyedSampler(pairs, seed=5)
    assert pairs.source.seed == pairs.target.seed == 5
    KeyedSampler(pairs, seed=6)
    assert pairs.seed == 5
    with pytest.raises(TypeError, match='needs a keyed data set, not ModalityDataset'):
        KeyedSampler(ModalityDataset(**{k: v for k, v in target(root).items() if k != 'type'}), seed=5)


def take(sampler, number):
    return list(itertools.islice(sampler, number))


def test_ranks_share_the_counters_and_skipping_continues_each(root, monkeypatch):
    pairs = DomainPairDataset(source(root), target(root), seed=0)
    streams = []
    for rank in range(3):
        monkeypatch.setattr('mmdass.datasets.samplers.keyed_sampler.get_dist_info', lambda rank=rank: (rank, 3))
        sampler = KeyedSampler(pairs)
        streams.append(take(sampler, 6))
        assert take(sampler, 6) == streams[-1]
        sampler.skip(4)
        assert take(sampler, 2) == streams[-1][4:]
    assert sorted(sum(streams, [])) == list(range(18))


def test_dataloader_of_the_runner_gives_batches_by_domain(root):
    loader = dict(batch_size=2, num_workers=2, sampler=dict(type='KeyedSampler'),
                  dataset=dict(type='DomainPairDataset', source=source(root), target=target(root)))
    built = Runner.build_dataloader(loader, seed=9)
    assert isinstance(built, DataLoader) and built.dataset.seed == 9
    batches = list(itertools.islice(built, 3))
    assert [image.shape for image in batches[0]['target']['inputs']] == [(3, 8, 8)] * 2
    expected = built.dataset[4]['source']['inputs']
    assert torch.equal(batches[2]['source']['inputs'][0], expected)  # in workers as in this process
    assert batches[0]['source']['data_samples'][0].gt_sem_seg.shape == (8, 8)
