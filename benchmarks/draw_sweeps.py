"""Draw what DPLG's first timestep and LPLR's weight do, from what toy_adaptation.py has stored of infrared.

    python benchmarks/draw_sweeps.py   # docs/images/toy_sweeps.png

Points are means over the seeds that every row has been run with, bars reach from the lowest seed to the highest.
"""

import argparse
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from statistics import mean

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

ROOT = Path(__file__).parents[1]
TIMESTEPS = {
    'madm_without_dplg': 0, 'start_10': 10, 'start_30': 30, 'madm': 50, 'start_120': 120, 'start_200': 200}
WEIGHTS = {
    'source': {'madm_without_lplr': 0, 'weight_1': 1, 'weight_3': 3, 'weight_10': 10, 'weight_20': 20},
    'source and mixed images': {'madm_without_lplr': 0, 'madm': 1, 'both_3': 3, 'both_10': 10, 'both_20': 20}}

Points = dict[int, list[float]]  # what the seeds score, by a place on the axis


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.parse_args()
    runs = common_runs(ROOT / 'benchmarks/results/toy_adaptation/infrared', set(TIMESTEPS).union(*WEIGHTS.values()))
    figure = Figure(figsize=(12, 3.2), layout='constrained')
    scores, labels, weights = figure.subplots(1, 3)
    for role in ('student', 'teacher'):
        draw(scores, measured(runs, TIMESTEPS, lambda run, role=role: run['scores'][f'{role}/mIoU']), role)
    draw(labels, measured(runs, TIMESTEPS, lambda run: 100 * right_at_first(run)), 'right')
    for branches, rows in WEIGHTS.items():
        draw(weights, measured(runs, rows, lambda run: run['scores']['student/mIoU']), branches)
    for axes in (scores, labels):  # no steeper than LPLR's: else a tenth of a point looks like an effect
        centre, height = mean(axes.get_ylim()), np.ptp(weights.get_ylim())
        axes.set_ylim(centre - height / 2, centre + height / 2)
    scores.set(title='mIoU', xlabel="DPLG's first timestep", ylabel='%')
    labels.set(title='pixels labelled right in the first half', xlabel="DPLG's first timestep")
    weights.set(title='mIoU of the student', xlabel="LPLR's weight")
    scores.legend(frameon=False)
    weights.legend(frameon=False)
    figure.savefig(ROOT / 'docs/images/toy_sweeps.png', dpi=110)


def common_runs(folder: Path, rows: Iterable[str]) -> dict[str, list[dict]]:
    """What is stored of these rows, of the seeds that all of them have.

    Raises:
        FileNotFoundError: There is no such seed.
    """
    found = {row: {path.stem.removeprefix(f'{row}_'): json.loads(path.read_text())
                   for path in folder.glob(f'{row}_[0-9]*.json')} for row in rows}
    seeds = sorted(set.intersection(*map(set, found.values())))
    if not seeds:
        stored = {row: sorted(runs) for row, runs in found.items()}
        raise FileNotFoundError(f'{folder} has no seed that all of these rows have been run with: {stored}')
    print('seeds', *seeds)
    return {row: [runs[seed] for seed in seeds] for row, runs in found.items()}


def measured(runs: dict[str, list[dict]], rows: dict[str, int], measure: Callable[[dict], float]) -> Points:
    """What was measured of each row, by the row's place on the axis."""
    return {place: [measure(run) for run in runs[row]] for row, place in rows.items()}


def right_at_first(run: dict) -> float:
    """The share of pixels that the teacher labelled right in the first half of the training."""
    return mean(right for iteration, right, _ in run['pseudo_labels'] if 2 * iteration <= run['iterations'])


def draw(axes: Axes, points: Points, title: str) -> None:
    """A line through the means of the seeds at each place, with bars from the lowest to the highest."""
    means = [mean(seeds) for seeds in points.values()]
    reach = [[centre - min(seeds) for centre, seeds in zip(means, points.values(), strict=True)],
             [max(seeds) - centre for centre, seeds in zip(means, points.values(), strict=True)]]
    axes.errorbar(list(points), means, yerr=reach, marker='o', capsize=3, label=title)
    axes.spines[['top', 'right']].set_visible(False)


if __name__ == '__main__':
    main()
