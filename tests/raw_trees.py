"""Small fixtures as data sets are downloaded, before `mmdass prepare`, written by the tests."""

from pathlib import Path

import cv2
import numpy as np
from event_files import random_events, write_dsec, write_rectify_map
from PIL import Image
from trees import noise, write_png

SIZE = (32, 64)
DSEC_SENSOR = (480, 640)
DSEC_START = 50_000_000_000


def cityscapes(root: Path, items: int = 4) -> Path:
    """leftImg8bit and gtFine as in the zip files, two cities in train and one in val; every labelId occurs."""
    for index in range(items):
        split, city = (('train', 'aachen'), ('train', 'zürich'), ('val', 'lindau'))[index % 3]
        name = f'{city}_{index:06d}_000019'
        write_png(root / f'leftImg8bit/{split}/{city}/{name}_leftImg8bit.png', noise(*SIZE, 3, seed=index))
        write_png(root / f'gtFine/{split}/{city}/{name}_gtFine_labelIds.png', noise(*SIZE, high=34, seed=index))
    return root


def gta(root: Path, items: int = 3) -> Path:
    """images/ and labels/, the latter with a palette."""
    for index in range(1, items + 1):
        write_png(root / f'images/{index:05d}.png', noise(*SIZE, 3, seed=index))
        label = Image.fromarray(noise(*SIZE, high=35, seed=index)).convert('P')
        label.putpalette(noise(35 * 3).tolist())
        (root / 'labels').mkdir(exist_ok=True)
        label.save(root / f'labels/{index:05d}.png')
    return root


def synthia_label(seed: int) -> np.ndarray:
    """(H, W, 3) uint16 RGB: class, instance of many, nothing."""
    label = np.zeros((*SIZE, 3), np.uint16)
    label[..., 0] = noise(*SIZE, high=23, seed=seed)
    label[..., 1] = 40 * noise(*SIZE, seed=seed + 1).astype(np.uint16)
    return label


def synthia(root: Path, items: int = 3) -> Path:
    """RGB/ and GT/LABELS/ of 16-bit PNGs."""
    (root / 'GT/LABELS').mkdir(parents=True)
    for index in range(items):
        write_png(root / f'RGB/{index:07d}.png', noise(*SIZE, 3, seed=index))
        cv2.imwrite(str(root / f'GT/LABELS/{index:07d}.png'), synthia_label(index)[..., ::-1])
    return root


def dsec(root: Path, frames: int = 4) -> Path:
    """Recordings of a train and a test sequence, timestamps 50 ms apart, and labels of the latter."""
    for split, sequence in (('train', 'zurich_city_00_a'), ('test', 'zurich_city_13_a')):
        events = random_events(20_000, 50_000 * frames, DSEC_SENSOR, seed=len(split))
        folder = root / f'{split}_events' / sequence / 'events/left'
        write_dsec(folder / 'events.h5', events, DSEC_START)
        rows, columns = np.mgrid[:480, :640]
        write_rectify_map(folder / 'rectify_map.h5', np.stack([columns + 3, rows - 2], axis=-1))
        semantic = root / f'{split}_semantic_segmentation/{split}' / sequence
        semantic.mkdir(parents=True)
        times = DSEC_START + 50_000 * np.arange(1, frames + 1)
        np.savetxt(semantic / f'{sequence}_semantic_timestamps.txt', times, '%d')
        for frame in range(frames):
            write_png(semantic / f'11classes/{frame:06d}.png', noise(440, 640, high=11, seed=frame))
    return root
