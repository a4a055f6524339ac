"""What the parts of a label are that guidance looks at one by one."""

from dataclasses import dataclass

import torch
from torch import Tensor

VOID = 255


@dataclass
class LabelRegions:
    """R regions in the labels of N images of H x W pixels.

    Attributes:
        images: (R,) int64, ascending, which image each is in.
        masks: (R, H, W) bool, its labelled pixels; never void ones.
        index: (N, H, W) int64, the region that a pixel belongs to; R for none.
        rows: For each image, which of the R regions it has.
    """

    images: Tensor
    masks: Tensor
    index: Tensor
    rows: list[list[int]]

    @classmethod
    def of_classes(cls, label: Tensor) -> 'LabelRegions':
        """A region for each class in each image; void pixels belong to none.

        Args:
            label: (N, H, W) int64 in [0, 255], 255 is void.
        """
        void = len(label) * 256
        codes = label + 256 * torch.arange(len(label), device=label.device)[:, None, None]
        present, index = torch.where(label == VOID, void, codes).unique(return_inverse=True)
        images = present[present < void] // 256
        numbers = torch.arange(len(images), device=label.device)
        return cls(images, index[images] == numbers[:, None, None], index, _rows(images, len(label)))

    @classmethod
    def of_scenes(cls, label: Tensor) -> 'LabelRegions':
        """One region for each image that has a label at all, to which all of its pixels belong.

        Args:
            label: (N, H, W) int64 in [0, 255], 255 is void.
        """
        labelled = label != VOID
        images = labelled.flatten(1).any(1).nonzero()[:, 0]
        index = torch.full((len(label),), len(images), device=label.device)
        index[images] = torch.arange(len(images), device=label.device)
        return cls(images, labelled[images], index[:, None, None].expand_as(label), _rows(images, len(label)))


def _rows(images: Tensor, num_images: int) -> list[list[int]]:
    rows: list[list[int]] = [[] for _ in range(num_images)]
    for row, image in enumerate(images.tolist()):
        rows[image].append(row)
    return rows
