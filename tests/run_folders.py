"""Run folders as a training leaves them, written by hand."""

import json
from pathlib import Path

import numpy as np
from PIL import Image

START = '20250101_000000'
PLAIN = {'aAcc': 80.0, 'mIoU': 40.0, 'mAcc': 50.0, 'IoU.road': 70.0, 'IoU.car': 10.0, 'time': 0.1, 'step': 20}
ADAPTED = {
    'student/mIoU': 45.5, 'student/IoU.road': 69.0, 'student/IoU.car': 22.0,
    'teacher/mIoU': 47.25, 'teacher/IoU.road': 70.5, 'teacher/IoU.car': float('nan'), 'step': 30,
}  # fmt: skip
TRAIN = {'loss': 1.0, 'source.decode.loss_ce': 1.0, 'pseudo/confident': 0.25, 'pseudo/timestep': 40.0, 'time': 0.5,
         'iter': 20, 'step': 20}  # fmt: skip


def write_run(folder: Path, entries: list[dict], start: str = START, tail: str = '') -> Path:
    """A run whose one start has logged ``entries``, and then ``tail``."""
    file = folder / start / 'vis_data' / 'scalars.json'
    file.parent.mkdir(parents=True)
    file.write_text(''.join(json.dumps(entry) + '\n' for entry in entries) + tail)
    return folder


def write_config(folder: Path, seed: int, **entries) -> None:
    lines = [f'randomness = dict(seed={seed})', f"work_dir = '{folder}'"]
    lines += [f'{name} = {value!r}' for name, value in entries.items()]
    (folder / START / 'vis_data' / 'config.py').write_text('\n'.join(lines))


def write_panel(folder: Path, series: str, step: int, name: str, colour: int = 0, start: str = START) -> Path:
    path = folder / start / 'vis_data/panels' / series / str(step) / f'{name}.png'
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((8, 16, 3), colour, np.uint8)).save(path)
    return path
