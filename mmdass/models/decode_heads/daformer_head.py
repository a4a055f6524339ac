"""DAFormer's context-aware decoder."""

import math
from collections.abc import Sequence

import torch
from mmcv.cnn import ConvModule
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from mmseg.models.decode_heads.sep_aspp_head import DepthwiseSeparableASPPModule
from mmseg.models.utils import resize
from torch import Tensor, nn
from torch.nn import functional as F

from mmdass.registry import MODELS

from ..necks.bottleneck_projection import Bottleneck


class PixelLinear(nn.Module):
    """A linear layer at every pixel: (N, in, H, W) -> (N, out, H, W)."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.proj = nn.Linear(in_channels, out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map each pixel's channels."""
        # Contiguous: in channels-last order batch norm's statistics are less exact on a CPU.
        return self.proj(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2).contiguous()


class SeparableASPP(nn.Module):
    """Parallel depthwise-separable convolutions of several dilations, then a 3x3 bottleneck."""

    def __init__(
        self, in_channels: int, channels: int, dilations: Sequence[int], norm_cfg: dict, act_cfg: dict
    ) -> None:
        super().__init__()
        layers = dict(channels=channels, norm_cfg=norm_cfg, act_cfg=act_cfg)
        self.aspp_modules = DepthwiseSeparableASPPModule(
            dilations=dilations, in_channels=in_channels, conv_cfg=None, **layers
        )
        self.bottleneck = ConvModule(
            len(dilations) * channels, channels, 3, padding=1, norm_cfg=norm_cfg, act_cfg=act_cfg
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) -> (N, channels, H, W)."""
        return self.bottleneck(torch.cat(self.aspp_modules(x), dim=1))


@MODELS.register_module()
class DAFormerHead(BaseDecodeHead):
    """Embeds every level, resizes all to the first level's size, and fuses them by separable atrous convolutions.

    Source: DAFormer (CVPR 2022) section 3.1; MADM uses it at full resolution, its ``daformer_head.py``.

    Args:
        embed_dims: Channels that each level is embedded to.
        dilations: Dilations of the fusion; 1 is a 1x1 convolution.
        final_fuse: Fuse at half the first level's size, which takes a quarter of the memory and work, and enlarge; the
            last layer then sees the first level once more, through a bottleneck. Source: MADM's
            ``final_fuse_vae_decoder_feat``, off in its configs.
        kwargs: Of MMSeg's ``BaseDecodeHead``: ``in_channels``, ``in_index``, ``channels``, ``num_classes``, ...
    """

    def __init__(
        self,
        embed_dims: int = 256,
        dilations: Sequence[int] = (1, 6, 12, 18),
        final_fuse: bool = False,
        **kwargs,
    ) -> None:
        super().__init__(input_transform='multiple_select', **kwargs)
        self.embed_layers = nn.ModuleList(PixelLinear(channels, embed_dims) for channels in self.in_channels)
        self.fuse_layer = SeparableASPP(
            len(self.in_channels) * embed_dims, self.channels, dilations, self.norm_cfg, self.act_cfg
        )
        self.final_fuse = None
        if final_fuse:
            detail = self.channels // 4
            norm_cfg = dict(type='GN', num_groups=math.gcd(32, detail // 2))
            self.final_fuse = Bottleneck(self.in_channels[0], detail, detail // 2, norm_cfg)
            self.conv_seg = nn.Conv2d(self.channels + detail, self.out_channels, 1)

    def forward(self, inputs: Sequence[Tensor]) -> Tensor:
        """Logits (N, num_classes, H, W) at the size of the first level, in float32 whatever the autocast type."""
        inputs = self._transform_inputs(inputs)
        size = inputs[0].shape[2:]
        if self.final_fuse is None:
            return self.cls_seg(self._fuse(inputs, size)).float()
        coarse = self._fuse(inputs, [length // 2 for length in size])
        return self._classify(coarse, self.final_fuse(inputs[0])).float()

    def _classify(self, coarse: Tensor, fine: Tensor) -> Tensor:
        """What ``cls_seg`` makes of the enlarged coarse features beside the fine ones.

        A 1x1 convolution and a dropout of whole channels commute with the enlarging, so that the few logits of the
        coarse features are enlarged, and not their many channels.
        """
        coarse_weight, fine_weight = self.conv_seg.weight.split([coarse.shape[1], fine.shape[1]], dim=1)
        if self.dropout is not None:
            coarse, fine = self.dropout(coarse), self.dropout(fine)
        logits = self._resize(F.conv2d(coarse, coarse_weight), fine.shape[2:])
        return logits + F.conv2d(fine, fine_weight, self.conv_seg.bias)

    def _fuse(self, inputs: Sequence[Tensor], size: Sequence[int]) -> Tensor:
        levels = [embed(level) for embed, level in zip(self.embed_layers, inputs, strict=True)]
        return self.fuse_layer(torch.cat([self._resize(level, size) for level in levels], dim=1))

    def _resize(self, x: Tensor, size: Sequence[int]) -> Tensor:
        if x.shape[2:] == torch.Size(size):  # the largest level: a copy would cost the most
            return x
        return resize(x, size, mode='bilinear', align_corners=self.align_corners)
