"""Benchmarks that are stored can be drawn."""

import json
import runpy
from pathlib import Path

import pytest

from mmdass.benchmarks import BENCHMARKS

ROOT = Path(__file__).parents[1]


@pytest.fixture
def plot():
    return runpy.run_path(str(ROOT / 'benchmarks/plot.py'))


def test_every_benchmark_has_a_figure(plot):
    assert set(plot['BARS']) == set(BENCHMARKS)


def test_what_is_stored_is_drawn_and_in_its_place(plot, tmp_path):
    stored = {path: json.loads(path.read_text()) for path in plot['RESULTS'].glob('*/*.json')}
    for path, result in stored.items():
        assert list(result) == ['benchmark', 'command', 'environment', 'figures']
        assert path.name.startswith(f'{result["environment"]["date"]}_{result["benchmark"]}')
    plot['draw'](plot['RESULTS'], tmp_path)
    assert {path.stem for path in tmp_path.iterdir()} == {result['benchmark'] for result in stored.values()} != set()
