"""GTA5, 'Playing for Data' (the zip files of images and of labels, unpacked into ROOT).

Makes ``labels/*_labelTrainIds.png`` beside ``labels/*.png`` and decodes ``images/*.png``. The labels are palette images
whose indices are Cityscapes' labelIds. A few published labels are not of the size of their image: they are listed as
failed and get no file; leave these images out of the data set (``exclude`` of ModalityDataset).
"""

import argparse
from pathlib import Path

import numpy as np

from mmdass.datasets.transforms.labels import read_label

from .cityscapes import LABEL_IDS
from .images import write_train_ids
from .job import Job
from .layout import find, require_found
from .run import Plan, prepare

GTA_IDS = (*LABEL_IDS, 'license plate')


def to_train_ids(label: Path, image: Path) -> bytes:
    """labelTrainIds of a GTA5 label; the image must be of its size."""
    return write_train_ids(np.asarray(read_label(label)), GTA_IDS, label, image)


def plan(args: argparse.Namespace) -> Plan:
    """A job for each name that has an image or a label."""
    labels = [path for path in find(args.root, 'labels/*.png') if not path.stem.endswith('_labelTrainIds')]
    require_found(labels, args.root, 'GTA5', 'labels/*.png')
    names = {path.name for path in [*labels, *find(args.root, 'images/*.png')]}
    return Plan([_job(args.root, name) for name in sorted(names)])


def main(argv: list[str]) -> int:
    """The verb."""
    return prepare('gta', plan, argv)


def _job(root: Path, name: str) -> Job:
    label = root / 'labels' / name
    return Job(to_train_ids, (label, root / 'images' / name), label.with_name(f'{label.stem}_labelTrainIds.png'))
