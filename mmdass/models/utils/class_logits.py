"""Logits for every head, also for one that gives none."""

from mmseg.models.decode_heads import Mask2FormerHead, MaskFormerHead, SideAdapterCLIPHead
from torch import Tensor, nn

MASK_CLASSIFIERS = (MaskFormerHead, Mask2FormerHead, SideAdapterCLIPHead)


def class_logits(head: nn.Module, predicted: Tensor) -> Tensor:
    """Logits (N, classes, H, W), whose softmax is each class's probability, from what ``head`` predicts.

    Mask classifiers predict scores instead: the sum over their queries of class probability times mask, in which a
    softmax would never be sure of anything. Their logarithms are logits: the softmax of those divides the scores by
    their sum.
    """
    return predicted.clamp(min=1e-6).log() if isinstance(head, MASK_CLASSIFIERS) else predicted
