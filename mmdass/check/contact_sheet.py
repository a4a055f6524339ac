"""A picture of samples of every split, labels laid over, with the legend: the eye finds what no rule does."""

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from torch import Tensor

from mmdass.apis.inference_pipeline import as_picture
from mmdass.visualization import DomainVisualizer

from .inspection import Item
from .splits import Split

_CELL = (420, 320)  # width, height
_OPACITY = 0.5
_NAME = 24  # letters of a file name above its picture


def contact_sheet(walked: Sequence[tuple[Split, list[Item]]], columns: int = 4) -> np.ndarray | None:
    """Draw up to ``columns`` samples of each split, evenly spaced over it.

    Returns:
        (H, W, 3) uint8 RGB; None if nothing could be loaded.
    """
    panels: dict[str, Tensor] = {}
    for split, items in walked:
        whole = [index for index, item in enumerate(items) if not item.problems]
        for position in np.linspace(0, len(whole) - 1, min(columns, len(whole)), dtype=int):
            index = whole[position]
            panels[f'{split.name}/{_title(items[index].image, index)}'] = _picture(split, index)
    if not panels:
        return None
    space = next(split for split, items in walked if items).label_space
    return DomainVisualizer(name='contact_sheet').draw_panels(panels, space.classes, space.palette)


def _title(path: str, index: int) -> str:
    return f'{index} {path.rpartition("/")[2].rpartition(".")[0][-_NAME:]}'


def _picture(split: Split, index: int) -> Tensor:
    """(3, H, W) RGB in [-1, 1]: the image with its mapped label laid over, on a grey cell."""
    results = split.dataset.get_data_info(index)
    for load in split.loaders[: 1 if results.get('seg_map_path') is None else None]:
        results = load(results)
    picture = as_picture(results['img'])[..., ::-1].astype(np.float32)
    label = results.get('gt_seg_map')
    if label is not None:
        palette = np.zeros((256, 3), np.float32)
        palette[: len(split.label_space.palette)] = split.label_space.palette
        covered = (label < len(split.label_space.classes))[..., None]
        picture = np.where(covered, (1 - _OPACITY) * picture + _OPACITY * palette[label], picture)
    return torch.from_numpy(_fit(picture) / 127.5 - 1).permute(2, 0, 1)


def _fit(picture: np.ndarray) -> np.ndarray:
    """Scaled into the middle of a cell without changing its proportions."""
    height, width = picture.shape[:2]
    scale = min(_CELL[0] / width, _CELL[1] / height)
    size = max(round(width * scale), 1), max(round(height * scale), 1)
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_NEAREST)
    cell = np.full((_CELL[1], _CELL[0], 3), 235, np.float32)
    top, left = (_CELL[1] - size[1]) // 2, (_CELL[0] - size[0]) // 2
    cell[top:top + size[1], left:left + size[0]] = small
    return cell
