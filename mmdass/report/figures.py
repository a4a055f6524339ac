"""The papers' figures, as grids of panels that `DomainVisualizationHook` and `ReportHook` have stored."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .run import Run
from .validation import Example

MAX_COLUMNS = 6
TRAINING, VALIDATION = 'train_0', 'val_0_0'


@dataclass
class Cell:
    """A picture, in words what it shows, and a line to stand below it."""

    file: Path
    alt: str
    note: str = ''


@dataclass
class Figure:
    """A grid of pictures.

    Args:
        title: what it shows.
        caption: how to read it.
        columns: heading and sub-heading of each column.
        rows: heading, sub-heading, and a cell for each column; None where there is none.
    """

    title: str
    caption: str
    columns: list[tuple[str, str]]
    rows: list[tuple[str, str, list[Cell | None]]]


def panels_over_time(run: Run) -> list[Figure]:
    """What training saw and decided at evenly spaced iterations, and one validation image."""
    figures = []
    for series, title, caption in (
        (TRAINING, 'Training over time', 'A column is one training iteration, with images of its own.'),
        (VALIDATION, 'One validation image over time', 'A column is one validation, with the same image.'),
    ):
        steps = _spread(sorted(run.panels.get(series, {})))
        names = dict.fromkeys(name for step in steps for name in run.panels[series][step])
        rows = [(_title(name), '', [_cell(run, series, step, name) for step in steps]) for name in names]
        if rows:
            figures.append(Figure(title, caption, [(f'iteration {step}', '') for step in steps], rows))
    return figures


def examples(title: str, chosen: Sequence[Example]) -> Figure | None:
    """Images of the last validation, a row each."""
    names = list(dict.fromkeys(name for example in chosen for name in example.pictures))
    rows = [
        (f'{example.score:.1f} %', example.path,
         [Cell(example.pictures[name], f'{_title(name)} of {example.path}') if name in example.pictures else None
          for name in names])
        for example in chosen
    ]
    caption = "Before each row the image's mIoU, over the classes of its label."
    return Figure(title, caption, [(_title(name), '') for name in names], rows) if rows else None


def pseudo_labels(runs: Sequence[Run]) -> Figure | None:
    """Pseudo-labels of several runs over iterations and timesteps: with DPLG and without, for one."""
    runs = [run for run in runs if run.panels.get(TRAINING)]
    steps = _spread(sorted(set.intersection(*(set(run.panels[TRAINING]) for run in runs)))) if runs else []
    rows, shown = [], []
    for run in runs:
        images, labels = (
            [_cell(run, TRAINING, step, f'target/{name}') for step in steps] for name in ('image', 'pseudo_label'))
        content = [cell and cell.file.read_bytes() for cell in images]
        if any(images) and content not in shown:  # runs of one seed and data see the same images
            rows.append((run.name, 'target image', images))
            shown.append(content)
        if any(labels):
            rows.append((run.name, 'pseudo-label', labels))
    caption = 'The teacher labels target images noised to timestep t. Without DPLG, t is 0 from the first iteration.'
    columns = [(f'iteration {step}', '') for step in steps]
    return Figure('Pseudo-labels over iterations and timesteps', caption, columns, rows) if rows else None


def regression_and_classification(runs: Sequence[Run]) -> Figure | None:
    """The painted label that LPLR regresses beside the classifier's, at the last iteration drawn of each run."""
    names = ('target/image', 'target/palette', 'target/pseudo_label')
    rows = []
    for run in runs:
        step = max(run.panels.get(TRAINING, {}), default=None)
        if step is not None and 'target/palette' in run.panels[TRAINING][step]:
            rows.append((run.name, f'iteration {step}', [_cell(run, TRAINING, step, name) for name in names]))
    columns = [('target image', ''), ('regression', "the UNet's latents, decoded"), ('classification', "the head's")]
    caption = "The teacher's two answers from one pass through the diffusion backbone."
    return Figure('Regression against classification', caption, columns, rows) if rows else None


def predictions(runs: Sequence[Run]) -> Figure | None:
    """The last drawn validation image, ground truth and predictions, a column a run: modalities beside each other."""
    last = {run.name: max(run.panels[VALIDATION]) for run in runs if run.panels.get(VALIDATION)}
    runs = [run for run in runs if run.name in last]
    names = dict.fromkeys(name for run in runs for name in run.panels[VALIDATION][last[run.name]])
    rows = [(_title(name), '', [_cell(run, VALIDATION, last[run.name], name) for run in runs]) for name in names]
    columns = [(run.name, f'iteration {last[run.name]}') for run in runs]
    caption = 'The first validation image, as each run saw and labelled it in the end.'
    return Figure('Predictions and ground truth', caption, columns, rows) if rows else None


def _cell(run: Run, series: str, step: int, name: str) -> Cell | None:
    file = run.panels[series].get(step, {}).get(name)
    if file is None:
        return None
    note = _pseudo_labelling(run, step) if name == 'target/pseudo_label' else ''
    return Cell(file, f'{_title(name)} of {run.name} at iteration {step}', note)


def _pseudo_labelling(run: Run, step: int) -> str:
    """Timestep and confident share around an iteration."""
    timesteps, shares = (dict(run.curve(f'pseudo/{name}')) for name in ('timestep', 'confident'))
    logged = min(timesteps, key=lambda other: abs(other - step), default=None)
    if logged is None:
        return ''
    return f't = {timesteps[logged]:.0f}, {100 * shares.get(logged, 0):.0f} % confident'


def _spread(steps: Sequence[int]) -> list[int]:
    """At most ``MAX_COLUMNS``, evenly, with the first and the last."""
    if len(steps) <= MAX_COLUMNS:
        return list(steps)
    return [steps[round(i * (len(steps) - 1) / (MAX_COLUMNS - 1))] for i in range(MAX_COLUMNS)]


def _title(name: str) -> str:
    """A panel's name in words; without the branch where there is but one, as in validation."""
    return name.removeprefix('val/').replace('/', ' ').replace('_', ' ')
