"""Draw how right pseudo-labels are over a training, with and without DPLG, and as LPLR paints them.

From what toy_adaptation.py has stored.

    python benchmarks/draw_pseudo_labels.py infrared   # docs/images/toy_pseudo_labels.png
"""

import argparse
import json
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

ROOT = Path(__file__).parents[1]
ROWS = dict(madm='with DPLG', madm_without_dplg='without')
SMOOTHED = 5  # measurements


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('modality', choices=['event', 'depth', 'infrared'])
    folder = ROOT / 'benchmarks/results/toy_adaptation' / parser.parse_args().modality
    figure = Figure(figsize=(12, 3.2), layout='constrained')
    right, confident, painted = figure.subplots(1, 3)
    for row, title in ROWS.items():
        curves = stored(folder, row, 'pseudo_labels')
        draw(right, curves[..., 0], curves[..., 1], title)
        draw(confident, curves[..., 0], curves[..., 2], title)
    for name, title in dict(pseudo_labels='classified', painted_labels='painted').items():
        curves = stored(folder, 'madm', name)
        draw(painted, curves[..., 0], curves[..., 1], title)
    right.set(title='pixels labelled right', xlabel='iteration', ylabel='%')
    confident.set(title='pixels that count as confident', xlabel='iteration')
    painted.set(title='pixels labelled right, with DPLG', xlabel='iteration')
    right.legend(frameon=False)
    painted.legend(frameon=False)
    figure.savefig(ROOT / 'docs/images/toy_pseudo_labels.png', dpi=110)


def stored(folder: Path, row: str, name: str) -> np.ndarray:
    """A curve of each seed (S, N, columns), the iteration first."""
    return np.array([json.loads(path.read_text())[name] for path in sorted(folder.glob(f'{row}_[0-9]*.json'))])


def draw(axes: Axes, iterations: np.ndarray, shares: np.ndarray, title: str) -> None:
    """The mean over seeds (S, N) as a line, and their range, both smoothed."""
    kernel = np.ones(SMOOTHED) / SMOOTHED
    smooth = 100 * np.array([np.convolve(seed, kernel, 'valid') for seed in shares])
    where = np.convolve(iterations[0], kernel, 'valid')
    line, = axes.plot(where, smooth.mean(0), label=title)
    axes.fill_between(where, smooth.min(0), smooth.max(0), color=line.get_color(), alpha=0.15, linewidth=0)
    axes.spines[['top', 'right']].set_visible(False)


if __name__ == '__main__':
    main()
