"""Per-pixel loss weights for stock MMSeg heads."""

from collections.abc import Iterator
from contextlib import contextmanager

from mmseg.models.segmentors import BaseSegmentor
from torch import Tensor, nn


class _FixedSampler:
    """A pixel sampler, in MMSeg's sense, that always answers with the same weights."""

    def __init__(self, weight: Tensor) -> None:
        self.weight = weight

    def sample(self, seg_logit: Tensor, seg_label: Tensor) -> Tensor:
        return self.weight


@contextmanager
def pixel_weights(segmentor: BaseSegmentor, weight: Tensor) -> Iterator[None]:
    """Multiply the losses of a segmentor's heads by ``weight`` (N, H, W) inside a block.

    MMSeg's ``BaseDecodeHead`` asks its ``sampler`` for such weights.
    """
    heads = [segmentor.decode_head]
    if segmentor.with_auxiliary_head:
        auxiliary = segmentor.auxiliary_head
        heads += list(auxiliary) if isinstance(auxiliary, nn.ModuleList) else [auxiliary]
    samplers = [head.sampler for head in heads]
    for head in heads:
        head.sampler = _FixedSampler(weight)
    try:
        yield
    finally:
        for head, sampler in zip(heads, samplers, strict=True):
            head.sampler = sampler
