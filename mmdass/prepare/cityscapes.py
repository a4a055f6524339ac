"""Cityscapes (gtFine_trainvaltest.zip and leftImg8bit_trainvaltest.zip, unpacked into ROOT).

Makes ``gtFine/*/*/*_gtFine_labelTrainIds.png`` from ``*_gtFine_labelIds.png`` and decodes the images that are there.
"""

import argparse
from pathlib import Path

import numpy as np

from mmdass.datasets.transforms.labels import read_label

from .images import write_train_ids
from .job import Job
from .layout import find, require_found
from .run import Plan, prepare

# The class of each labelId; 'license plate' is -1 and so in no label file.
LABEL_IDS = (
    'unlabeled', 'ego vehicle', 'rectification border', 'out of roi', 'static', 'dynamic', 'ground', 'road', 'sidewalk',
    'parking', 'rail track', 'building', 'wall', 'fence', 'guard rail', 'bridge', 'tunnel', 'pole', 'polegroup',
    'traffic light', 'traffic sign', 'vegetation', 'terrain', 'sky', 'person', 'rider', 'car', 'truck', 'bus',
    'caravan', 'trailer', 'train', 'motorcycle', 'bicycle',
)
LABELS = 'gtFine/*/*/*_gtFine_labelIds.png'
IMAGES = 'leftImg8bit/*/*/*_leftImg8bit.png'


def to_train_ids(label: Path, image: Path | None = None) -> bytes:
    """labelTrainIds of a labelIds file; the image, if given, must be of its size."""
    return write_train_ids(np.asarray(read_label(label)), LABEL_IDS, label, image)


def plan(args: argparse.Namespace) -> Plan:
    """A job for each label, and for each image without one (which then fails)."""
    labels, images = find(args.root, LABELS), find(args.root, IMAGES)
    require_found(labels, args.root, 'Cityscapes', LABELS)
    labelled_splits = {path.parts[-3] for path in labels}
    pictured_splits = {path.parts[-3] for path in images}
    wanted = {*labels, *(_label_of(path, args.root) for path in images if path.parts[-3] in labelled_splits)}
    remarks = [f'No images of gtFine/{split} are in leftImg8bit/: labels only.'
               for split in sorted(labelled_splits - pictured_splits)]
    return Plan([_job(label, args.root, pictured_splits) for label in sorted(wanted)], remarks)


def main(argv: list[str]) -> int:
    """The verb."""
    return prepare('cityscapes', plan, argv)


def _job(label: Path, root: Path, pictured_splits: set[str]) -> Job:
    split, city = label.parts[-3:-1]
    stem = label.name.removesuffix('_gtFine_labelIds.png')
    image = root / 'leftImg8bit' / split / city / f'{stem}_leftImg8bit.png'
    inputs = (label, image) if split in pictured_splits else (label,)
    return Job(to_train_ids, inputs, label.with_name(f'{stem}_gtFine_labelTrainIds.png'))


def _label_of(image: Path, root: Path) -> Path:
    split, city = image.parts[-3:-1]
    name = image.name.replace('_leftImg8bit.png', '_gtFine_labelIds.png')
    return root / 'gtFine' / split / city / name
