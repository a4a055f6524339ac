"""``mmdass export CONFIG CHECKPOINT --out FILE``: a trained segmentor as one ONNX or torch.export file.

The file takes pictures, (N, H, W, 3) uint8 RGB, and gives class indices, (N, H, W) uint8, and their confidence.
Before it is kept it is run beside the PyTorch model: on another batch and size too, where it allows any.
"""

import argparse
import json
import statistics
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

import mmdass
from mmdass.apis.load_segmentor import config_metainfo, load_segmentor
from mmdass.benchmarks.clock import seconds_of
from mmdass.checkpoints.loader import CheckpointError
from mmdass.models.utils.choose_adapter import choose_adapter
from mmdass.utils.config import load_config

from .deployable import DeployableSegmentor, image_preprocessor
from .formats import FORMATS, ExportError, Segment, example_pictures, random_pictures, trace

TOLERANCE = 1e-3
"""Largest difference of a confidence, and largest share of pixels whose label differs: where two classes tie."""
RUNS = 5


class Difference(NamedTuple):
    """How far a file is from the model: largest difference of a confidence, share of pixels with another label."""

    confidence: float
    labels: float

    @property
    def tolerable(self) -> bool:
        """Whether it is rounding; NaN is not."""
        return self.confidence <= TOLERANCE and self.labels <= TOLERANCE

    def __str__(self) -> str:
        return f'{100 * self.labels:.4f} % of labels differ, confidences by at most {self.confidence:.1e}'


def export_segmentor(
    config: str | Path, checkpoint: str | Path, out: Path, size: tuple[int, int] | None = None, role: str | None = None,
    modality: str | None = None,
) -> str:
    """Write a model to a file and check that.

    Args:
        config: Of the model.
        checkpoint: Its weights.
        out: The file; its suffix, .onnx or .pt2, is the format.
        size: Height and width of the picture that it is traced and timed with; that of the training crops if None.
        role: 'student' or 'teacher' of a domain-adaptation model; None: who is tested.
        modality: What the images show, for a model with several adapters.

    Returns:
        What was measured, for a person.

    Raises:
        ExportError: The model cannot be exported, or the file does not do as the model does; then there is no file.
        CheckpointError: The checkpoint is damaged, or of another model.
        ValueError: The model has several adapters, and ``modality`` names none of them.
    """
    cfg = load_config(config)
    segmentor = load_segmentor(cfg, checkpoint)
    if role is not None:
        if not hasattr(segmentor, 'predict_role'):
            raise ValueError(f'a {type(segmentor).__name__} is no pair of student and teacher: leave out --role')
        segmentor.predict_role = role
    model = DeployableSegmentor(segmentor)
    choose_adapter(model.segmentor, modality, '--modality')
    size = picture_size(size or image_preprocessor(segmentor).size, model.divisor)
    program, freedom, reasons = trace(model, size)
    takes = f'{freedom}, of sides that {model.divisor} divides'
    write, read = FORMATS[out.suffix]
    out.parent.mkdir(parents=True, exist_ok=True)
    write(program, out, describe(segmentor.dataset_meta or config_metainfo(cfg), config, checkpoint, takes, size))
    exported = read(out)
    difference = max(compare(model, exported, pictures) for pictures in example_pictures(freedom, size))
    if not difference.tolerable:
        out.unlink()
        raise ExportError(f'the exported file does not do as the model does, and was removed: {difference}')
    lines = [f'{out}: {out.stat().st_size / 2**20:.1f} MiB, takes {takes}', f'Beside PyTorch: {difference}']
    lines += [f'Not {reason.splitlines()[0]}' for reason in reasons]
    if (model.segmentor.test_cfg or {}).get('mode') == 'slide':
        lines.append('The config tests with a sliding window; the file sees each picture whole.')
    return '\n'.join([*lines, format_speed(model, exported, out.suffix, size)])


def picture_size(size: Sequence[int] | None, divisor: int) -> Sequence[int]:
    """A size that the model takes.

    Raises:
        ExportError: There is none, or ``divisor`` does not divide it.
    """
    if size is None:
        raise ExportError('the config does not say how large pictures are: give --size HEIGHT WIDTH')
    if any(side % divisor for side in size):
        raise ExportError(f'{divisor} must divide the sides of pictures for this model: --size {size[0]} {size[1]} '
                          'does not do')
    return size


def describe(
    meta: Mapping, config: str | Path, checkpoint: str | Path, takes: str, size: Sequence[int]
) -> dict[str, str]:
    """What the file says of itself; ``meta`` are classes and palette."""
    return dict(
        classes=json.dumps(meta.get('classes')), palette=json.dumps(meta.get('palette')),
        images=f'(N, H, W, 3) uint8 RGB, {takes}; made for {size[0]} x {size[1]}',
        labels='(N, H, W) uint8, index into classes', confidence='(N, H, W) float32 in [0, 1], softmax of the label',
        config=Path(config).name, checkpoint=Path(checkpoint).name, version=f'mmdass {mmdass.__version__}')


@torch.no_grad()
def compare(model: Segment, exported: Segment, pictures: Tensor) -> Difference:
    """Run both on the same pictures."""
    (labels, confidence), (other_labels, other_confidence) = model(pictures), exported(pictures)
    return Difference((confidence - other_confidence).abs().max().item(),
                      (labels != other_labels).double().mean().item())


@torch.no_grad()
def format_speed(model: Segment, exported: Segment, suffix: str, size: Sequence[int]) -> str:
    """Median milliseconds of one picture, by the file and by PyTorch."""
    picture = random_pictures(1, *size)
    milliseconds = []
    for segment in (exported, model):
        segment(picture)
        milliseconds.append(1000 * statistics.median(seconds_of(partial(segment, picture)) for _ in range(RUNS)))
    runtime = 'onnxruntime' if suffix == '.onnx' else 'torch.export'
    return (f'A picture of {size[0]} x {size[1]} on the CPU, {torch.get_num_threads()} threads: '
            f'{runtime} {milliseconds[0]:.1f} ms, PyTorch {milliseconds[1]:.1f} ms (medians of {RUNS})')


def main(argv: Sequence[str]) -> int:
    """The verb; exit status 1 when there is no file afterwards."""
    parser = argparse.ArgumentParser(
        prog='mmdass export', description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config')
    parser.add_argument('checkpoint')
    parser.add_argument('--out', type=Path, required=True, help='file to write: NAME.onnx or NAME.pt2')
    parser.add_argument('--size', type=int, nargs=2, metavar=('HEIGHT', 'WIDTH'),
                        help='of the picture it is traced and timed with; default: of the training crops')
    parser.add_argument('--role', choices=['student', 'teacher'],
                        help='who predicts of a domain-adaptation model; default: who is tested')
    parser.add_argument('--modality', metavar='NAME', help='what the images show, for a model with several adapters')
    args = parser.parse_args(argv)
    if args.out.suffix not in FORMATS:
        parser.error(f'--out must end in {" or ".join(FORMATS)}, not {args.out.suffix or args.out.name!r}')
    if args.out.suffix == '.onnx' and not (find_spec('onnxscript') and find_spec('onnxruntime')):
        print("mmdass export: ONNX needs more packages: pip install 'mmdass[export]'", file=sys.stderr)
        return 1
    try:
        print(export_segmentor(args.config, args.checkpoint, args.out, args.size, args.role, args.modality))
    except (ExportError, CheckpointError, FileNotFoundError, ValueError) as error:
        print(f'mmdass export: {error}', file=sys.stderr)
        return 1
    return 0
