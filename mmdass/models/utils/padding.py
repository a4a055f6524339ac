"""Margins that a data preprocessor has added to images smaller than the batch: nothing may be learned from them."""

from collections.abc import Sequence

import numpy as np
from mmengine.structures import BaseDataElement

from mmdass.structures import PseudoLabel


def check_whole(data_samples: Sequence[BaseDataElement]) -> None:
    """Refuse a batch in which an image was padded, for what learns to make images.

    Raises:
        ValueError: One was; the message names it.
    """
    for sample in data_samples:
        if any(sample.get('padding_size', ())):
            height, width = sample.img_shape[:2]
            raise ValueError(
                f'{sample.get("img_path", "an image")} enters the batch as {width} x {height}, smaller than others, '
                'and its grey margin would be learned: let RandomResize make each image as large as the crop at least '
                '(`scale`, keep_ratio=False), or choose a smaller crop and `size` of the data preprocessor')


def ignore_padding(pseudo: PseudoLabel, data_samples: Sequence[BaseDataElement]) -> None:
    """Take label, weight and confidence from the pixels of pseudo-labels, in place, that are not the images' own."""
    height, width = pseudo.label.shape[1:]
    for index, sample in enumerate(data_samples):
        if any(padding := sample.get('padding_size', ())):
            left, right, top, bottom = padding
            for margin in (np.s_[:top], np.s_[height - bottom:], np.s_[:, :left], np.s_[:, width - right:]):
                pseudo.label[index][margin] = 255
                pseudo.weight[index][margin] = pseudo.confidence[index][margin] = 0
