"""Runs that differ in nothing but their seed, and what they have in common."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .plot import Line
from .run import Run

_NOT_COMPARED = ('work_dir', 'resume', 'load_from', 'launcher', 'experiment_name', 'log_level')


@dataclass
class Column:
    """Mean scores of one role of a group.

    Args:
        name: of the runs.
        role: 'student', 'teacher', a phase, or empty.
        iterations: done at that validation; of the first run.
        values: class name or 'mIoU' to percent, the mean over seeds.
        std: the standard deviation over seeds; None for a single run.
    """

    name: str
    role: str
    iterations: int
    values: dict[str, float]
    std: dict[str, float] | None


@dataclass
class Group:
    """Runs of one config with different seeds; or any run alone."""

    runs: list[Run]

    @property
    def name(self) -> str:
        """The runs' names."""
        return ', '.join(run.name for run in self.runs)

    def roles(self) -> list[str]:
        """The roles that all runs have validated."""
        first, *others = ([scores.role for scores in run.scores] for run in self.runs)
        return [role for role in first if all(role in roles for roles in others)]

    def columns(self) -> list[Column]:
        """Mean and standard deviation of the last validations, one item per role."""
        columns = []
        for role in self.roles():
            scores = [next(scores for scores in run.scores if scores.role == role) for run in self.runs]
            names = [name for name in scores[0].values if all(name in one.values for one in scores)]
            values = np.array([[one.values[name] for name in names] for one in scores])
            mean, std = (dict(zip(names, row, strict=True)) for row in _mean_and_std(values))
            columns.append(Column(self.name, role, scores[0].iteration, mean, std if len(self.runs) > 1 else None))
        return columns

    def line(self, name: str, curves: Sequence[Sequence[tuple[float, float]]]) -> Line:
        """Mean of a curve of each run where all have a point, with a band of one standard deviation."""
        values = [dict(curve) for curve in curves]
        steps = [step for step in values[0] if all(step in other for other in values)]
        mean, std = _mean_and_std(np.array([[one[step] for step in steps] for one in values]))
        points = list(zip(steps, mean, strict=True))
        return Line(name, points, std if len(curves) > 1 else ())


def group_runs(runs: Sequence[Run]) -> list[Group]:
    """Runs of one config, in order; those that repeat a seed are no further sample and stand alone."""
    groups: dict[tuple, Group] = {}
    for index, run in enumerate(runs):
        config = _comparable(run)
        repetition = sum(config == _comparable(other) and run.seed == other.seed for other in runs[:index])
        groups.setdefault((config, repetition), Group([])).runs.append(run)
    return list(groups.values())


def _comparable(run: Run) -> str:
    """The config but for the seed and for what says where a run was; of a run without a config, itself."""
    if run.config is None:
        return str(run.folder)
    config = copy.deepcopy(run.config.to_dict())
    for name in _NOT_COMPARED:
        config.pop(name, None)
    config.get('randomness', {}).pop('seed', None)
    return repr(config)


def _mean_and_std(values: np.ndarray) -> tuple[list[float], list[float]]:
    """Of (runs, values); the deviation is that of a sample, 0 of one run."""
    return values.mean(axis=0).tolist(), values.std(axis=0, ddof=min(1, len(values) - 1)).tolist()
