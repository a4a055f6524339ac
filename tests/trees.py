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


def deliver(root: Path, size: tuple[int, int] = (64, 64), train_labels: bool = False) -> Path:
    """Depth for five weathers, train and test; semantic labels in the first of four channels."""
    for number, weather in enumerate(('cloud', 'fog', 'night', 'rain', 'sun')):
        for split in ('train', 'test'):
            for frame in range(2):
                name = f'{weather}/{split}/MAP_{number}_point1/{frame:06d}'
                write_png(root / f'depth/{name}_depth_front.png', noise(*size, 4, seed=frame))
                label = np.zeros((*size, 4), np.uint8)
                label[..., 0] = noise(*size, high=26, seed=frame)
                label[0, :, 0] = 255
                label[..., 3] = 255
                if split == 'test' or train_labels:
                    write_png(root / f'semantic/{name}_semantic_front.png', label)
    return root


def fmb(root: Path, size: tuple[int, int] = (60, 80), train_labels: bool = False) -> Path:
    for split, number in (('train', 1), ('train', 9), ('test', 43)):
        write_png(root / f'{split}/Infrared/{number:05d}.png', noise(*size, seed=number))
        if split == 'test' or train_labels:
            write_png(root / f'{split}/Label/{number:05d}.png', noise(*size, high=15, seed=number))
    return root


def dsec(root: Path, size: tuple[int, int] = (44, 64), train_labels: bool = False) -> Path:
    """Event images of one train and one test sequence with every frame, and 11-class labels."""
    for frame in range(7):
        write_png(root / f'69mask_train_edges/zurich_city_00_a/{frame:06d}.png', noise(*size, 3, seed=frame))
        write_png(root / f'69mask_test_edges/zurich_city_13_a/{frame:06d}.png', noise(*size, 3, seed=frame))
        label = noise(*size, high=11, seed=frame)
        write_png(root / f'test_semantic_labels/zurich_city_13_a/11classes/{frame:06d}.png', label)
        if train_labels:
            write_png(root / f'train_semantic_labels/zurich_city_00_a/11classes/{frame:06d}.png', label)
    return root


def gta5(root: Path, size: tuple[int, int] = (60, 80)) -> Path:
    for number in (1, 2):
        write_png(root / f'images/{number:05d}.png', noise(*size, 3, seed=number))
        write_png(root / f'labels/{number:05d}_labelTrainIds.png', noise(*size, high=19, seed=number))
    return root


def synthia(root: Path, size: tuple[int, int] = (60, 80)) -> Path:
    for number in (0, 1):
        write_png(root / f'RGB/{number:07d}.png', noise(*size, 3, seed=number))
        write_png(root / f'GT/LABELS/{number:07d}_labelTrainIds.png', noise(*size, high=19, seed=number))
    return root


def cityscapes_target(root: Path) -> Path:
    """Cityscapes with a validation split."""
    cityscapes(root)
    for part in ('leftImg8bit', 'gtFine'):
        folder = root / part
        (folder / 'val').mkdir()
        (folder / 'train/zurich').rename(folder / 'val/zurich')
    return root


def acdc(root: Path, conditions: tuple[str, ...] = ('fog', 'night', 'rain', 'snow'), size=(54, 96)) -> Path:
    for condition in conditions:
        for split in ('train', 'val'):
            name = f'{condition}/{split}/GOPR0475/GOPR0475_frame_000041'
            write_png(root / f'rgb_anon/{name}_rgb_anon.png', noise(*size, 3, seed=len(name)))
            write_png(root / f'gt/{name}_gt_labelTrainIds.png', noise(*size, high=19, seed=len(name)))
    return root


def dark_zurich(root: Path, size: tuple[int, int] = (54, 96)) -> Path:
    for split in ('train', 'val'):
        name = f'{split}/night/GOPR0351/GOPR0351_frame_000001'
        write_png(root / f'rgb_anon/{name}_rgb_anon.png', noise(*size, 3))
        if split == 'val':
            write_png(root / f'gt/{name}_gt_labelTrainIds.png', noise(*size, high=19))
    return root


def mfnet(root: Path, size: tuple[int, int] = (48, 64)) -> Path:
    """RGB with the infrared image as fourth channel, and lists of bare names."""
    for split, names in (('train', ('00001D', '00002N')), ('test', ('00003D', '00004N'))):
        for seed, name in enumerate(names):
            write_png(root / f'images/{name}.png', noise(*size, 4, seed=seed))
            write_png(root / f'labels/{name}.png', noise(*size, high=9, seed=seed))
        (root / f'{split}.txt').write_text('\n'.join(names) + '\n')
    return root


def msrs(root: Path, size: tuple[int, int] = (48, 64)) -> Path:
    for split in ('train', 'test'):
        for name in ('00001D', '00002N'):
            write_png(root / f'{split}/ir/{name}.png', noise(*size))
            write_png(root / f'{split}/vi/{name}.png', noise(*size, 3))
            write_png(root / f'{split}/Segmentation_labels/{name}.png', noise(*size, high=9))
    return root


def pst900(root: Path, size: tuple[int, int] = (72, 128)) -> Path:
    for split in ('train', 'test'):
        for name in ('11_bag21_rect_rgb_frame0000000000', '12_bag21_rect_rgb_frame0000000001'):
            write_png(root / f'{split}/rgb/{name}.png', noise(*size, 3))
            write_png(root / f'{split}/thermal/{name}.png', noise(*size))
            write_png(root / f'{split}/labels/{name}.png', noise(*size, high=5))
    return root


def nyuv2(root: Path, size: tuple[int, int] = (48, 64)) -> Path:
    """16-bit depth in millimetres with holes; 40 classes from id 1."""
    for split in ('train', 'test'):
        for number in (3, 4):
            depth = np.random.default_rng(number).integers(500, 9000, size).astype(np.uint16)
            depth[:4] = 0
            write_png(root / f'{split}/rgb/{number:04d}.png', noise(*size, 3, seed=number))
            write_png(root / f'{split}/depth_raw/{number:04d}.png', depth)
            write_png(root / f'{split}/labels_40/{number:04d}.png', noise(*size, high=41, seed=number))
    return root


def custom(root: Path, size: tuple[int, int] = (64, 128)) -> Path:
    """What configs/self_training/custom_modality.py describes: eight classes, 8 for none."""
    for split in ('train', 'val'):
        for number in range(2):
            write_png(root / f'{split}/image/{number}.png', noise(*size, 3, seed=number))
            write_png(root / f'{split}/label/{number}.png', noise(*size, high=9, seed=number))
    return root
