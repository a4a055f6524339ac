"""What the scripts share that measure a table row by row: arguments, scores, and the stored form."""

import argparse
import json
import math
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from mmengine.config import Config
from mmengine.runner import Runner

from mmdass.benchmarks.result import environment

COMMIT = subprocess.run(
    ['git', 'describe', '--always', '--dirty'], cwd=Path(__file__).parent, capture_output=True, text=True
).stdout.strip() or None


def parse_row(
    parser: argparse.ArgumentParser, table: str, rows: Iterable[str], default: str, iterations: int
) -> argparse.Namespace:
    """Add the arguments that every table has, and parse; with --list, print the rows and leave."""
    parser.add_argument('row', nargs='?', choices=list(rows), default=default)
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--iterations', type=int, default=iterations)
    parser.add_argument('--work-dir', type=Path, default=Path('work_dirs', table))
    parser.add_argument('--results', type=Path, default=Path('benchmarks/results', table))
    parser.add_argument('--list', action='store_true', help='print the rows')
    args = parser.parse_args()
    if args.list:
        print(*rows, sep='\n')
        sys.exit()
    return args


def set_iterations(cfg: Config, iterations: int) -> None:
    """Let a config of `schedules/toy.py` train so long, and DPLG act over the same share of it; validate at the end."""
    labeler = cfg.model.get('pseudo_labeler', {})
    if 'end_iteration' in labeler:
        labeler.end_iteration = labeler.end_iteration * iterations // cfg.train_cfg.max_iters
    cfg.train_cfg.update(max_iters=iterations, val_interval=iterations)
    cfg.param_scheduler[-1].end = iterations
    cfg.default_hooks.checkpoint.interval = iterations


def scores_of(runner: Runner) -> dict[str, float]:
    """The last scores in percent, of classes there are: 'mIoU', 'IoU.road', or 'student/mIoU', 'teacher/IoU.road'."""
    scores = {name.removeprefix('val/'): float(values.current())
              for name, values in runner.message_hub.log_scalars.items() if name.startswith('val/') and 'IoU' in name}
    return {name: score for name, score in scores.items() if not math.isnan(score)}  # nan is no JSON


def write_row(file: Path, **result: object) -> None:
    """Store a row with what it was made with, and the commit that the run began with."""
    file.parent.mkdir(parents=True, exist_ok=True)
    result['environment'] = dict(environment(), commit=COMMIT)
    file.write_text(json.dumps(result, indent=1, allow_nan=False) + '\n')
