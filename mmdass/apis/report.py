"""``mmdass report RUN...``: the last validation of one or several runs side by side."""

import argparse
import json
import math
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from prettytable import PrettyTable

MAX_PICTURES = 6
METRIC = re.compile(r'(?:val/)?(?:(?P<role>[^/]+)/)?(?P<metric>mIoU|iterations|IoU\.(?P<name>.+))')


class ReportError(ValueError):
    """A folder that holds nothing to report."""


@dataclass
class Scores:
    """One column of the report: the last validation of one role of one run.

    Args:
        run: name of the run's folder.
        role: 'student' or 'teacher', or a phase such as 'stage_1'; empty for a model without either.
        iteration: training iterations done at that validation (``LoggerHook`` needs log_metric_by_epoch=False).
        values: class name or 'mIoU' to percent.
    """

    run: str
    role: str
    iteration: int
    values: dict[str, float]


def read_scores(run: Path) -> list[Scores]:
    """Read the last validation of a run folder, one item per role.

    Args:
        run: a work_dir of the Runner, with ``<timestamp>/vis_data/scalars.json`` of ``LocalVisBackend`` inside.

    Raises:
        ReportError: if there is no such file, or none with a validation.
    """
    files = sorted(run.glob('*/vis_data/scalars.json'), reverse=True)
    if not files:
        raise ReportError(
            f'{run}: no run here (looked for */vis_data/scalars.json). '
            'Give the work_dir of a training whose visualizer has a LocalVisBackend.'
        )
    # A resumed run has a folder per start; the newest may not have come to a validation.
    for file in files:
        for entry in reversed(_read_entries(file)):
            columns = scores_of_entry(run.name, entry)
            if columns:
                return columns
    raise ReportError(
        f'{run}: no validation in {files[0]}. Let the training reach one (train_cfg.val_interval) before the report.'
    )


def _read_entries(file: Path) -> list[dict]:
    """The file's lines, without the torn last one that a killed run leaves."""
    lines = file.read_text().split('\n')
    return [json.loads(line) for line in lines[:-1]]


def scores_of_entry(run: str, entry: dict) -> list[Scores]:
    """The scores of a logged validation, one item per role; none for an entry of training.

    Args:
        run: name for the columns.
        entry: metrics by name, and 'step'. A role's 'iterations', if logged, say when it was measured.
    """
    roles: dict[str, dict[str, float]] = {}
    for key, value in entry.items():
        match = METRIC.fullmatch(key)
        if match:
            roles.setdefault(match['role'] or '', {})[match['name'] or match['metric']] = value
    return [Scores(run, role, int(values.pop('iterations', entry['step'])), values) for role, values in roles.items()]


def newest_pictures(run: Path) -> list[Path]:
    """The newest picture of each series (``<series>_<step>.png``) of a run, oldest first, at most ``MAX_PICTURES``."""
    pictures = sorted(run.glob('*/vis_data/vis_image/*.png'), key=lambda path: path.stat().st_mtime)
    series: dict[str, Path] = {}
    for path in pictures:
        name = path.stem.rpartition('_')[0]
        series.pop(name, None)
        series[name] = path
    return list(series.values())[-MAX_PICTURES:]


def format_table(columns: Sequence[Scores]) -> str:
    """An aligned table: a row per class, mIoU and iterations; '*' marks the best value of a row."""
    names = list(dict.fromkeys(name for column in columns for name in column.values if name != 'mIoU'))
    table = PrettyTable(['IoU in %', *(f'{column.run} {column.role}'.strip() for column in columns)])
    table.align = 'r'
    table.align['IoU in %'] = 'l'
    for name in [*names, 'mIoU']:
        table.add_row([name, *_mark_best([column.values.get(name, math.nan) for column in columns])])
    table.add_row(['iterations', *(f'{column.iteration} ' for column in columns)])
    return table.get_string()


def _mark_best(values: Sequence[float]) -> list[str]:
    """Two decimals each; '*' at the best when there is something to compare, '-' where a class is missing."""
    known = [value for value in values if not math.isnan(value)]
    best = max(known) if len(known) > 1 else None
    return ['- ' if math.isnan(value) else f'{value:.2f}{"*" if value == best else " "}' for value in values]


def main(argv: Sequence[str]) -> int:
    """Print the table of the given runs and the paths of their newest pictures."""
    parser = argparse.ArgumentParser(prog='mmdass report', description='The last validation of runs, side by side.')
    parser.add_argument('runs', metavar='RUN', nargs='+', type=Path, help='work_dir of a training')
    runs = parser.parse_args(argv).runs
    try:
        columns = [scores for run in runs for scores in read_scores(run)]
    except ReportError as error:
        print(f'mmdass report: {error}', file=sys.stderr)
        return 1
    print(format_table(columns))
    for picture in (picture for run in runs for picture in newest_pictures(run)):
        print(picture)
    return 0
