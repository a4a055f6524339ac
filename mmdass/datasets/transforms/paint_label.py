"""Pictures of labels, for whoever must learn what they look like."""

import numpy as np
from mmcv.transforms import BaseTransform

from mmdass.datasets.label_space import LabelSpace
from mmdass.registry import TRANSFORMS


@TRANSFORMS.register_module()
class PaintLabel(BaseTransform):
    """Sometimes replace the image by its label painted in the class colours; ignored pixels are black, as in LPLR.

    Required and changed keys: img (H, W, 3) uint8 BGR, gt_seg_map.

    Args:
        label_space: The classes and their colours.
        prob: How often.

    Raises:
        TypeError: The data set has no labels.
    """

    def __init__(self, label_space: str | dict, prob: float = 1.0) -> None:
        palette = LabelSpace.get(label_space).palette
        self.colours = np.zeros((256, 3), np.uint8)
        self.colours[: len(palette)] = np.array(palette, np.uint8)[:, ::-1]
        self.prob = prob

    def transform(self, results: dict) -> dict:
        if 'gt_seg_map' not in results:
            raise TypeError(
                f'PaintLabel: {results.get("img_path", "an image")} has no label. Leave PaintLabel out of the pipeline '
                'of an unlabelled data set; before it, a labelled one needs LoadMappedLabel.')
        if np.random.random() < self.prob:  # keyed by KeyedDataset
            results['img'] = self.colours[results['gt_seg_map']]
        return results
