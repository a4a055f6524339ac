"""A frozen segmentor that says how well an image fits a label."""

import copy

from mmengine.model import is_model_wrapper
from mmseg.models.segmentors import BaseSegmentor
from torch import Tensor, nn

from ..segmentors.uda_segmentor import UDASegmentor
from ..utils.class_logits import class_logits


class Guide(nn.Module):
    """Logits of any MMSeg segmentor, differentiable with respect to the images.

    It is a copy in evaluation mode without parameter gradients, so that training goes on undisturbed. Of a
    domain-adaptation model it is the segmentor that predicts, with the target's preprocessing.

    Args:
        segmentor: One that has a logit a class.

    Raises:
        ValueError: It has another number of logits.
    """

    def __init__(self, segmentor: BaseSegmentor) -> None:
        super().__init__()
        segmentor = segmentor.module if is_model_wrapper(segmentor) else segmentor
        preprocessor = segmentor.data_preprocessor
        if hasattr(preprocessor, 'domains'):
            preprocessor = preprocessor.domains['target']
        if isinstance(segmentor, UDASegmentor):
            segmentor = segmentor.predictor
        if segmentor.out_channels != segmentor.num_classes:
            raise ValueError(
                f'the guide has {segmentor.out_channels} logits for {segmentor.num_classes} classes; guidance needs '
                'one a class: set `out_channels` of its decode_head to `num_classes` and train it so')
        self.segmentor = copy.deepcopy(segmentor).eval().requires_grad_(False)
        self.preprocessor = copy.deepcopy(preprocessor)

    @property
    def num_classes(self) -> int:
        """How many classes it knows."""
        return self.segmentor.num_classes

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, classes, H, W), of the images' type, of images (N, 3, H, W), RGB in [-1, 1]."""
        size = images.shape[2:]
        metas = [dict(img_shape=size, ori_shape=size, pad_shape=size)] * len(images)
        predicted = self.segmentor.encode_decode(self._normalize(images), metas)
        return class_logits(self.segmentor.decode_head, predicted).to(images.dtype)

    def _normalize(self, images: Tensor) -> Tensor:
        """What the segmentor's own preprocessor makes of an image file; that one takes lists of BGR pixels."""
        pixels = (images + 1) * 127.5
        own = vars(self.preprocessor)
        if not own.get('_channel_conversion', own.get('channel_conversion')):  # which would turn a file's BGR into RGB
            pixels = pixels.flip(1)
        if own.get('_enable_normalize'):
            pixels = (pixels - self.preprocessor.mean) / self.preprocessor.std
        return pixels
