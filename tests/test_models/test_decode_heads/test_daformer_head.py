import pytest
import torch
from mmseg.structures import SegDataSample
from tiny_madm import sample

from mmdass.models import DAFormerHead

CHANNELS = [4, 6, 8, 8]


def build(**options) -> DAFormerHead:
    torch.manual_seed(0)
    defaults = dict(in_channels=CHANNELS, in_index=[0, 1, 2, 3], channels=8, embed_dims=5, num_classes=3)
    return DAFormerHead(**defaults | dict(norm_cfg=dict(type='BN'), dropout_ratio=0, align_corners=False) | options)


@pytest.fixture
def levels() -> list[torch.Tensor]:
    torch.manual_seed(1)
    return [torch.randn(2, channels, 32 >> i, 64 >> i) for i, channels in enumerate(CHANNELS)]


def test_logits_have_the_first_level_s_size(levels):
    assert build()(levels).shape == (2, 3, 32, 64)
    assert build(in_channels=CHANNELS[2:], in_index=[2, 3])(levels).shape == (2, 3, 8, 16)


def test_each_level_is_embedded_at_every_pixel_and_enlarged(levels):
    """Independent of the classes that do it: which input reaches the fusion, and in which order."""
    head, fused = build(), []
    head.fuse_layer.register_forward_pre_hook(lambda module, args: fused.append(args[0]))
    head(levels)
    for i, level in enumerate(levels):
        projection = head.embed_layers[i].proj
        embedded = torch.nn.functional.conv2d(level, projection.weight[:, :, None, None], projection.bias)
        expected = torch.nn.functional.interpolate(embedded, (32, 64), mode='bilinear', align_corners=False)
        torch.testing.assert_close(fused[0][:, 5 * i: 5 * i + 5], expected)
    assert fused[0].is_contiguous()


def test_dilations_reach_as_far_as_they_say():
    head = build(in_channels=[4], in_index=[0], dilations=(1, 6), act_cfg=dict(type='LeakyReLU')).eval()
    x = torch.randn(1, 4, 32, 32, requires_grad=True)
    head.fuse_layer.aspp_modules[1](head.embed_layers[0](x))[0, :, 16, 16].sum().backward()
    rows = x.grad.abs().sum((0, 1, 3)).nonzero().flatten().tolist()
    assert rows == [10, 16, 22]


def test_trains_and_predicts_as_any_head_of_mmseg(levels):
    head = build(dropout_ratio=0.1)
    samples = [sample('', torch.randint(0, 3, (1, 32, 64))) for _ in range(2)]
    losses = head.loss(levels, samples, None)
    losses['loss_ce'].backward()
    assert all(p.grad is not None for p in head.parameters())
    metas = [SegDataSample(metainfo=dict(img_shape=(16, 16))).metainfo] * 2
    assert head.eval().predict(levels, metas, None).shape == (2, 3, 16, 16)


def test_logits_are_float32_under_autocast(levels):
    with torch.autocast('cpu', torch.bfloat16):
        assert build()(levels).dtype == torch.float32


def test_final_fusion_works_at_half_size_and_sees_the_first_level_again(levels):
    head, fused = build(final_fuse=True), []
    head.fuse_layer.register_forward_hook(lambda module, args, output: fused.extend([args[0], output]))
    logits = head(levels)
    projection = head.embed_layers[0].proj
    embedded = torch.nn.functional.conv2d(levels[0], projection.weight[:, :, None, None], projection.bias)
    halved = torch.nn.functional.interpolate(embedded, (16, 32), mode='bilinear', align_corners=False)
    torch.testing.assert_close(fused[0][:, :5], halved)
    enlarged = torch.nn.functional.interpolate(fused[1], (32, 64), mode='bilinear', align_corners=False)
    classified = torch.cat([enlarged, head.final_fuse(levels[0])], dim=1)
    assert classified.shape[1] == 8 + 2  # channels, and a quarter of them
    torch.testing.assert_close(logits, head.conv_seg(classified))


def test_final_fusion_drops_channels_in_training_alone(levels):
    head = build(final_fuse=True, dropout_ratio=0.5)
    assert not head(levels).equal(head(levels))
    assert head.eval()(levels).equal(head(levels))
