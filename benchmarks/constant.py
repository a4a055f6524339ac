"""The most likely class at each position: what a segmentor must pass before it can be said to see anything."""

import cv2
import numpy as np
import torch
from mmseg.evaluation import IoUMetric
from torch.utils.data import Dataset


def score_constant(source: Dataset, target: Dataset) -> dict[str, float]:
    """IoU of every class of the target's labels, in percent, and their mean, as MMSeg's metric counts them.

    Args:
        source: Gives `gt_seg_map` (H, W), of one size, from which the class of each position is taken.
        target: Gives `gt_seg_map` of any size, to which that picture of classes is stretched.
    """
    classes = target.metainfo['classes']
    labels = np.stack([source[index]['gt_seg_map'] for index in range(len(source))])
    guess = np.stack([(labels == index).sum(0) for index in range(len(classes))]).argmax(0).astype(np.uint8)
    intersect, union = torch.zeros(2, len(classes), dtype=torch.float64)
    for index in range(len(target)):
        label = target[index]['gt_seg_map']
        found = cv2.resize(guess, label.shape[::-1], interpolation=cv2.INTER_NEAREST)
        areas = IoUMetric.intersect_and_union(torch.from_numpy(found), torch.from_numpy(label), len(classes), 255)
        intersect += areas[0]
        union += areas[1]
    iou = {name: float(100 * intersect[i] / union[i]) for i, name in enumerate(classes) if union[i]}
    return {'mIoU': float(np.mean(list(iou.values()))), **{f'IoU.{name}': value for name, value in iou.items()}}
