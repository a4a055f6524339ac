"""Small fixtures in the published on-disk layouts, written by the tests."""

from pathlib import Path

import numpy as np
from PIL import Image


def write_png(path: Path, array: np.ndarray, **kwargs) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path, **kwargs)
    return path


def noise(*shape: int, high: int = 256, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, high, shape, dtype=np.uint8)


def cityscapes(root: Path, items: int = 4, size: tuple[int, int] = (64, 128)) -> Path:
    """leftImg8bit and gtFine with trainIds, two cities."""
    for index in range(items):
        city = ('aachen', 'zurich')[index % 2]
        name = f'{city}_{index:06d}_000019'
        label = noise(*size, high=19, seed=index)
        label[:4] = 255
        write_png(root / f'leftImg8bit/train/{city}/{name}_leftImg8bit.png', noise(*size, 3, seed=index))
        write_png(root / f'gtFine/train/{city}/{name}_gtFine_labelTrainIds.png', label)
    return root


def deliver(root: Path, size: tuple[int, int] = (64, 64)) -> Path:
    """Depth for five weathers, train and test; semantic labels in the first channel of four, test only."""
    for number, weather in enumerate(('cloud', 'fog', 'night', 'rain', 'sun')):
        for split in ('train', 'test'):
            for frame in range(2):
                name = f'{weather}/{split}/MAP_{number}_point1/{frame:06d}'
                write_png(root / f'depth/{name}_depth_front.png', noise(*size, 4, seed=frame))
                label = np.zeros((*size, 4), np.uint8)
                label[..., 0] = noise(*size, high=26, seed=frame)
                label[0, :, 0] = 255
                label[..., 3] = 255
                if split == 'test':
                    write_png(root / f'semantic/{name}_semantic_front.png', label)
    return root


def fmb(root: Path, size: tuple[int, int] = (60, 80)) -> Path:
    for split, number in (('train', 1), ('train', 9), ('test', 43)):
        write_png(root / f'{split}/Infrared/{number:05d}.png', noise(*size, seed=number))
        if split == 'test':
            write_png(root / f'{split}/Label/{number:05d}.png', noise(*size, high=15, seed=number))
    return root


def dsec(root: Path, size: tuple[int, int] = (44, 64)) -> Path:
    """Event images of one train and one test sequence with every frame, and 11-class labels of the latter."""
    for frame in range(7):
        write_png(root / f'69mask_train_edges/zurich_city_00_a/{frame:06d}.png', noise(*size, 3, seed=frame))
        write_png(root / f'69mask_test_edges/zurich_city_13_a/{frame:06d}.png', noise(*size, 3, seed=frame))
        label = noise(*size, high=11, seed=frame)
        write_png(root / f'test_semantic_labels/zurich_city_13_a/11classes/{frame:06d}.png', label)
    return root
