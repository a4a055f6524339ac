import pytest
import torch

from mmdass.models import CutMix


def draw(seed: int = 0, size: tuple[int, int, int] = (2, 40, 60), **options) -> torch.Tensor:
    return CutMix(**options)(torch.zeros(size, dtype=torch.long), torch.Generator().manual_seed(seed))


@pytest.mark.parametrize('area', [0.5, 0.25])
def test_pastes_a_rectangle_of_the_stated_area(area):
    widths = set()
    for seed in range(20):
        for mask in draw(seed, area=area):
            rows, columns = mask.any(1), mask.any(0)
            assert torch.equal(mask, rows[:, None] & columns)  # an outer product ...
            assert (rows.int().diff().abs().sum() <= 2) and (columns.int().diff().abs().sum() <= 2)  # ... of intervals
            assert mask.float().mean() == pytest.approx(area, abs=0.02)
            widths.add(int(columns.sum()))
    assert min(widths) >= area * 60 and max(widths) <= 60 and len(widths) > 5


def test_each_sample_has_its_own_and_draws_come_from_the_generator():
    first, second = draw(3)
    assert not torch.equal(first, second)
    torch.manual_seed(1)
    assert torch.equal(draw(3)[0], first) and not torch.equal(draw(4)[0], first)


def test_a_wrong_share_is_refused():
    with pytest.raises(ValueError, match='between 0 and 1, not 1.5'):
        CutMix(area=1.5)
