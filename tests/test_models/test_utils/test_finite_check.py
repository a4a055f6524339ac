import copy

import pytest
import torch

from mmdass.models.utils import FiniteCheck, NonFiniteError


@pytest.mark.parametrize('broken', [float('nan'), float('inf'), -float('inf')])
@pytest.mark.parametrize('late', [True, False])
def test_names_the_samples(broken, late):
    values = torch.zeros(3, 4, 2, 2)
    values[0, 1, 1, 1] = values[2, 0, 0, 0] = broken
    check = FiniteCheck('the VAE')
    with pytest.raises(NonFiniteError, match='the VAE gave NaN or infinite values for a.png; c.png. Look') as caught:
        check(values, ['a.png', 'b.png', 'c.png'], late)
    assert caught.value.indices == [0, 2]
    check(torch.zeros(3, 1))  # reported once


def test_counts_samples_without_names():
    with pytest.raises(NonFiniteError, match='image 1 of the batch'):
        FiniteCheck('the VAE')(torch.tensor([[0.0], [float('nan')]]))


def test_finite_values_pass():
    FiniteCheck('the VAE')(torch.full((2, 3), torch.finfo(torch.float32).max))


def test_can_be_copied_with_values_under_way():
    check = FiniteCheck('the VAE')
    check._pending.append((torch.tensor([True]), None, (i for i in range(3))))  # an event, too, refuses to be copied
    assert not copy.deepcopy(check)._pending and copy.deepcopy(check).origin == 'the VAE'
