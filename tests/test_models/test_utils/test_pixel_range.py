import torch
from mmseg.models import SegDataPreProcessor
from torch import nn

from mmdass.models.utils.pixel_range import from_pictures, to_pictures

IMAGENET = dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375])


def test_black_and_white_of_imagenets_statistics():
    preprocess = SegDataPreProcessor(**IMAGENET, bgr_to_rgb=True, size=(8, 8))
    image = torch.zeros(3, 8, 8, dtype=torch.uint8)
    image[:, :, 4:] = 255
    normalised = preprocess(dict(inputs=[image], data_samples=None))['inputs']
    pictures = to_pictures(normalised, preprocess)
    torch.testing.assert_close(pictures[0], image / 127.5 - 1)
    torch.testing.assert_close(from_pictures(pictures, preprocess), normalised)


def test_pixels_that_are_not_normalised():
    preprocess = SegDataPreProcessor(size=(8, 8))
    assert to_pictures(torch.tensor([0.0, 255.0]), preprocess).tolist() == [-1, 1]


def test_pictures_stay_as_they_are_bit_for_bit():
    images = torch.randn(2, 3, 4, 4)
    halves = SegDataPreProcessor(mean=[127.5] * 3, std=[127.5] * 3, size=(4, 4))
    for preprocess in (halves, nn.Identity()):
        assert torch.equal(to_pictures(images, preprocess), images)
        assert torch.equal(from_pictures(images, preprocess), images)
