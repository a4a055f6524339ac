"""The page: one file without scripts, that asks nothing of any server."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan, nan
from pathlib import Path

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from PIL import Image

import mmdass
from mmdass.checkpoints.saver import replace_atomically

from . import figures
from .groups import Column, Group, group_runs
from .plot import Line, Plot
from .run import Run, read_runs
from .scores import row_names

_COMPARED = {
    'loss': 'loss', 'pseudo/confident': 'share of confident pseudo-labels', 'pseudo/timestep': 'DPLG timestep'}


@dataclass
class Section:
    """What the page shows of one group of plots.

    Args:
        title: heading.
        plots: in order.
    """

    title: str
    plots: list[Plot]


def write_page(folders: Sequence[Path], path: Path) -> list[Run]:
    """Read runs and write their page, whole or not at all.

    Args:
        folders: work_dirs.
        path: the HTML file.

    Returns:
        The runs as far as they could be read.
    """
    runs = read_runs(folders)
    page = render(runs)
    with replace_atomically(path) as partial:
        partial.write_text(page, encoding='utf-8')
    return runs


def render(runs: Sequence[Run]) -> str:
    """The page of runs."""
    environment = Environment(
        loader=PackageLoader('mmdass.report'), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True)
    environment.globals.update(
        Group=Group, best=best, class_colours=class_colours, data_uri=data_uri, figures=figures, row_names=row_names,
        run_sections=run_sections, shares=shares, tiles=tiles, version=mmdass.__version__)
    groups = group_runs([run for run in runs if run.scores])
    return environment.get_template('page.html.j2').render(
        runs=runs, columns=[column for group in groups for column in group.columns()],
        seeds=len(groups) < len(runs), comparison=comparison(groups), title=' · '.join(run.name for run in runs))


def tiles(run: Run) -> dict[str, str]:
    """The few numbers to see first."""
    known = {f'mIoU {scores.role}'.strip(): f'{scores.values["mIoU"]:.2f} %' for scores in run.scores[-4:]
             if 'mIoU' in scores.values}
    known['iterations'] = str(run.iterations)
    for key, title, form in (('time', 's per iteration', '{:.2f}'), ('pseudo/confident', 'confident', '{:.0%}')):
        values = [entry[key] for entry in run.entries if key in entry and 'loss' in entry]
        if values:
            known[title] = form.format(values[-1])
    if run.seed is not None:
        known['seed'] = str(run.seed)
    return known


def class_colours(runs: Sequence[Run]) -> dict[str, list[int]]:
    """Class name to RGB, as far as a validation recorded them."""
    return {name: colour for run in runs if run.validation
            for name, colour in zip(run.validation.classes, run.validation.palette, strict=True)}


def run_sections(run: Run) -> list[Section]:
    """All curves of a run."""
    roles = dict.fromkeys(scores.role for scores in run.scores)

    def over_validations(name: str) -> list[Line]:
        return [Line(role or 'model', run.score_curve(role, name)) for role in roles]

    classes = row_names(run.scores)[:-1]
    losses = [key for key in run.scalars() if 'loss' in key]
    pseudo = [key for key in ('pseudo/confident', 'pseudo/timestep') if run.curve(key)]
    class_shares = [key for key in run.scalars() if key.startswith('pseudo/share.')]
    return [section for section in (
        Section('Curves over iterations', _plots([
            ('mIoU in %', over_validations('mIoU')),
            *((_COMPARED.get(key, key), [Line(key, run.curve(key))]) for key in [*pseudo, *losses])])),
        Section('IoU of each class', _plots(
            [(f'{name}, IoU in %', over_validations(name)) for name in classes])),
        Section("Each class's share of the pseudo-labels", _plots(
            [(f'{key.removeprefix("pseudo/share.")}, % of the drawn pixels', [Line(key, run.curve(key))])
             for key in class_shares])),
    ) if section.plots]


def comparison(groups: Sequence[Group]) -> list[Plot]:
    """Curves of several groups in common axes."""
    scores = [
        group.line(f'{group.name} {role}'.strip(), [run.score_curve(role, 'mIoU') for run in group.runs])
        for group in groups for role in group.roles()
    ]
    scalars = [
        (title, [group.line(group.name, curves) for group in groups
                 if all(curves := [run.curve(key) for run in group.runs])])
        for key, title in _COMPARED.items()
    ]
    return _plots([('mIoU in %', scores), *scalars])


def best(columns: Sequence[Column], name: str) -> float | None:
    """The highest value of a row; None if there is nothing to compare."""
    values = {column.values[name] for column in columns if not isnan(column.values.get(name, nan))}
    return max(values) if len(values) > 1 else None


def _plots(candidates: Sequence[tuple[str, Sequence[Line]]]) -> list[Plot]:
    """Those that have something to show."""
    return [Plot(title, lines) for title, lines in candidates if any(line.points for line in lines)]


def shares(confusions: np.ndarray) -> list[list[float | None]]:
    """Each row's shares of 1; None in rows of classes without a pixel."""
    totals = confusions.sum(axis=1, keepdims=True)
    table = confusions / np.maximum(totals, 1)
    return [row if total else [None] * len(row) for row, (total, ) in zip(table.tolist(), totals, strict=True)]


def data_uri(file: Path) -> str | None:
    """A picture to write into the page; None if the file is damaged or gone."""
    buffer = io.BytesIO()
    try:
        Image.open(file).convert('RGB').save(buffer, format='WEBP', quality=85)
    except (OSError, SyntaxError, ValueError):
        return None
    return f'data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode()}'
