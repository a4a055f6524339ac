"""What a segmentor predicts from features that are there already; MMSeg's own methods begin with images."""

from collections.abc import Sequence

from mmseg.models.segmentors import CascadeEncoderDecoder, EncoderDecoder
from torch import Tensor


def decode_features(segmentor: EncoderDecoder, features: Sequence[Tensor], metas: Sequence[dict]) -> Tensor:
    """Predict from a backbone's features, as ``encode_decode`` does from images.

    Args:
        segmentor: With one head, or a cascade of them.
        features: Of its backbone, without the neck.
        metas: MMSeg's meta information of each image; ``img_shape`` counts.

    Returns:
        (N, classes, H, W), what the head predicts; see :func:`class_logits`.
    """
    features = segmentor.neck(features) if segmentor.with_neck else features
    if not isinstance(segmentor, CascadeEncoderDecoder):
        return segmentor.decode_head.predict(features, metas, segmentor.test_cfg)
    first, *others, last = segmentor.decode_head
    coarse = first(features)
    for head in others:
        coarse = head(features, coarse)
    return last.predict(features, coarse, metas, segmentor.test_cfg)
