"""FMB (unpacked, so that ROOT holds train/ and test/).

Nothing is converted: ``ModalityDataset`` reads images and labels as they are. Every infrared image and its label are
decoded once: sizes must agree, and ids must be FMB's.
"""

import argparse
from pathlib import Path

from .images import check_pair
from .job import Job
from .layout import find, require_found
from .run import Plan, prepare

IMAGES = '*/Infrared/*.png'


def plan(args: argparse.Namespace) -> Plan:
    """A check for each infrared image or label."""
    images = find(args.root, IMAGES)
    require_found(images, args.root, 'FMB', IMAGES)
    labels = find(args.root, '*/Label/*.png')
    images = {*images, *(label.parents[1] / 'Infrared' / label.name for label in labels)}
    return Plan([_job(image) for image in sorted(images)])


def main(argv: list[str]) -> int:
    """The verb."""
    return prepare('fmb', plan, argv)


def _job(image: Path) -> Job:
    return Job(check_pair, (image, image.parents[1] / 'Label' / image.name), options=dict(space='fmb14'))
