import pytest
import torch
from torch.nn import functional as F

from mmdass.models.utils import StrongAugmentation

OFF = dict(jitter_threshold=1.0, blur_threshold=1.0)


@pytest.fixture
def images() -> torch.Tensor:
    torch.manual_seed(0)
    return torch.rand(2, 3, 64, 96) * 2 - 1


def augment(images: torch.Tensor, seed: int = 0, **options) -> torch.Tensor:
    return StrongAugmentation(**options)(images, torch.Generator().manual_seed(seed))


def changed(images: torch.Tensor, **options) -> float:
    """The share of 400 draws that change the images."""
    few = images[:, :, :8, :8]
    return sum(not torch.allclose(augment(few, seed, **options), few, atol=1e-6) for seed in range(400)) / 400


def test_thresholds_of_one_change_nothing(images):
    torch.testing.assert_close(augment(images, **OFF), images, atol=1e-6, rtol=0)


def test_jitters_in_80_and_blurs_in_50_percent(images):
    """At 8 pixels the blur's window is 1, so only the jitter shows; a constant sigma makes the blur show alone."""
    assert changed(images, blur_threshold=1.0) == pytest.approx(0.8, abs=0.06)
    wide = images[:, :, :, :24]
    blurred = sum(
        not torch.allclose(augment(wide, seed, jitter_threshold=1.0, blur_sigma=(1, 1)), wide, atol=1e-6)
        for seed in range(200)) / 200
    assert blurred == pytest.approx(0.5, abs=0.1)


def test_draws_come_from_the_generator_alone(images):
    first = augment(images, 3)
    torch.manual_seed(99)
    assert torch.equal(augment(images, 3), first)
    assert not torch.equal(augment(images, 4), first)


def test_stays_in_range(images):
    extreme = images.sign()
    for seed in range(20):
        result = augment(extreme, seed, jitter_threshold=0.0, blur_threshold=0.0, jitter_strength=0.5)
        assert result.min() >= -1 and result.max() <= 1
        assert result.shape == images.shape


def test_each_image_is_jittered_by_its_own_factors(images):
    same = images[:1].repeat(2, 1, 1, 1)
    first, second = augment(same, jitter_threshold=0.0, blur_threshold=1.0)
    assert not torch.allclose(first, second, atol=1e-3)


@pytest.mark.parametrize(('strength', 'limit'), [(0.0, 1e-5), (0.2, 0.4)])
def test_strength_bounds_the_change_of_a_grey_image(strength, limit):
    """Hue and saturation leave grey alone; brightness and contrast change it by at most 1.2 * 1.2."""
    grey = torch.full((1, 3, 16, 16), 0.0)
    changes = [(augment(grey, seed, jitter_threshold=0.0, blur_threshold=1.0, jitter_strength=strength) - grey)
               for seed in range(40)]
    largest = max(change.abs().max() for change in changes)
    assert largest <= limit and (not strength or largest > 0.15)
    assert all((change.amax(1) - change.amin(1)).max() < 1e-4 for change in changes)  # grey stays grey


@pytest.mark.parametrize(('height', 'width', 'window'), [(512, 512, (51, 51)), (64, 96, (7, 9)), (128, 256, (13, 25))])
def test_blur_window_is_an_odd_tenth(monkeypatch, height, width, window):
    seen = []
    monkeypatch.setattr('mmdass.models.utils.strong_augmentation.gaussian_blur2d',
                        lambda images, kernel, sigma: seen.append(kernel) or images)
    augment(torch.zeros(1, 3, height, width), jitter_threshold=1.0, blur_threshold=0.0)
    assert seen == [window]


def test_blur_by_hand(images):
    blurred = augment(images, jitter_threshold=1.0, blur_threshold=0.0, blur_sigma=(0.7, 0.7))
    taps = torch.arange(-4, 5.0)
    kernel = torch.exp(-taps**2 / (2 * 0.7**2))
    kernel = torch.outer(kernel[1:-1], kernel)  # 7 rows and 9 columns for 64 x 96
    kernel = (kernel / kernel.sum()).expand(3, 1, -1, -1)
    expected = F.conv2d(F.pad(images, (4, 4, 3, 3), mode='reflect'), kernel, groups=3)
    torch.testing.assert_close(blurred, expected, atol=1e-5, rtol=0)


def test_autocast_does_not_coarsen_the_images(images):
    options = dict(jitter_threshold=0.0, blur_threshold=0.0)
    expected = augment(images, **options)
    with torch.autocast('cpu', torch.bfloat16):
        result = augment(images, **options)
    assert torch.equal(result, expected)
