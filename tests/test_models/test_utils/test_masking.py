import pytest
import torch

from mmdass.models import BlockMask


def mask(size: tuple[int, int] = (64, 128), seed: int = 0, number: int = 2, **options) -> torch.Tensor:
    """(N, H, W), True where the image is visible."""
    hidden = BlockMask(**options)(torch.full((number, 3, *size), 0.5), torch.Generator().manual_seed(seed))
    assert set(hidden.unique().tolist()) <= {0, 0.5} and torch.equal(hidden[:, 0], hidden[:, 2])
    return hidden[:, 0] > 0


def test_the_draws_by_hand():
    """Golden: what a generator of seed 0 draws, compared by hand, one number for each block of 32 x 32."""
    draws = torch.rand(2, 1, 2, 4, generator=torch.Generator().manual_seed(0))
    expected = torch.zeros(2, 64, 128, dtype=torch.bool)
    for sample in range(2):
        for row in range(64):
            for column in range(0, 128, 32):
                expected[sample, row, column : column + 32] = draws[sample, 0, row // 32, column // 32] > 0.7
    assert torch.equal(mask(block_size=32), expected)


@pytest.mark.parametrize('ratio', [0.0, 0.3, 0.7, 1.0])
def test_the_ratio_is_what_is_hidden(ratio):
    visible = mask((256, 256), block_size=8, ratio=ratio, number=4)
    assert visible.float().mean() == pytest.approx(1 - ratio, abs=0.03)


def test_official_values_and_sizes_that_do_not_fit():
    assert (BlockMask().block_size, BlockMask().ratio) == (64, 0.7)
    visible = mask((90, 100), number=8)  # round(90 / 64) = 1 row, round(100 / 64) = 2 columns
    assert (visible == visible[:, :1]).all() and len(visible[:, 0, :50].unique(dim=1)[0]) == 1
    assert mask((20, 20)).shape == (2, 20, 20)  # smaller than a block
