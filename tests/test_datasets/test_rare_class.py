import json
import os

import numpy as np
import pytest
import torch
from torch import distributed as dist
from trees import write_png

from mmdass.datasets import class_counts
from mmdass.datasets.class_counts import count_label_ids
from mmdass.datasets.rare_class import RareClass, RareClassSampler, class_probabilities


def test_class_probabilities_equal_hand_computed_ones():
    # shares .7 .2 .1; softmax of (.3 .8 .9) / .1 = weights e^-6, e^-1, 1
    expected = np.array([np.exp(-6), np.exp(-1), 1])
    np.testing.assert_allclose(class_probabilities(np.array([700, 200, 100]), 0.1), expected / expected.sum())


def test_default_temperature_is_the_official_one():
    # shares .5 .3 .2, temperature .01: weights e^-30, e^-10, 1
    counts = np.array([[5000, 3001, 2000], [5000, 2999, 2000]])
    sampler = RareClassSampler(np.vstack([counts, [0, 0, 3001]]), np.full(3, 10**4), ('a', 'b', 'c'))
    shares = np.array([10000, 6000, 7001]) / 23001
    expected = np.exp((shares.min() - shares) / 0.01)
    np.testing.assert_allclose(sampler.probabilities, expected / expected.sum())


def sampler(**kwargs):
    counts = np.array([[100, 0, 30], [100, 20, 0], [100, 21, 0], [100, 50, 0]])
    return RareClassSampler(counts, counts.sum(axis=1), ('a', 'b', 'c'), **kwargs)


def test_an_image_needs_more_than_min_pixels_of_its_class():
    drawn = sampler(min_pixels=20, temperature=0.3)
    assert [images.tolist() for images in drawn.images] == [[0, 1, 2, 3], [2, 3], [0]]
    share = sampler(min_pixels=0.2, temperature=0.3)  # of 130, 120, 121, 150 pixels
    assert [images.tolist() for images in share.images] == [[0, 1, 2, 3], [3], [0]]


def test_classes_without_an_image_are_never_drawn_and_the_rest_sums_to_one():
    drawn = sampler(min_pixels=40, temperature=0.3)
    assert drawn.classes.tolist() == [0, 1]
    assert drawn.probabilities.sum() == pytest.approx(1)
    with pytest.raises(ValueError, match='no image has more than min_pixels=100'):
        sampler(min_pixels=100)


def test_ignored_classes_are_not_drawn_and_do_not_count():
    drawn = sampler(min_pixels=20, temperature=0.3, ignored=np.array([False, False, True]))
    assert drawn.classes.tolist() == [0, 1]
    np.testing.assert_allclose(drawn.probabilities, class_probabilities(np.array([400, 91]), 0.3))


def test_draws_follow_the_probabilities_and_give_ids_of_the_files():
    drawn = sampler(min_pixels=20, temperature=0.5, first_id=1)
    random = np.random.default_rng(0)
    draws = [drawn.draw(random) for _ in range(4000)]
    for position, label_id in enumerate((1, 2, 3)):
        images = [image for image, rare in draws if rare.label_id == label_id]
        assert len(images) / 4000 == pytest.approx(drawn.probabilities[position], abs=0.03)
        assert set(images) == set(drawn.images[position])


def test_a_crop_must_keep_more_than_half_of_min_pixels():
    crop = np.zeros((4, 4), np.uint8)
    crop[0] = 7
    assert RareClass(7, 7.9, 0.5).fills(crop) and not RareClass(7, 8, 0.5).fills(crop)
    assert RareClass(7, 0.49, 0.5).fills(crop) and not RareClass(7, 0.5, 0.5).fills(crop)
    # a small number of pixels is no share, even when half of it is below 1
    assert RareClass(7, 1, 0.5).fills(np.pad(crop, 50))


@pytest.fixture
def labels(tmp_path):
    return [str(write_png(tmp_path / f'{i}.png', np.array([[i, i, 9], [255, 9, 9]], np.uint8))) for i in range(3)]


def test_pixels_are_counted_and_cached_by_content(labels, tmp_path, monkeypatch):
    cache = tmp_path / 'cache'
    counts = count_label_ids(labels, cache_dir=str(cache))
    assert counts.shape == (3, 256) and (counts.sum(axis=1) == 6).all()
    assert (counts[:, 9] == 3).all() and (counts[:, 255] == 1).all() and counts[1, 1] == 2

    with monkeypatch.context() as patch:
        patch.setattr('mmdass.datasets.class_counts.read_label', None)  # a second scan would fail
        np.testing.assert_array_equal(count_label_ids(labels, cache_dir=str(cache)), counts)

    write_png(tmp_path / '1.png', np.full((2, 3), 4, np.uint8))
    os.utime(tmp_path / '1.png', ns=(1, 1))
    assert count_label_ids(labels, cache_dir=str(cache))[1, 4] == 6
    assert len(list(cache.iterdir())) == 2


def test_cache_is_json_and_an_unwritable_folder_is_no_error(labels, tmp_path):
    count_label_ids(labels, cache_dir=str(tmp_path / 'cache'))
    file, = (tmp_path / 'cache').iterdir()
    assert json.loads(file.read_text())[0] == {'0': 2, '9': 3, '255': 1}
    (tmp_path / 'blocked').write_text('')
    assert count_label_ids(labels, cache_dir=str(tmp_path / 'blocked')).sum() == 18


def test_chosen_channel_is_counted(tmp_path):
    path = write_png(tmp_path / 'a.png', np.dstack([np.full((2, 2), 5), np.zeros((2, 2, 3))]).astype(np.uint8))
    assert count_label_ids([str(path)], channel=0, cache_dir=str(tmp_path / 'cache'))[0, 5] == 4


@pytest.mark.parametrize('form', ['sample_class_stats', 'samples_with_class'])
def test_statistics_of_daformer_replace_the_scan(labels, tmp_path, monkeypatch, form):
    scanned = count_label_ids(labels, cache_dir=str(tmp_path / 'cache'))
    counts = [{str(i): int(row[i]) for i in range(255) if row[i]} for row in scanned]
    files = [f'/elsewhere/gtFine/{i}.png' for i in range(3)]
    if form == 'sample_class_stats':
        content = [dict(stats, file=file) for stats, file in zip(counts, files, strict=True)]
    else:
        content = {str(i): [[file, stats[str(i)]] for file, stats in zip(files, counts, strict=True) if str(i) in stats]
                   for i in range(255)}
    path = tmp_path / f'{form}.json'
    path.write_text(json.dumps(content))
    monkeypatch.setattr('mmdass.datasets.class_counts.read_label', None)  # a scan would fail
    np.testing.assert_array_equal(count_label_ids(labels, statistics=str(path))[:, :255], scanned[:, :255])
    with pytest.raises(ValueError, match=r'no counts of 1 of 4 label files, such as .*new\.png'):
        count_label_ids([*labels, 'new.png'], statistics=str(path))


def count_on_rank(rank, folder, labels):
    dist.init_process_group('gloo', init_method=f'file://{folder}/rendezvous', rank=rank, world_size=2)
    if rank:
        class_counts.read_label = None  # this rank must not scan
    np.save(folder / f'{rank}.npy', count_label_ids(labels, cache_dir=str(folder / 'cache')))
    dist.destroy_process_group()


def test_one_rank_scans_for_all(labels, tmp_path):
    torch.multiprocessing.spawn(count_on_rank, (tmp_path, labels), nprocs=2)
    first, second = (np.load(tmp_path / f'{rank}.npy') for rank in range(2))
    np.testing.assert_array_equal(first, second)
    assert first.sum() == 18
