"""Colour jitter and blur of mixed images, by kornia."""

import math

import torch
from kornia import enhance
from kornia.filters import gaussian_blur2d
from mmengine.model import BaseModule
from torch import Tensor

from mmdass.registry import MODELS

_OPERATIONS = (
    enhance.adjust_brightness_accumulative,
    enhance.adjust_contrast_with_mean_subtraction,
    enhance.adjust_saturation_with_gray_subtraction,
    enhance.adjust_hue,
)


@MODELS.register_module()
class StrongAugmentation(BaseModule):
    """Jitter colours and blur, as DAFormer's and MADM's ``dacs_transforms.py``; a grey modality is jittered like RGB.

    Whether to jitter and to blur is drawn once for the batch, by how much for each image.

    Args:
        jitter_threshold: Jitter if a draw from U(0, 1) exceeds it: the released 0.2 means a probability of 0.8.
        jitter_strength: Brightness, contrast and saturation factors are drawn from 1 -+ this, the hue shift from -+
            this times 2 pi.
        blur_threshold: Blur if a draw from U(0, 1) exceeds it.
        blur_sigma: Range of the blur's standard deviation in pixels.
        init_cfg: MMEngine's initialisation config.
    """

    def __init__(
        self,
        jitter_threshold: float = 0.2,
        jitter_strength: float = 0.2,
        blur_threshold: float = 0.5,
        blur_sigma: tuple[float, float] = (0.15, 1.15),
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.jitter_threshold, self.jitter_strength = jitter_threshold, jitter_strength
        self.blur_threshold, self.blur_sigma = blur_threshold, blur_sigma

    def forward(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Augment images (N, 3, H, W), RGB in [-1, 1]; draws come from a CPU generator."""
        jitter, blur = torch.rand(2, generator=generator).tolist()
        images = (images.float() + 1) / 2
        with torch.autocast(images.device.type, enabled=False):  # bf16 is coarser than an image's 8 bits
            if jitter > self.jitter_threshold:
                images = self._jitter(images, generator)
            if blur > self.blur_threshold:
                images = self._blur(images, generator)
        return images.clamp(0, 1) * 2 - 1

    def _jitter(self, images: Tensor, generator: torch.Generator) -> Tensor:
        strength = (torch.rand(4, len(images), generator=generator) * 2 - 1) * self.jitter_strength
        factors = torch.cat([strength[:3] + 1, strength[3:] * 2 * math.pi]).to(images.device, non_blocking=True)
        jittered = []
        for index in range(len(images)):
            image = images[index : index + 1]
            for operation in torch.randperm(4, generator=generator).tolist():
                image = _OPERATIONS[operation](image, factors[operation, index : index + 1])
            jittered.append(image)
        return torch.cat(jittered)

    def _blur(self, images: Tensor, generator: torch.Generator) -> Tensor:
        low, high = self.blur_sigma
        sigma = low + (high - low) * torch.rand(len(images), 1, generator=generator)
        kernel = tuple(_blur_size(size) for size in images.shape[-2:])
        return gaussian_blur2d(images, kernel, sigma.expand(-1, 2))


def _blur_size(size: int) -> int:
    """DAFormer's rule: an odd tenth of the image, 51 at 512. The taps beyond a few sigma weigh nothing."""
    tenth = math.ceil(0.1 * size)
    return math.floor(tenth - 0.5 + tenth % 2)
