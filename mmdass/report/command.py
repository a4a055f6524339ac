"""``mmdass report RUN...``: the last validation of one or several runs side by side, and a page of them."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from .groups import Group, group_runs
from .page import write_page
from .scores import format_table


def main(argv: Sequence[str]) -> int:
    """Print the table and write the page; exit status 1 when a run has no validation yet or the page is not written."""
    parser = argparse.ArgumentParser(prog='mmdass report', description=__doc__)
    parser.add_argument('runs', metavar='RUN', nargs='+', type=Path, help='work_dir of a training')
    parser.add_argument('--out', type=Path, help='the page; default: report.html in the folder that holds all runs')
    args = parser.parse_args(argv)
    out = args.out or Path(os.path.commonpath([os.path.abspath(run) for run in args.runs]), 'report.html')
    if not any(run.is_dir() for run in args.runs):
        print(f'mmdass report: there is no folder {", ".join(map(str, args.runs))}', file=sys.stderr)
        return 1
    try:
        runs = write_page(args.runs, out)
    except OSError as error:
        print(f'mmdass report: {out} cannot be written ({error}); name another file with --out', file=sys.stderr)
        return 1
    columns = [scores for run in runs for scores in run.scores]
    if columns:
        print(format_table(columns))
    for group in group_runs([run for run in runs if run.scores]):
        if len(group.runs) > 1:
            print(format_seeds(group))
    for run in runs:
        for note in run.notes:
            print(f'mmdass report: {run.name}: {note}', file=sys.stderr)
    print(out)
    return 0 if all(run.scores for run in runs) else 1


def format_seeds(group: Group) -> str:
    """A line a role: mean and standard deviation of the mIoU over seeds."""
    return '\n'.join(
        f'{column.name} {column.role}: mIoU {column.values["mIoU"]:.2f} ± {column.std["mIoU"]:.2f} '
        f'over {len(group.runs)} seeds' for column in group.columns() if 'mIoU' in column.values)
