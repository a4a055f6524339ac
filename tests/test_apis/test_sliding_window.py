"""Windows: all pixels once, no seams, and bands that are the whole."""

import pytest
import torch
from torch.nn import functional as F

from mmdass.apis.sliding_window import logit_bands, resized_bands


def whole(*arguments) -> torch.Tensor:
    return torch.cat(list(logit_bands(*arguments)), 2)


def pointwise(images):
    """A network that sees single pixels, so that windows cannot change what it says."""
    return torch.cat([images, images.square()], 1)


@pytest.mark.parametrize('size', [(40, 56), (33, 17), (16, 64), (7, 70)])
@pytest.mark.parametrize(('window', 'overlap'), [((16, 16), 4), ((16, 24), 0), ((16, 16), 11), ((64, 16), 5)])
def test_windows_of_a_pointwise_network_are_the_whole(size, window, overlap):
    images = torch.randn(2, 3, *size)
    bands = list(logit_bands(pointwise, images, window, overlap))
    assert len(bands) >= size[0] // window[0]
    torch.testing.assert_close(torch.cat(bands, 2), pointwise(images))


def test_a_window_that_covers_the_image_is_whole_inference_to_the_bit():
    images, network = torch.randn(1, 3, 24, 40), torch.nn.Conv2d(3, 5, 7, padding='same')
    for window in (None, (24, 40), (100, 100)):
        assert torch.equal(whole(network, images, window, 8), network(images))


def test_windows_lie_as_those_of_mmseg():
    seen = []

    def predict(images):
        seen.append((int(images[0, 0, 0, 0]), int(images[0, 1, 0, 0])))
        return images

    y, x = torch.meshgrid(torch.arange(50.0), torch.arange(30.0), indexing='ij')
    whole(predict, torch.stack([y, x, x])[None], (20, 16), 4)
    # mmseg: y1 = i * stride, moved back where the window would leave the image
    assert seen == [(y, x) for y in (0, 16, 30) for x in (0, 12, 14)]


def test_windows_that_disagree_leave_no_seam():
    """Each window answers with a constant of its own: the worst that can happen."""
    answers = iter([0.0, 1.0, 0.0, 1.0, 0.0])

    def predict(images):
        return torch.full_like(images[:, :1], next(answers))

    blended = whole(predict, torch.zeros(1, 3, 32, 104), (32, 32), 14)
    steps = blended[0, 0].diff(dim=1).abs()
    assert blended.max() > 0.95
    assert steps.max() < 2 / 14


def test_memory_is_that_of_a_strip_of_windows():
    largest = 0
    for band in logit_bands(lambda images: images.repeat(1, 2, 1, 1), torch.zeros(1, 3, 512, 32), (32, 32), 8):
        largest = max(largest, band.untyped_storage().nbytes())
    assert largest <= 4 * 6 * 32 * 32


@pytest.mark.parametrize('align_corners', [False, True])
@pytest.mark.parametrize('size', [(37, 51), (9, 5), (17, 11), (1, 3), (600, 2)])
def test_resized_bands_are_interpolation(align_corners, size):
    logits = torch.randn(2, 3, 17, 11)
    expected = F.interpolate(logits, size, mode='bilinear', align_corners=align_corners)
    found = torch.cat(list(resized_bands(logits, size, align_corners, rows=16)), 2)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
