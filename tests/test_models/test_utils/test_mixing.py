import pytest
import torch

from mmdass.models.utils import ClassMix, paste


def mix(label: torch.Tensor, seed: int = 0, **options) -> torch.Tensor:
    return ClassMix(**options)(label, torch.Generator().manual_seed(seed))


def stripes(*classes: int) -> torch.Tensor:
    """(4, 2 * len(classes)): a stripe two columns wide for each class."""
    return torch.tensor(classes).repeat_interleave(2).expand(4, -1)


def pasted(label: torch.Tensor, mask: torch.Tensor) -> set[int]:
    return set(label[mask].tolist())


@pytest.mark.parametrize(('classes', 'count'), [((3, ), 1), ((3, 5), 1), ((3, 5, 7), 2), ((0, 1, 2, 3, 4), 3)])
def test_pastes_the_larger_half_of_the_classes(classes, count):
    label = stripes(*classes)[None]
    chosen = [pasted(label[0], mix(label, seed)[0]) for seed in range(30)]
    assert {len(choice) for choice in chosen} == {count}
    assert set().union(*chosen) == set(classes)  # each class gets its turn
    mask = mix(label)
    assert all(len(set(mask[0][label[0] == index].tolist())) == 1 for index in classes)  # a class is whole


def test_classes_are_those_of_the_whole_batch():
    """Sample 0 has one of five classes only, so it is pasted in some draws and not in others."""
    label = torch.stack([stripes(1, 1, 1, 1), stripes(2, 3, 4, 5)])
    batch = [mix(label, seed) for seed in range(40)]
    assert {bool(mask[0].any()) for mask in batch} == {True, False}
    assert {len(pasted(label[1], mask[1])) for mask in batch} == {2, 3}  # of 2, 3, 4, 5, as one of three may be 1
    assert any(mask[0].any() and len(pasted(label[1], mask[1])) == 3 for mask in batch)  # each sample draws its own
    own = [mix(label, seed, pool='sample') for seed in range(40)]
    assert all(mask[0].all() for mask in own)
    assert {len(pasted(label[1], mask[1])) for mask in own} == {2}


@pytest.mark.parametrize('pool', ['batch', 'sample'])
def test_the_ignored_label_is_a_class_unless_told_otherwise(pool):
    label = stripes(255, 2)[None].repeat(2, 1, 1)
    draws = [pasted(label, mix(label, seed, pool=pool)) for seed in range(30)]
    assert {255} in draws and {2} in draws
    draws = [pasted(label, mix(label, seed, pool=pool, mix_ignored=False)) for seed in range(30)]
    assert set(map(tuple, draws)) == {(2, )}
    assert not mix(torch.full((1, 4, 4), 255), mix_ignored=False).any()


def test_draws_come_from_the_generator_alone():
    label = stripes(*range(9)).to(torch.uint8)[None]
    torch.manual_seed(1)
    first = mix(label, 3)
    torch.manual_seed(2)
    assert torch.equal(first, mix(label, 3))
    assert not all(torch.equal(first, mix(label, seed)) for seed in range(4, 8))


def test_paste():
    mask = torch.tensor([[[True, False]]])
    ones, zeros = torch.ones(1, 3, 1, 2), torch.zeros(1, 3, 1, 2)
    assert paste(mask, ones, zeros)[0, :, 0].tolist() == [[1, 0]] * 3
    assert paste(mask, ones[:, 0], zeros[:, 0]).tolist() == [[[1, 0]]]


def test_an_unknown_pool_is_refused():
    with pytest.raises(ValueError, match="'batch', 'all_ranks' or 'sample', not 'world'"):
        ClassMix(pool='world')
