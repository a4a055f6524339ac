"""Broken files in a training set: reported once, replaced by the same others in every run, too many refused."""

import copy
import logging

import numpy as np
import pytest
from mmengine.registry import init_default_scope
from torch.utils.data import DataLoader
from trees import noise, write_png

from mmdass.datasets import BrokenDataError, KeyedDataset, KeyedSampler, ModalityDataset

PIPELINE = [dict(type='LoadModalityImage'), dict(type='LoadMappedLabel'), dict(type='PackSegInputs')]
FILES = 40


@pytest.fixture
def root(tmp_path):
    init_default_scope('mmdass')
    for index in range(FILES):
        write_png(tmp_path / f'image/{index:02d}.png', noise(4, 6, 3, seed=index))
        write_png(tmp_path / f'label/{index:02d}.png', np.full((4, 6), index % 3, np.uint8))
    return tmp_path


@pytest.fixture
def reports(caplog, monkeypatch):
    """What was reported, of this process and of forked ones."""
    monkeypatch.setattr('mmdass.datasets.broken_samples.print_log',
                        lambda text, logger, level: logging.getLogger('reports').log(level, text))
    return lambda: [record.getMessage() for record in caplog.records if record.name == 'reports']


def keyed(root, **options):
    data = ModalityDataset(root, 'image/*.png', 'cityscapes19', labels=('image', 'label'), pipeline=PIPELINE)
    return KeyedDataset(data, **(dict(seed=3, max_broken=0.05) | options))


def cut_off(*paths):
    for path in paths:
        path.write_bytes(path.read_bytes()[:50])


def names(data, counters):
    return [data[counter]['data_samples'].img_path[-6:-4] for counter in counters]


@pytest.mark.parametrize('rare_class_sampling', [None, dict(min_pixels=1)])
def test_a_broken_file_is_reported_once_and_replaced_by_the_same_one_always(root, reports, rare_class_sampling):
    options = dict(rare_class_sampling=rare_class_sampling and dict(rare_class_sampling, cache_dir=str(root)))
    whole = names(keyed(root, **options), range(2 * FILES))
    broken = root / f'image/{whole[5]}.png'
    cut_off(broken)
    data = keyed(root, **options)
    replaced = names(data, range(2 * FILES))
    assert whole[5] not in replaced
    assert all(after == before for after, before in zip(replaced, whole, strict=True) if before != whole[5])
    assert len(reports()) == 1 and reports()[0].count(str(broken)) == 2
    assert names(keyed(root, **options), range(5, FILES)) == replaced[5:FILES]  # a resumed run draws the same


def test_a_copy_has_the_same_record(root, reports):
    """PTL hands one data set to a loader a phase, and MMEngine copies it."""
    data = keyed(root)
    cut_off(root / 'image/05.png')
    for copied in (copy.deepcopy(data), copy.deepcopy(data)):
        names(copied, range(FILES))
    assert len(reports()) == 1 and data.broken.found.sum() == 1 and data.broken.found.is_shared()


def test_labels_count_too(root, reports):
    write_png(root / 'label/07.png', np.full((4, 6), 99, np.uint8))
    assert '07' not in names(keyed(root), range(FILES))
    assert 'label/07.png holds the ids 99' in reports()[0]


def test_too_many_end_the_training_with_a_list(root):
    broken = [root / f'image/{index:02d}.png' for index in (1, 4, 9)]
    cut_off(*broken)
    with pytest.raises(BrokenDataError, match='^3 of 40 training samples are broken, more than the 2 ') as error:
        names(keyed(root), range(FILES))
    assert all(str(path) in str(error.value) for path in broken)


@pytest.mark.parametrize('max_broken', [0, 0.01])
def test_where_none_may_be_left_out_the_first_ends_it_with_its_own_error(root, max_broken):
    cut_off(root / 'image/00.png')
    with pytest.raises(OSError, match='00.png .* cannot be read as an image'):
        names(keyed(root, max_broken=max_broken), range(FILES))


def test_a_class_whose_only_image_is_broken_does_not_hang(root):
    for path in (root / 'label').iterdir():
        write_png(path, np.full((4, 6), 255, np.uint8))
    write_png(root / 'label/11.png', np.full((4, 6), 0, np.uint8))
    data = keyed(root, rare_class_sampling=dict(min_pixels=1, cache_dir=str(root)))
    cut_off(root / 'image/11.png')
    with pytest.raises(OSError, match='11.png'):
        data[0]


def test_all_workers_share_the_record(root):
    cut_off(root / 'image/03.png', root / 'image/30.png')
    data = keyed(root)
    batches = iter(DataLoader(data, batch_size=4, num_workers=2, sampler=KeyedSampler(data), collate_fn=list))
    for _ in range(FILES // 4):
        next(batches)
    assert data.broken.found.nonzero().flatten().tolist() == [3, 30]


@pytest.mark.parametrize('max_broken', [-0.1, 1])
def test_refuses_what_is_no_share(root, max_broken):
    with pytest.raises(ValueError, match='`max_broken` is a share'):
        keyed(root, max_broken=max_broken)
