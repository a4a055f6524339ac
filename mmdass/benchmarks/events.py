"""`mmdass benchmark events`: events per second of each representation, on one core, without reading a file."""

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np

from mmdass.datasets.events import REPRESENTATIONS, Events

from .result import write_result


def random_events(number: int, height: int = 480, width: int = 640) -> Events:
    """Events spread evenly over the sensor (the worst case for the cache) and over 50 ms."""
    draws = np.random.default_rng(0)
    x, y = (draws.integers(0, size, number, dtype=np.uint16) for size in (width, height))
    t = np.sort(draws.integers(0, 50_000, number))
    return Events(t, x, y, draws.integers(0, 2, number, dtype=np.uint8), height, width)


def measure(events: Events, repeats: int) -> dict[str, float]:
    """Median events per second of CPU time of each representation, with its default options."""
    return {
        name: len(events) / statistics.median(_seconds(represent, events) for _ in range(repeats))
        for name, represent in REPRESENTATIONS.items()
    }


def _seconds(represent: Callable[[Events], np.ndarray], events: Events) -> float:
    start = time.process_time()
    represent(events)
    return time.process_time() - start


def main(argv: list[str]) -> int:
    """The benchmark's command line."""
    parser = argparse.ArgumentParser(prog='mmdass benchmark events', description=__doc__)
    parser.add_argument('--events', type=int, default=1_000_000, help='events a window, on a sensor of 480 x 640')
    parser.add_argument('--repeats', type=int, default=7, help='timed windows, of which the median counts')
    parser.add_argument('--json', metavar='FILE', help='write the figures there too')
    args = parser.parse_args(argv)
    rates = measure(random_events(args.events), args.repeats)
    print(f'{args.events} events a window, 480 x 640, median of {args.repeats}:')
    for name, rate in rates.items():
        print(f'  {name:12} {rate / 1e6:8.1f} million events/s')
    write_result(args.json, 'events', argv, dict(events=args.events, repeats=args.repeats, events_per_second=rates))
    return 0
