"""What is installed and what of it works. Each import is tried in a process of its own, as it may end in any way."""

import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmdass.family import DISTRIBUTIONS

PROBES = dict(
    torch="""
import torch
cuda = torch.cuda.is_available()
facts = dict(version=torch.__version__, cuda_build=torch.version.cuda, cuda=cuda, threads=torch.get_num_threads(),
             bf16=not cuda or torch.cuda.is_bf16_supported(including_emulation=False),
             gpus=[f'{p.name}, {p.total_memory / 2**30:.0f} GiB' for p in map(
                 torch.cuda.get_device_properties, range(torch.cuda.device_count()))] if cuda else [])
if cuda:
    torch.ones(2, device='cuda').sum().item()
""",
    mmdass="""
import mmdass, mmdass.datasets, mmdass.engine, mmdass.evaluation, mmdass.models
from mmdass.utils.compat import active_shims
facts = dict(shims=active_shims())
""",
    opencv='import cv2; facts = {}',
    diffusers='from diffusers import AutoencoderKL, UNet2DConditionModel; facts = {}',
    peft='import peft; facts = {}',
    events='import h5py, hdf5plugin; facts = {}',
    torchvision='import torchvision; facts = {}',
)
"""Python code that sets ``facts``, by what it tries."""

_TIMEOUT = 600


@dataclass(frozen=True)
class Probe:
    """How an attempt ended: with facts, or with the last line of its error."""

    facts: dict[str, Any] = field(default_factory=dict)
    error: str | None = None


@dataclass(frozen=True)
class Environment:
    """What the rules look at.

    Args:
        versions: Of every installed distribution, by its lower-case name.
        requirements: What mmdass declares, as in its metadata; None if it is not installed.
        probes: By the names of :data:`PROBES`.
        driver: What ``nvidia-smi`` says of GPUs, a line each; None if there is no such command.
        cores: How many processors this process may use.
        free: Free bytes in the working folder, and of shared memory (None if the system has none).
        variables: The environment's variables.
    """

    versions: dict[str, str]
    requirements: list[str] | None
    probes: dict[str, Probe]
    driver: list[str] | None
    cores: int
    free: tuple[int, int | None]
    variables: dict[str, str]

    def unmet(self, extra: str = '', newer: bool | None = None) -> Iterator[tuple[str, str | None]]:
        """Requirements of mmdass, or of one of its extras, that are not met, with the version that is there.

        Args:
            extra: Name of the extra.
            newer: True: those of which a newer version is there; False: those that are missing or older; None: both.
        """
        parse = _requirement_type()
        for text in self.requirements or ():
            requirement = parse(text)
            wanted = requirement.marker is None if not extra else (
                requirement.marker is not None and 'extra' in str(requirement.marker)
                and requirement.marker.evaluate(dict(extra=extra)))
            name = requirement.name.lower()
            same = next((names for names in DISTRIBUTIONS.values() if name in names), (name,))  # mmcv for mmcv-lite
            found = next((self.versions[each] for each in (name, *same) if each in self.versions), None)
            if not wanted or found is not None and requirement.specifier.contains(found, prereleases=True):
                continue
            least = [part for part in requirement.specifier if part.operator in ('>=', '>', '==', '~=')]
            is_newer = found is not None and all(part.contains(found, prereleases=True) for part in least)
            if newer in (None, is_newer):
                yield f'{requirement.name}{requirement.specifier}', found


def examine() -> Environment:
    """Look around."""
    versions = {dist.metadata['Name'].lower(): dist.version for dist in importlib.metadata.distributions()
                if dist.metadata['Name']}
    names = [name for name in PROBES if name != 'torchvision' or name in versions]
    with ThreadPoolExecutor(max_workers=2) as pool:
        probes = dict(zip(names, pool.map(_probe, names), strict=True))
    try:
        requirements = importlib.metadata.requires('mmdass')
    except importlib.metadata.PackageNotFoundError:
        requirements = None
    shared = Path('/dev/shm')
    return Environment(
        versions, requirements, probes, _driver(), usable_cores(),
        (shutil.disk_usage('.').free, shutil.disk_usage(shared).total if shared.is_dir() else None), dict(os.environ))


def usable_cores() -> int:
    """Processors by affinity, or fewer by the quota of a container."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count() or 1
    try:
        quota, period = Path('/sys/fs/cgroup/cpu.max').read_text().split()
        return max(1, min(count, round(int(quota) / int(period))))
    except (OSError, ValueError):  # no such file, or 'max'
        return count


def _probe(name: str) -> Probe:
    code = f'{PROBES[name]}\nimport json; print("\\nfacts", json.dumps(facts))'
    try:
        result = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, timeout=_TIMEOUT)
    except subprocess.TimeoutExpired:
        return Probe(error=f'takes longer than {_TIMEOUT} seconds')
    if result.returncode == 0:
        return Probe(json.loads(result.stdout.rpartition('facts ')[2]))
    lines = [line for line in result.stderr.splitlines() if line.strip()]
    return Probe(error=lines[-1].strip() if lines else f'ends with status {result.returncode}')


def _driver() -> list[str] | None:
    if shutil.which('nvidia-smi') is None:
        return None
    try:
        query = ['nvidia-smi', '--query-gpu=name,driver_version', '--format=csv,noheader']
        result = subprocess.run(query, capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return []
    return result.stdout.splitlines() if result.returncode == 0 else []


def _requirement_type() -> type:
    try:
        from packaging.requirements import Requirement
    except ImportError:
        from pip._vendor.packaging.requirements import Requirement
    return Requirement
