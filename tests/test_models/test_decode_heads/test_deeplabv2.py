"""DeepLab v2: its head on any feature map, its VGG at an eighth of the image's size."""

import pytest
import torch
from mmcv.cnn import VGG
from torch.nn import functional as F

from mmdass.models import DeepLabV2Head, DilatedVGG16


@pytest.fixture(scope='module')
def head():
    head = DeepLabV2Head(in_channels=3, in_index=1, num_classes=5, dropout_ratio=0.0, dilations=(1, 6))
    head.init_weights()
    return head.eval()


def test_head_sums_dilated_convolutions(head):
    features = torch.randn(2, 3, 8, 16)
    expected = sum(
        F.conv2d(features, convolution.weight, convolution.bias, padding=dilation, dilation=dilation)
        for convolution, dilation in zip(head.conv_seg, (1, 6), strict=True))
    assert head([torch.zeros(1), features]).shape == (2, 5, 8, 16)
    torch.testing.assert_close(head([torch.zeros(1), features]), expected)


def test_head_has_no_other_weights_and_starts_small(head):
    assert {name.split('.')[0] for name, _ in head.named_parameters()} == {'conv_seg'}
    for convolution in head.conv_seg:
        assert 0.005 < convolution.weight.std() < 0.02 and not convolution.bias.any()


def test_vgg_keeps_an_eighth_and_takes_imagenet_weights(tmp_path):
    source = VGG(16)
    torch.save(source.state_dict(), tmp_path / 'vgg.pth')
    backbone = DilatedVGG16(channels=4, init_cfg=dict(type='Pretrained', checkpoint=str(tmp_path / 'vgg.pth')))
    backbone.init_weights()
    (features,) = backbone(torch.zeros(1, 3, 65, 96))
    assert features.shape == (1, 4, 8, 12)
    loaded = backbone.features.state_dict()
    assert loaded.keys() == source.features.state_dict().keys()
    assert all(loaded[name].equal(value) for name, value in source.features.state_dict().items())
    assert [backbone.features[index].dilation for index in (21, 24, 26, 28)] == [(1, 1), (2, 2), (2, 2), (2, 2)]
