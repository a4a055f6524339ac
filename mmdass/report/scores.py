"""What a validation measured, and tables of it for a terminal."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from prettytable import PrettyTable

METRIC = re.compile(r'(?:val/)?(?:(?P<role>[^/]+)/)?(?P<metric>mIoU|iterations|IoU\.(?P<name>.+))')


@dataclass
class Scores:
    """One validation of one role of one run.

    Args:
        run: name of the run.
        role: 'student' or 'teacher', or a phase such as 'stage_1'; empty for a model without either.
        iteration: training iterations done at that validation (``LoggerHook`` needs log_metric_by_epoch=False).
        values: class name or 'mIoU' to percent.
    """

    run: str
    role: str
    iteration: int
    values: dict[str, float]

    @property
    def title(self) -> str:
        """Run and role."""
        return f'{self.run} {self.role}'.strip()


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


def row_names(columns: Sequence[Scores]) -> list[str]:
    """The classes of all columns in order, and 'mIoU' last."""
    names = dict.fromkeys(name for column in columns for name in column.values if name != 'mIoU')
    return [*names, 'mIoU']


def format_table(columns: Sequence[Scores]) -> str:
    """An aligned table: a row per class, mIoU and iterations; '*' marks the best value of a row."""
    table = PrettyTable(['IoU in %', *(column.title for column in columns)])
    table.align = 'r'
    table.align['IoU in %'] = 'l'
    for name in row_names(columns):
        table.add_row([name, *_mark_best([column.values.get(name, math.nan) for column in columns])])
    table.add_row(['iterations', *(f'{column.iteration} ' for column in columns)])
    return table.get_string()


def _mark_best(values: Sequence[float]) -> list[str]:
    """Two decimals each; '*' at the best when there is something to compare, '-' where a class is missing."""
    known = [value for value in values if not math.isnan(value)]
    best = max(known) if len(known) > 1 else None
    return ['- ' if math.isnan(value) else f'{value:.2f}{"*" if value == best else " "}' for value in values]
