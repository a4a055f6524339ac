"""A run's folder, read as far as it goes: what is missing or damaged is a note, never an error."""

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import inf
from pathlib import Path

from mmengine.config import Config

from mmdass.checkpoints import CheckpointError
from mmdass.checkpoints.config_text import read_config_text
from mmdass.visualization import find_pictures

from .scores import Scores, scores_of_entry
from .validation import Validation, read_validation

ENVIRONMENT_FILE = 'environment.json'


@dataclass
class Run:
    """What is known of a run.

    Args:
        folder: work_dir of the Runner.
        name: what to call it.
        config_text: config as the Runner wrote it; empty if there is none.
        config: the same, read; None if there is none, or if it holds more than names and values.
        environment: versions and hardware by name.
        entries: what was logged, in order; each has a 'step', the iterations done.
        panels: series to iteration to panel name to picture file.
        validation: confusions and examples of the last validation.
        sheets: stage of PTL to a picture of images that it translated.
        notes: what is missing or damaged, a sentence each.
    """

    folder: Path
    name: str
    config_text: str = ''
    config: Config | None = None
    environment: dict[str, str] = field(default_factory=dict)
    entries: list[dict] = field(default_factory=list)
    panels: dict[str, dict[int, dict[str, Path]]] = field(default_factory=dict)
    validation: Validation | None = None
    sheets: dict[str, Path] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def seed(self) -> int | None:
        """Seed of the run, if its config names one."""
        return self.config and self.config.get('randomness', {}).get('seed')

    @property
    def iterations(self) -> int:
        """Iterations done when something was logged last."""
        return max((entry['step'] for entry in self.entries), default=0)

    @cached_property
    def validations(self) -> list[list[Scores]]:
        """The scores of every validation, in order."""
        return [scores for entry in self.entries if (scores := scores_of_entry(self.name, entry))]

    @property
    def scores(self) -> list[Scores]:
        """The scores of the last validation, one item per role; none before the first."""
        return self.validations[-1] if self.validations else []

    def curve(self, key: str) -> list[tuple[float, float]]:
        """(iteration, value) of a logged scalar."""
        return [(entry['step'], entry[key]) for entry in self.entries if key in entry]

    def score_curve(self, role: str, name: str) -> list[tuple[float, float]]:
        """(iteration, percent) of a role's class or 'mIoU'."""
        values = {scores.iteration: scores.values[name] for validation in self.validations for scores in validation
                  if scores.role == role and name in scores.values}
        return sorted(values.items())

    def scalars(self) -> list[str]:
        """Names of all logged scalars, in order of appearance."""
        return list(dict.fromkeys(key for entry in self.entries for key in entry))


def read_runs(folders: Sequence[Path]) -> list[Run]:
    """Read several runs, named after what their paths do not share; one that is given twice is read once."""
    folders = list(dict.fromkeys(Path(os.path.abspath(folder)) for folder in folders))
    if len(folders) == 1:
        return [read_run(folders[0], folders[0].name)]
    common = os.path.commonpath(folders)
    return [read_run(folder, os.path.relpath(folder, common)) for folder in folders]


def read_run(folder: Path, name: str) -> Run:
    """Read a run's folder.

    A resumed run has a sub-folder for each start. A later one counts from its first log entry on; what earlier ones
    logged of the same iterations, before they were killed, does not.
    """
    run = Run(folder, name)
    if not folder.is_dir():
        run.notes.append(f'There is no folder {folder}.')
        return run
    starts = sorted(path for path in folder.glob('*/vis_data') if path.is_dir())
    if not starts:
        run.notes.append(f'{folder} holds no run (looked for */vis_data): give the work_dir of a training whose '
                         'visualizer has a LocalVisBackend.')
        return run
    _read_logs(run, starts)
    _read_config(run, starts)
    _read_environment(run, starts)
    sheets = sorted(folder.glob('stage_*/contact_sheet.png'), key=lambda file: (len(file.parent.name), file))
    run.sheets = {file.parent.name.replace('_', ' '): file for file in sheets}
    if not run.validations:
        run.notes.append('No validation yet: let the training reach one (train_cfg.val_interval).')
    if run.entries and not run.panels:
        run.notes.append("No panels: add dict(type='DomainVisualizationHook') to custom_hooks to see them over time.")
    if run.validations and run.validation is None:
        run.notes.append("No confusions and examples: `report=dict(type='ReportHook')` in default_hooks keeps them.")
    return run


def _read_logs(run: Run, starts: Sequence[Path]) -> None:
    """Scalars, panels and validation, from the last start back to the first."""
    end = inf
    for start in reversed(starts):
        entries = [entry for entry in _read_entries(start / 'scalars.json', run.notes) if entry['step'] < end]
        run.entries[:0] = entries
        for series in start.glob('panels/*'):
            steps = run.panels.setdefault(series.name, {})
            steps |= {step: find_pictures(folder) for step, folder in _steps(series) if step < end}
        if run.validation is None:
            run.validation = _read_validation(start, end, run.notes)
        if entries:
            end = entries[0]['step']


def _read_entries(file: Path, notes: list[str]) -> Iterator[dict]:
    """The lines of a log that can be read; a killed process may have torn the last."""
    lines = file.read_text(errors='replace').splitlines() if file.is_file() else []
    for number, line in enumerate(lines, start=1):
        try:
            entry = {key: value for key, value in json.loads(line).items() if isinstance(value, (int, float))}
        except (ValueError, AttributeError):
            entry = {}
        if 'step' in entry:
            yield entry
        else:
            notes.append(f'Line {number} of {file} is damaged and left out.')


def _steps(series: Path) -> list[tuple[int, Path]]:
    return sorted((int(folder.name), folder) for folder in series.iterdir() if folder.name.isdigit())


def _read_validation(start: Path, end: float, notes: list[str]) -> Validation | None:
    try:
        validation = read_validation(start)
    except (ValueError, KeyError, TypeError) as error:
        notes.append(f'The record of the last validation in {start} is damaged ({type(error).__name__}: {error}).')
        return None
    return validation if validation and validation.step < end else None


def _read_config(run: Run, starts: Sequence[Path]) -> None:
    trained = [start for start in starts if (start / ENVIRONMENT_FILE).is_file()] or starts  # others only tested
    files = [start / 'config.py' for start in trained if (start / 'config.py').is_file()]
    if not files:
        run.notes.append('The config was not kept.')
        return
    run.config_text = files[-1].read_text(errors='replace')
    try:
        run.config = read_config_text(run.config_text)
    except CheckpointError:
        run.notes.append(f'{files[-1]} holds more than names and values, so that its seed is not known.')


def _read_environment(run: Run, starts: Sequence[Path]) -> None:
    files = [start / ENVIRONMENT_FILE for start in starts if (start / ENVIRONMENT_FILE).is_file()]
    try:
        run.environment = json.loads(files[-1].read_text()) if files else {}
    except ValueError:
        run.notes.append(f'{files[-1]} is damaged.')
