"""Reading label files and mapping their ids to the classes that the model predicts."""

from pathlib import Path

import cv2
import numpy as np
from mmcv.transforms import BaseTransform
from PIL import Image

from mmdass.datasets.label_space import OUTSIDE
from mmdass.registry import TRANSFORMS

from .loading import read_image


def read_label(path: str | Path, channel: int | None = None) -> Image.Image:
    """Decode a label file to one 8-bit channel of ids; palette images give their indices.

    Args:
        path: Label file.
        channel: Which channel of a multi-channel file holds the ids (0 for DELIVER). None refuses such files.

    Raises:
        ValueError: The file has several channels and ``channel`` is None; or see :func:`read_image`.
    """
    label = read_image(path)
    if len(label.getbands()) == 1:
        return label.convert('L').point([0] + 255 * [1]) if label.mode == '1' else label
    if channel is None:
        raise ValueError(
            f'{path} has {len(label.getbands())} channels (mode {label.mode}); labels are one channel of class ids. If '
            'one of the channels holds the ids, set `label_channel` of the data set; if it is a colour picture, use '
            'the id version of the labels.'
        )
    return label.getchannel(channel)


@TRANSFORMS.register_module()
class LoadMappedLabel(BaseTransform):
    """Load a label file as (H, W) uint8 class indices of the model's label space, 255 where there is no class.

    Put it right after the image is loaded: every later transform then treats image and label alike.

    Required keys: seg_map_path, class_lut, label_ids, label_channel (from :class:`ModalityDataset`), seg_fields.
    Added keys: gt_seg_map; and raw_seg_map, the file's ids, for a sample with 'rare_class', whose crops are judged by
    them.

    Raises:
        ValueError: No label is known for the image, the label has an id outside its label space, or another size than
            the image as loaded.
    """

    def transform(self, results: dict) -> dict:
        path = results.get('seg_map_path')
        if path is None:
            raise ValueError(
                f'{results.get("img_path")} has no label, but its pipeline loads one: set `labels` of the data set, or '
                'take LoadMappedLabel out of the pipeline of unlabelled images.'
            )
        raw = np.asarray(read_label(path, results['label_channel']))
        label = cv2.LUT(raw, results['class_lut'])
        outside = label == OUTSIDE
        if outside.any():
            ids = ', '.join(map(str, np.unique(raw[outside])))
            raise ValueError(
                f'{path} holds the ids {ids}, outside its label space ({results["label_ids"]}). Check `raw_labels` of '
                'the data set, or add the ids to its `void_ids` to ignore them.'
            )
        size = results.get('ori_shape', label.shape)
        if label.shape != size:
            raise ValueError(
                f'Image and label differ in size (height x width): {results["img_path"]} is {size[0]} x {size[1]}, '
                f'{path} is {label.shape[0]} x {label.shape[1]}. Crop or resize the files to one size.'
            )
        self._add(results, 'gt_seg_map', label)
        if 'rare_class' in results:
            self._add(results, 'raw_seg_map', raw)
        return results

    @staticmethod
    def _add(results: dict, key: str, seg_map: np.ndarray) -> None:
        results[key] = seg_map
        results['seg_fields'].append(key)


@TRANSFORMS.register_module()
class EvaluateAtCurrentSize(BaseTransform):
    """Make the present size the one at which predictions are made and measured.

    MMSeg resizes logits to the native size of the image. MADM's protocol squashes image *and* label to 512 x 512 and
    measures there: put this after a Resize that follows LoadMappedLabel.
    """

    def transform(self, results: dict) -> dict:
        results['ori_shape'] = results['img'].shape[:2]
        return results
