"""Feature projections: one residual bottleneck per level."""

from collections.abc import Sequence

from mmcv.cnn import ConvModule
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn import functional as F

from mmdass.registry import MODELS


class Bottleneck(BaseModule):
    """1x1, 3x3 and 1x1 convolutions beside a 1x1 shortcut, all normalised: (N, in, H, W) -> (N, out, H, W)."""

    def __init__(self, in_channels: int, out_channels: int, channels: int, norm_cfg: dict) -> None:
        super().__init__()
        norm = dict(bias=False, norm_cfg=norm_cfg)
        self.conv1 = ConvModule(in_channels, channels, 1, **norm)
        self.conv2 = ConvModule(channels, channels, 3, padding=1, **norm)
        self.conv3 = ConvModule(channels, out_channels, 1, act_cfg=None, **norm)
        self.shortcut = ConvModule(in_channels, out_channels, 1, act_cfg=None, **norm)

    def forward(self, x: Tensor) -> Tensor:
        """Project one level."""
        return F.relu(self.conv3(self.conv2(self.conv1(x))) + self.shortcut(x))


@MODELS.register_module()
class BottleneckProjection(BaseModule):
    """Projects each level of a pyramid by a residual bottleneck of its own.

    Source: MADM's ``feature_extractor.py`` (there Detectron2's bottleneck block with group norm).

    Args:
        in_channels: Channels of each level.
        out_channels: Channels of each projected level.
        channels: Width of the bottlenecks.
        norm_cfg: Normalisation.
        init_cfg: MMEngine's initialisation config.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        out_channels: Sequence[int],
        channels: int = 128,
        norm_cfg: dict = dict(type='GN', num_groups=32, requires_grad=True),
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.projections = nn.ModuleList(
            Bottleneck(n_in, n_out, channels, norm_cfg) for n_in, n_out in zip(in_channels, out_channels, strict=True)
        )

    def forward(self, features: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Project the levels, each (N, in_channels[i], H_i, W_i), to (N, out_channels[i], H_i, W_i)."""
        return tuple(project(feature) for project, feature in zip(self.projections, features, strict=True))
