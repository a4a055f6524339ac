"""SYNTHIA-RAND-CITYSCAPES (unpacked, so that ROOT holds RGB/ and GT/).

Makes ``GT/LABELS/*_labelTrainIds.png`` beside ``GT/LABELS/*.png`` and decodes ``RGB/*.png``. The labels are PNGs of 16
bits with the class in the first channel and the instance in another. Classes go to Cityscapes' trainIds by name;
parking slots, road works and lane markings become 255, as in DAFormer. Terrain, trucks and trains have ids but occur
in no image, which leaves 16 of Cityscapes' 19 classes.
"""

import argparse
from pathlib import Path

from .images import read_first_channel_16bit, write_train_ids
from .job import Job
from .layout import find, require_found
from .run import Plan, prepare

# The class of each id, in Cityscapes' words where it has the class ('person' is SYNTHIA's 'pedestrian').
SYNTHIA_IDS = (
    'void', 'sky', 'building', 'road', 'sidewalk', 'fence', 'vegetation', 'pole', 'car', 'traffic sign', 'person',
    'bicycle', 'motorcycle', 'parking slot', 'road work', 'traffic light', 'terrain', 'rider', 'truck', 'bus', 'train',
    'wall', 'lane marking',
)


def to_train_ids(label: Path, image: Path) -> bytes:
    """labelTrainIds of a SYNTHIA label; the image must be of its size."""
    return write_train_ids(read_first_channel_16bit(label), SYNTHIA_IDS, label, image)


def plan(args: argparse.Namespace) -> Plan:
    """A job for each name that has an image or a label."""
    labels = [path for path in find(args.root, 'GT/LABELS/*.png') if not path.stem.endswith('_labelTrainIds')]
    require_found(labels, args.root, 'SYNTHIA-RAND-CITYSCAPES', 'GT/LABELS/*.png')
    names = {path.name for path in [*labels, *find(args.root, 'RGB/*.png')]}
    return Plan([_job(args.root, name) for name in sorted(names)])


def main(argv: list[str]) -> int:
    """The verb."""
    return prepare('synthia', plan, argv)


def _job(root: Path, name: str) -> Job:
    label = root / 'GT/LABELS' / name
    return Job(to_train_ids, (label, root / 'RGB' / name), label.with_name(f'{label.stem}_labelTrainIds.png'))
