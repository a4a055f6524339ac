"""Networks whose features tell sets of images apart. None is ever downloaded."""

from pathlib import Path

import torch
from mmseg.models.segmentors import BaseSegmentor
from torch import Tensor, nn
from torch.nn import functional as F


class RandomFeatures(nn.Module):
    """Mean and spread of the responses of random filters at four scales: colour, contrast, texture and sharpness.

    The same weights each time. It knows nothing of what images mean, but ranks distortions well (tested), needs no file
    and was trained on neither domain. Values compare with those of this network alone.

    Args:
        channels: Filters a scale.
        scales: Number of scales, each at half the size of the one before.
    """

    def __init__(self, channels: int = 32, scales: int = 4) -> None:
        super().__init__()
        self.scales = scales
        generator = torch.Generator().manual_seed(0)
        self.filters = nn.Parameter(torch.randn(channels, 3, 5, 5, generator=generator) / 75**0.5, requires_grad=False)
        # Edges are a small part of an image's energy; filters without a mean are all that see them.
        self.edges = nn.Parameter(self.filters - self.filters.mean((2, 3), keepdim=True), requires_grad=False)

    def forward(self, images: Tensor) -> Tensor:
        """Images (N, 3, H, W), uint8 RGB, sides of 32 pixels or more, to features (N, D)."""
        x = images.float() / 127.5 - 1
        features = []
        for scale in range(self.scales):
            x = x if scale == 0 else F.avg_pool2d(x, 2)
            padded = F.pad(x, (2, 2, 2, 2), mode='reflect')
            for filters, gain in ((self.filters, 1), (self.edges, 4)):
                response = F.relu(gain * F.conv2d(padded, filters)).flatten(2)
                features += [response.mean(2), response.std(2)]
        return torch.cat(features, dim=1)


class SegmentorFeatures(nn.Module):
    """Means over space of every level of a segmentor's backbone.

    Args:
        segmentor: Any MMSeg segmentor, one that did not guide what is measured.
    """

    def __init__(self, segmentor: BaseSegmentor) -> None:
        super().__init__()
        self.segmentor = segmentor

    def forward(self, images: Tensor) -> Tensor:
        """Images (N, 3, H, W), uint8 RGB, to features (N, D)."""
        inputs = self.segmentor.data_preprocessor(dict(inputs=list(images.flip(1))), False)['inputs']
        return torch.cat([level.mean((2, 3)) for level in self.segmentor.extract_feat(inputs)], dim=1)


class InceptionFeatures(nn.Module):
    """The 2048 features of the customary FID and KID, from a file that you have.

    Args:
        path: The TorchScript file ``inception-2015-12-05.pt`` (StyleGAN's, also clean-fid's), whose network takes
            images of any size in [0, 255] and ``return_features=True``. A state dict alone will not do: its network
            is in packages that need torchvision.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no TorchScript.
    """

    def __init__(self, path: str | Path) -> None:
        super().__init__()
        if not Path(path).is_file():
            raise FileNotFoundError(f'There are no Inception weights {path}.')
        try:
            self.network = torch.jit.load(str(path), map_location='cpu')
        except RuntimeError as error:
            raise ValueError(f'{path} is no TorchScript file; take inception-2015-12-05.pt.') from error

    def forward(self, images: Tensor) -> Tensor:
        """Images (N, 3, H, W), uint8 RGB, to features (N, 2048)."""
        return self.network(images, return_features=True)
