"""Draw what `mmdass benchmark` has stored: a small figure a benchmark, with a bar for each hardware, date and setting.

    python benchmarks/plot.py   # benchmarks/results/speed/ to work_dirs/speed/
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path

from matplotlib.figure import Figure

RESULTS = Path(__file__).with_name('results') / 'speed'

# What is drawn of each benchmark's figures: the axis, and a number by name.
BARS: dict[str, tuple[str, Callable[[dict], dict[str, float]]]] = dict(
    data=('samples/s', lambda figures: {
        'one worker': figures['worker']['samples_per_second'],
        f'{figures["loader"]["workers"]} workers': figures['loader']['samples_per_second']}),
    events=('million events/s', lambda figures: {
        name: rate / 1e6 for name, rate in figures['events_per_second'].items()}),
    inference=('images/s', lambda figures: {name: figures[name]['images_per_second'] for name in ('windows', 'whole')}),
    leaks=('growth in MiB per 1000 iterations', lambda figures: {'': figures['memory_mib_per_1000']}),
    step=('samples/s', lambda figures: {'': figures['samples_per_second']}),
    translate=('images/s', lambda figures: {
        name: profile['images_per_second'] for name, profile in figures['profiles'].items()}))


def draw(results: Path, out: Path) -> None:
    """Write ``out``/BENCHMARK.png for each benchmark that ``results``/HARDWARE/*.json holds."""
    bars: dict[str, dict[str, float]] = {}
    for path in sorted(results.glob('*/*.json')):
        stored = json.loads(path.read_text(encoding='utf-8'))
        for name, value in BARS[stored['benchmark']][1](stored['figures']).items():
            label = f'{path.parent.name}\n{path.stem} {name}'.strip()
            bars.setdefault(stored['benchmark'], {})[label] = value
    out.mkdir(parents=True, exist_ok=True)
    for benchmark, values in bars.items():
        figure = Figure(figsize=(7, 1 + 0.5 * len(values)), layout='constrained')
        axes = figure.subplots()
        axes.bar_label(axes.barh(list(values), list(values.values())), fmt='%.3g', padding=3)
        axes.invert_yaxis()
        axes.set(title=f'mmdass benchmark {benchmark}', xlabel=BARS[benchmark][0])
        axes.margins(x=0.15)
        figure.savefig(out / f'{benchmark}.png')


if __name__ == '__main__':
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--results', type=Path, default=RESULTS)
    parser.add_argument('--out', type=Path, default=Path('work_dirs/speed'))
    args = parser.parse_args()
    draw(args.results, args.out)
