"""The toy world as files, in three tasks: real-looking RGB to depth, infrared or event images.

Makes ``source/train/{image,label}`` (RGB), and for each target modality ``MODALITY/train/image`` and
``MODALITY/val/{image,label}``: PNG files named by number, labels in the eleven classes of 'madm11'. They are what
``configs/_base_/datasets/toy_*.py`` train on without files.
"""

import argparse
from pathlib import Path

from mmdass.datasets import RenderToyScene, ToyStreetDataset
from mmdass.datasets.toy import TOY_WORLD_VERSION

from .images import png_bytes
from .job import Job
from .run import Plan, positive, prepare

MODALITIES = ('depth', 'infrared', 'event')


def render(key: str, index: int, size: tuple[int, int], version: int, **scenes) -> bytes:
    """PNG of an item of the toy data set.

    Args:
        key: 'img' or 'gt_seg_map'.
        index: Number of the scene in its split.
        size: Width and height in pixels.
        version: Of the toy world; another one draws other pictures.
        **scenes: Arguments of :class:`ToyStreetDataset` that say which scenes.
    """
    # not serialised: that collects garbage, which takes longer than the picture
    scenes = ToyStreetDataset(num_images=index + 1, size=size, pipeline=[], serialize_data=False, **scenes)
    return png_bytes(RenderToyScene().transform(scenes.get_data_info(index))[key])


def plan(args: argparse.Namespace) -> Plan:
    """A job for each image and each label."""
    jobs = _split(args, 'source/train', args.num_train, modality='rgb', look='real', seed=0)
    for modality in MODALITIES:
        # another seed than the source: other streets, as in the real tasks
        jobs += _split(args, f'{modality}/train', args.num_train, modality=modality, seed=1, with_label=False)
        jobs += _split(args, f'{modality}/val', args.num_val, modality=modality, seed=1, split='val')
    return Plan(jobs, _others(args, {job.output for job in jobs}))


def main(argv: list[str]) -> int:
    """The verb."""
    return prepare('toy', plan, argv, _add_options, creates_root=True)


def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('--num-train', type=positive, default=2000, help='training images a modality (default: 2000)')
    parser.add_argument('--num-val', type=positive, default=50, help='test images a modality (default: 50)')
    parser.add_argument('--size', type=positive, nargs=2, default=(256, 128), metavar=('WIDTH', 'HEIGHT'),
                        help='of the images (default: 256 128)')


def _split(args: argparse.Namespace, folder: str, count: int, with_label: bool = True, **scenes) -> list[Job]:
    kinds = dict(image='img', label='gt_seg_map') if with_label else dict(image='img')
    return [
        Job(render, (), args.root / folder / kind / f'{index:06d}.png',
            dict(key=key, index=index, size=list(args.size), version=TOY_WORLD_VERSION, **scenes))
        for index in range(count) for kind, key in kinds.items()]


def _others(args: argparse.Namespace, outputs: set[Path]) -> list[str]:
    """A remark on each folder that holds more than is wanted: a training would read all of it."""
    folders = sorted({output.parent for output in outputs})
    counts = {folder: len(set(folder.glob('*.png')) - outputs) for folder in folders}
    return [f'{folder} holds {count} more images than asked for, of an earlier run: a training would read them, too. '
            f'Delete them, or choose another folder than {args.root}.' for folder, count in counts.items() if count]
