"""DELIVER (unpacked, so that ROOT holds depth/ and semantic/).

Nothing is converted: ``ModalityDataset`` reads the labels as they are and maps their classes by name. Every depth image
and its label are decoded once, in all weathers and splits: sizes must agree, and ids must be DELIVER's.
"""

import argparse
from pathlib import Path

from .images import check_pair
from .job import Job
from .layout import find, require_found
from .run import Plan, prepare

IMAGES = 'depth/*/*/*/*_depth_front.png'


def plan(args: argparse.Namespace) -> Plan:
    """A check for each depth image or label."""
    images = find(args.root, IMAGES)
    require_found(images, args.root, 'DELIVER', IMAGES)
    labels = find(args.root, IMAGES.replace('depth', 'semantic'))
    images = {*images, *(_other(label, args.root, 'semantic', 'depth') for label in labels)}
    return Plan([_job(image, args.root) for image in sorted(images)])


def main(argv: list[str]) -> int:
    """The verb."""
    return prepare('deliver', plan, argv)


def _job(image: Path, root: Path) -> Job:
    label = _other(image, root, 'depth', 'semantic')
    return Job(check_pair, (image, label), options=dict(space='deliver25', channel=0))


def _other(path: Path, root: Path, here: str, there: str) -> Path:
    return root / path.relative_to(root).as_posix().replace(here, there)
