"""VGG-16 as DeepLab v2 uses it."""

from mmcv.cnn import VGG
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmdass.registry import MODELS

_POOL_4 = 23
"""Position of the fourth pooling among VGG-16's ``features``."""


@MODELS.register_module()
class DilatedVGG16(BaseModule):
    """VGG-16 at an eighth of the image's size: no fourth and fifth pooling, the fifth block and two more dilated.

    ``features`` has the names of torchvision's VGG-16, so that its ImageNet weights can be loaded:
    ``init_cfg=dict(type='Pretrained', checkpoint=FILE)``. Without, MMCV's initialisation.

    Args:
        channels: Channels of the two convolutions that stand for VGG's first two fully connected layers.
        init_cfg: MMEngine's initialisation config.
    """

    def __init__(self, channels: int = 1024, init_cfg: dict | None = None) -> None:
        super().__init__(init_cfg)
        vgg = VGG(16, dilations=(1, 1, 1, 1, 2), with_last_pool=False)
        vgg.init_weights()
        self.features = vgg.features
        self.features[_POOL_4] = nn.Identity()
        self.context = nn.Sequential(
            nn.Conv2d(512, channels, 3, padding=4, dilation=4), nn.ReLU(inplace=True),
            nn.Conv2d(channels, channels, 3, padding=4, dilation=4), nn.ReLU(inplace=True))

    def forward(self, x: Tensor) -> tuple[Tensor]:
        """Images (N, 3, H, W) to one feature map (N, channels, H / 8, W / 8), rounded down, in a tuple."""
        return (self.context(self.features(x)),)
