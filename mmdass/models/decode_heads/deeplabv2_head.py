"""The classifier of DeepLab v2."""

from collections.abc import Sequence

from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from torch import Tensor, nn

from mmdass.registry import MODELS


class DilatedSum(nn.ModuleList):
    """The sum of 3 x 3 convolutions of one input with different dilations; (N, in, H, W) to (N, out, H, W)."""

    def __init__(self, in_channels: int, out_channels: int, dilations: Sequence[int]) -> None:
        super().__init__(
            nn.Conv2d(in_channels, out_channels, 3, padding=dilation, dilation=dilation) for dilation in dilations)

    def forward(self, x: Tensor) -> Tensor:
        return sum(convolution(x) for convolution in self)


@MODELS.register_module()
class DeepLabV2Head(BaseDecodeHead):
    """Atrous spatial pyramid pooling as in DeepLab v2: parallel dilated convolutions to the classes, summed.

    MMSeg's ``ASPPHead`` is that of version 3: it pools the image, and concatenates features before it classifies. The
    older domain-adaptation literature trains this one (AdaptSegNet, ADVENT).

    Args:
        in_channels: Channels of the feature map.
        dilations: Dilation of each convolution.
        **kwargs: Arguments of MMSeg's ``BaseDecodeHead``.
    """

    def __init__(self, in_channels: int, dilations: Sequence[int] = (6, 12, 18, 24), **kwargs) -> None:
        super().__init__(in_channels=in_channels, channels=in_channels, **kwargs)
        self.conv_seg = DilatedSum(in_channels, self.out_channels, dilations)

    def forward(self, inputs: list[Tensor]) -> Tensor:
        """Feature maps of the backbone to logits (N, classes, H, W) at the size of the one at ``in_index``."""
        return self.cls_seg(self._transform_inputs(inputs))
