"""`mmdass benchmark NAME ...`: one file a benchmark."""

from mmdass.cli import run_verb

BENCHMARKS = {
    'data': ('mmdass.benchmarks.data:main', 'training samples per second, by worker, in total and by transform'),
    'events': ('mmdass.benchmarks.events:main', 'events per second of each representation of raw events'),
    'inference': ('mmdass.benchmarks.inference:main', 'seconds and peak memory of inference, whole and by windows'),
    'leaks': ('mmdass.benchmarks.leaks:main', 'memory and open files over many training iterations'),
    'step': ('mmdass.benchmarks.step:main', 'seconds, peak memory and TFLOP of a training step, by part'),
    'translate': ('mmdass.benchmarks.translate:main', 'seconds and label consistency of translation, by profile'),
}


def main(argv: list[str]) -> int:
    """Run the benchmark that ``argv`` begins with."""
    return run_verb('mmdass benchmark', BENCHMARKS, argv)
