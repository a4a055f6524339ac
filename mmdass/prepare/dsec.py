"""DSEC-Semantic: event images from the recordings, in the layout that configs/madm/event.py reads.

ROOT holds, at most four folders deep, what was downloaded for the eleven sequences of DSEC-Semantic:
``SEQUENCE/events/left/{events.h5,rectify_map.h5}``, ``SEQUENCE_semantic_timestamps.txt`` (or the image timestamps), and
for the three test sequences ``SEQUENCE/11classes/*.png``. Makes ``69mask_{train,test}_edges/SEQUENCE/NUMBER.png``
(signed edges of the events before the label's time, rectified, the upper 440 of 480 rows, where labels end) and copies
the labels to ``test_semantic_labels/SEQUENCE/11classes/``. Frame 000000 is left out, as in MADM: nothing precedes it.

MADM's authors publish such images, but not how they made them. If ROOT holds theirs, they are checked and kept.
"""

import argparse
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from mmdass.datasets.transforms import LoadEvents

from .images import check_image, check_label, check_pair, png_bytes
from .job import Job, PrepareError
from .journal import Journal
from .layout import find, require_found
from .run import Plan, positive, prepare

TRAIN = tuple(f'zurich_city_{name}' for name in ('00_a', '01_a', '02_a', '04_a', '05_a', '06_a', '07_a', '08_a'))
TEST = tuple(f'zurich_city_{name}' for name in ('13_a', '14_c', '15_a'))
SIZE = (640, 440)
"""Width and height of images and labels; the sensor has 480 rows."""
RECORDING = 'events/left/events.h5'
RENDERED = '69mask_*_edges/*/*.png'
# Where the times of a sequence's frames are, first choice first: the labels', else the images' (the same frames).
TIMESTAMPS = ('{0}_semantic_timestamps.txt', '{0}/semantic/timestamps.txt', '{0}/semantic/semantic_timestamps.txt',
              '{0}_image_timestamps.txt', '{0}/images/timestamps.txt')
LABELS = ('{0}/11classes', '{0}/semantic/left/11classes/data', '{0}/semantic/left/11classes')


def render(recording: Path, rectify_map: Path, timestamps: Path, frame: int, duration: int) -> bytes:
    """PNG of the signed edges of the ``duration`` microseconds before a frame, as ``LoadEvents`` gives them."""
    load = LoadEvents('edge', duration, crop=SIZE[::-1], rectify_map=rectify_map.name)
    results = load.transform(dict(img_path=str(recording), timestamp=int(read_timestamps(timestamps)[frame])))
    return png_bytes(results['img'][..., 0])


def copy_label(label: Path) -> bytes:
    """The label file itself, if it is as it should be."""
    check_label(label, 'madm11', size=SIZE)
    return label.read_bytes()


def read_timestamps(path: Path) -> np.ndarray:
    """Microseconds of each frame, (frames,) int64.

    Raises:
        PrepareError: The file is no list of integers, or holds fewer than two.
    """
    try:
        with warnings.catch_warnings(action='ignore'):  # NumPy's, of an empty file
            times = np.loadtxt(path, np.int64, ndmin=1)
    except ValueError as error:
        raise PrepareError(f'{path} is no list of microseconds, one line a frame: {error}.') from None
    if len(times) < 2:
        raise PrepareError(f'{path} holds {len(times)} time stamps; a sequence has a line for each frame. Download it '
                           'again.')
    return times


def plan(args: argparse.Namespace) -> Plan:
    """Images rendered from recordings, or those that are there checked; labels brought to their place."""
    root = args.root
    recordings = {path.parents[2].name: path for path in reversed(list(_below(root, RECORDING)))}
    journal = Journal(root)
    theirs = [image for image in find(root, RENDERED) if not journal.owns(image)]
    require_found([*theirs, *recordings.values()], root, 'DSEC', f'*/{RECORDING}', RENDERED)
    labels = {sequence: _label_folder(root, sequence) for sequence in TEST}
    jobs = [job for sequence, folder in labels.items() if folder for job in _bring_labels(root, sequence, folder)]
    if theirs:
        remark = (f'{len(theirs)} event images are there that this command did not make: they are checked and kept, '
                  'and no other is made.')
        if recordings:
            remark += (' To have all made from the recordings, delete 69mask_train_edges and 69mask_test_edges first; '
                       'also after .mmdass_prepare was deleted, which says what is ours.')
        return Plan([*jobs, *(_check(image, labels) for image in theirs)], [remark])
    left_out = sorted(recordings.keys() - {*TRAIN, *TEST})
    remarks = [f'Left out, not in DSEC-Semantic: {", ".join(left_out)}.'] if left_out else []
    for sequence in (*TRAIN, *TEST):
        if sequence in recordings:
            jobs += _render_sequence(root, sequence, recordings[sequence], args.duration)
        else:
            remarks.append(f'{sequence} has no recording here.')
    return Plan(jobs, remarks)


def main(argv: list[str]) -> int:
    """The verb."""
    return prepare('dsec', plan, argv, _add_options)


def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('--duration', type=positive, default=50_000, metavar='MICROSECONDS',
                        help='events an image shows (default: 50000, the time between two frames)')


def _below(root: Path, tail: str) -> Iterator[Path]:
    """What is called so at most four folders deep, the least deep first. A link in a circle adds no others."""
    for depth in range(5):
        yield from sorted(root.glob('*/' * depth + tail))


def _first(root: Path, tails: tuple[str, ...], sequence: str) -> Path | None:
    return next((path for tail in tails for path in _below(root, tail.format(sequence))), None)


def _render_sequence(root: Path, sequence: str, recording: Path, duration: int) -> list[Job]:
    timestamps = _first(root, TIMESTAMPS, sequence) or root / TIMESTAMPS[0].format(sequence)
    try:
        frames = range(1, len(read_timestamps(timestamps)))
    except (PrepareError, OSError):
        frames = range(1, 2)  # one job, that says what is wrong
    folder = root / f'69mask_{"test" if sequence in TEST else "train"}_edges' / sequence
    inputs = (recording, recording.with_name('rectify_map.h5'), timestamps)
    return [Job(render, inputs, folder / f'{frame:06d}.png', dict(frame=frame, duration=duration)) for frame in frames]


def _label_folder(root: Path, sequence: str) -> Path | None:
    """Where the labels were downloaded to, else where they belong."""
    folders = [folder for tail in LABELS for folder in _below(root, tail.format(sequence))]
    return min(folders, key=_label_home(root, sequence).__eq__, default=None)


def _label_home(root: Path, sequence: str) -> Path:
    return root / 'test_semantic_labels' / sequence / '11classes'


def _bring_labels(root: Path, sequence: str, folder: Path) -> list[Job]:
    home = _label_home(root, sequence)
    if folder == home:
        return [Job(check_label, (label,), options=dict(space='madm11', size=SIZE)) for label in find(folder, '*.png')]
    return [Job(copy_label, (label,), home / label.name) for label in find(folder, '*.png')]


def _check(image: Path, labels: dict[str, Path | None]) -> Job:
    folder = labels.get(image.parent.name)
    if folder is None:
        return Job(check_image, (image,), options=dict(size=SIZE))
    return Job(check_pair, (image, folder / image.name), options=dict(space='madm11', size=SIZE))
