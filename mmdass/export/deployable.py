"""A trained segmentor with everything around it that a deployed file needs: pictures in, labels out."""

import torch
from mmseg.models import SegDataPreProcessor
from mmseg.models.segmentors import BaseSegmentor
from torch import Tensor, nn

from mmdass.models.utils.class_logits import class_logits


class DeployableSegmentor(nn.Module):
    """Segments pictures as they come out of a decoder.

    Channel order and normalisation are inside. Resizing and padding are not: give pictures of the size that the model
    was tested at. Pictures are seen whole, also by models that are tested with a sliding window.

    Args:
        segmentor: Any, ours or MMSeg's; of a domain-adaptation model the role that predicts.

    Attributes:
        divisor: What divides the sides of pictures, as the test preprocessing pads to.

    Raises:
        ValueError: It has a single output channel, or is not preprocessed as MMSeg's segmentors are.
    """

    def __init__(self, segmentor: BaseSegmentor) -> None:
        super().__init__()
        self.segmentor = getattr(segmentor, 'predictor', segmentor)
        if self.segmentor.out_channels == 1:
            raise ValueError('models with a single output channel are not exported; train with out_channels=2')
        preprocessor = image_preprocessor(segmentor)
        # The classic family's name of it, or the onedl family's.
        name = 'channel_conversion' if hasattr(preprocessor, 'channel_conversion') else '_channel_conversion'
        self.reads_rgb = getattr(preprocessor, name)
        normalised = preprocessor._enable_normalize
        self.register_buffer('mean', preprocessor.mean if normalised else torch.zeros(3, 1, 1))
        self.register_buffer('std', preprocessor.std if normalised else torch.ones(3, 1, 1))
        self.divisor = (preprocessor.test_cfg or {}).get('size_divisor') or 1
        self.eval().requires_grad_(False)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Segment pictures (N, H, W, 3), uint8, RGB; ``divisor`` divides H and W.

        Returns:
            Class indices (N, H, W), uint8, and their softmax probability (N, H, W), float32 in [0, 1].
        """
        pixels = images.permute(0, 3, 1, 2).float()
        pixels = (pixels if self.reads_rgb else pixels.flip(1)).sub(self.mean).div(self.std)
        size = images.shape[1:3]
        # Heads ask the first image alone for its size.
        predicted = self.segmentor.encode_decode(pixels, [dict(img_shape=size, ori_shape=size)])
        logits = class_logits(self.segmentor.decode_head, predicted)
        confidence, labels = logits.float().softmax(dim=1).max(dim=1)
        return labels.to(torch.uint8), confidence


def image_preprocessor(segmentor: BaseSegmentor) -> SegDataPreProcessor:
    """What normalises test images; of two domains, the target's."""
    preprocessor = segmentor.data_preprocessor
    preprocessor = preprocessor.domains['target'] if hasattr(preprocessor, 'domains') else preprocessor
    if not isinstance(preprocessor, SegDataPreProcessor):
        raise ValueError(f'preprocessing by {type(preprocessor).__name__} is not exported, but that of '
                         'SegDataPreProcessor is')
    return preprocessor
