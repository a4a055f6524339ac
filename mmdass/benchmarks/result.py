"""The one form in which benchmarks are stored: what was called, on what it ran, and what came out."""

import json
import os
import platform
import re
import shlex
import time
from collections.abc import Sequence
from pathlib import Path

import mmengine
import mmseg
import torch

from mmdass.version import __version__


def environment() -> dict[str, str | int | float | None]:
    """Versions, processor, GPU (None without), threads, date, and how busy the machine was: its load average."""
    return dict(
        python=platform.python_version(), torch=torch.__version__, mmengine=mmengine.__version__,
        mmseg=mmseg.__version__, mmdass=__version__, processor=_processor(),
        gpu=torch.cuda.get_device_name() if torch.cuda.is_available() else None, threads=torch.get_num_threads(),
        load=round(os.getloadavg()[0], 1), date=time.strftime('%Y-%m-%d'))


def write_result(path: str | None, benchmark: str, argv: Sequence[str], figures: dict) -> None:
    """Store figures as JSON: ``benchmark``, ``command``, ``environment``, ``figures``.

    Args:
        path: A file; a folder, for a file in it that is called HARDWARE/DATE_BENCHMARK.json; None: store nothing.
        benchmark: The benchmark's name.
        argv: Its arguments.
        figures: What was measured.
    """
    if path is None:
        return
    result = dict(benchmark=benchmark, command=shlex.join(['mmdass', 'benchmark', benchmark, *argv]),
                  environment=environment(), figures=figures)
    file = Path(path)
    if file.is_dir():
        file = file / _hardware(result['environment']) / f'{result["environment"]["date"]}_{benchmark}.json'
        file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps(result, indent=1) + '\n', encoding='utf-8')


def _processor() -> str:
    """The processor's name; Linux tells it in a file, and Python's ``platform`` not at all."""
    try:
        lines = Path('/proc/cpuinfo').read_text(encoding='utf-8').splitlines()
    except OSError:
        lines = []
    names = [line.partition(':')[2].strip() for line in lines if line.startswith('model name')]
    return names[0] if names else platform.processor() or platform.machine()


def _hardware(environment: dict) -> str:
    """A folder's name: the GPU, or the processor and its threads."""
    name = environment['gpu'] or f'{environment["processor"]} {environment["threads"]} threads'
    return re.sub(r'[^a-z0-9.]+', '_', name.lower()).strip('_')
