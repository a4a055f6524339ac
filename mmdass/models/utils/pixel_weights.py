"""Per-pixel loss weights for stock MMSeg heads."""

from collections.abc import Iterator
from contextlib import contextmanager

from mmseg.models.decode_heads import DAHead, EncHead, STDCHead
from mmseg.models.decode_heads.cascade_decode_head import BaseCascadeDecodeHead
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from mmseg.models.losses import CrossEntropyLoss
from mmseg.models.segmentors import BaseSegmentor
from torch import Tensor, nn

# All that ask the sampler, and leave the loss of pixels to `loss_decode`.
_LOSSES = {BaseDecodeHead.loss, BaseCascadeDecodeHead.loss}
_LOSSES_BY_FEAT = {head.loss_by_feat for head in (BaseDecodeHead, DAHead, EncHead, STDCHead)}


class _WeightingSampler:
    """A pixel sampler, in MMSeg's sense, that answers with given weights, times those of the head's own sampler."""

    def __init__(self, weight: Tensor, own: object | None) -> None:
        self.weight, self.own = weight, own

    def sample(self, seg_logit: Tensor, seg_label: Tensor) -> Tensor:
        return self.weight if self.own is None else self.weight * self.own.sample(seg_logit, seg_label)


@contextmanager
def pixel_weights(segmentor: BaseSegmentor, weight: Tensor) -> Iterator[None]:
    """Multiply the losses of a segmentor's heads by ``weight`` (N, H, W) inside a block.

    MMSeg's ``BaseDecodeHead`` asks its ``sampler`` for such weights. A sampler of the head's own (OHEM) still chooses
    among the pixels.
    """
    heads = segmentor_heads(segmentor)
    samplers = [head.sampler for head in heads]
    for head, own in zip(heads, samplers, strict=True):
        head.sampler = _WeightingSampler(weight, own)
    try:
        yield
    finally:
        for head, sampler in zip(heads, samplers, strict=True):
            head.sampler = sampler


def heads_without_weights(segmentor: BaseSegmentor) -> list[str]:
    """The heads, by class name, that cannot weigh pixels, and why.

    They have a loss of their own (PIDNet, DDRNet, PointRend, K-Net, SAN, Mask2Former), or one in ``loss_decode`` that
    takes no weight for each pixel (Dice, Lovasz).
    """
    return list(dict.fromkeys(
        f'{type(head).__name__} ({reason})' for head in segmentor_heads(segmentor) if (reason := _why_not(head))))


def segmentor_heads(segmentor: BaseSegmentor) -> list[nn.Module]:
    """All heads of a segmentor, of cascades and auxiliary ones too."""
    heads = []
    for part in (segmentor.decode_head, segmentor.auxiliary_head if segmentor.with_auxiliary_head else []):
        heads += [part] if not isinstance(part, (nn.ModuleList, list)) else part
    return heads


def _why_not(head: nn.Module) -> str:
    kind = type(head)
    if getattr(kind, 'loss', None) not in _LOSSES or getattr(kind, 'loss_by_feat', None) not in _LOSSES_BY_FEAT:
        return 'a loss of its own'
    if getattr(head, 'use_se_loss', False):
        return 'a loss of the classes in sight'
    losses = head.loss_decode if isinstance(head.loss_decode, nn.ModuleList) else [head.loss_decode]
    return ', '.join(type(loss).__name__ for loss in losses if not isinstance(loss, CrossEntropyLoss))
