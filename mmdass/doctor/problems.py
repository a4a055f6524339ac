"""What is wrong with an environment, and the one command that mends each."""

import shlex
from collections.abc import Iterator
from dataclasses import dataclass

from mmdass.family import DISTRIBUTIONS, find_fault

from .environment import Environment

_OPENCV = ('opencv-python', 'opencv-python-headless', 'opencv-contrib-python', 'opencv-contrib-python-headless')
_GIB = 2**30


@dataclass(frozen=True)
class Problem:
    """Something wrong.

    Args:
        what: A sentence.
        command: What mends it.
        stops: Whether something does not work until then; otherwise it is a hint.
    """

    what: str
    command: str
    stops: bool = True


def find_problems(environment: Environment) -> list[Problem]:
    """All problems; those that explain others come first."""
    problems = [problem for rule in _RULES for problem in rule(environment)]
    error = environment.probes['mmdass'].error
    if error and not any(problem.stops for problem in problems):
        problems.append(Problem(f'`import mmdass` fails: {error}.', 'python -c "import mmdass.models"  # shows where'))
    return problems


def family_of(environment: Environment) -> str | None:
    """'onedl' or 'openmmlab', by the owner of mmengine."""
    owners = [name for name in DISTRIBUTIONS['mmengine'] if name in environment.versions]
    return None if not owners else 'onedl' if owners[0].startswith('onedl') else 'openmmlab'


def _mmcv_full(environment: Environment) -> Iterator[Problem]:
    if 'mmcv-full' in environment.versions:
        extra = family_of(environment) or 'onedl'
        mmcv = 'onedl-mmcv' if extra == 'onedl' else 'mmcv-lite'
        yield Problem(
            'mmcv-full, of the years before 2022, lies over the files of mmcv.',
            f"pip uninstall -y mmcv-full {mmcv} && pip install 'mmdass[{extra}]'")


def _family(environment: Environment) -> Iterator[Problem]:
    fault = find_fault(environment.versions)
    if fault:
        yield Problem(f'{fault[0]}.', fault[1])


def _versions(environment: Environment) -> Iterator[Problem]:
    if environment.requirements is None:
        yield Problem('mmdass runs from a folder and is not installed, so nobody checks what it needs.',
                      "pip install -e '.[onedl]'", stops=False)
    family = family_of(environment)
    fault = find_fault(environment.versions)
    # Of the family, packages newer than mmseg allows are refused by mmseg itself.
    useless = [*environment.unmet(newer=False), *(environment.unmet(family) if family and not fault else ())]
    for what, newer, unmet in (('Versions that mmdass does not work with', False, useless),
                               ('Newer than what mmdass was tested with', True, [*environment.unmet(newer=True)])):
        if unmet:
            told = ', '.join(f'{wanted} ({f"{found} is there" if found else "missing"})' for wanted, found in unmet)
            command = f'pip install {shlex.join(wanted for wanted, _ in unmet)}'
            yield Problem(f'{what}: {told}.', command, stops=not newer)


def _opencv(environment: Environment) -> Iterator[Problem]:
    found = [name for name in _OPENCV if name in environment.versions]
    error = environment.probes['opencv'].error
    if len(found) > 1:
        yield Problem(f'{" and ".join(found)} overwrite each other.',
                      f'pip uninstall -y {" ".join(found)} && pip install {found[0]}')
    elif error and 'lib' in error and '.so' in error:
        yield Problem(f'OpenCV lacks a library of the system: {error}.', 'apt-get install -y libgl1 libglib2.0-0')


def _torchvision(environment: Environment) -> Iterator[Problem]:
    probe = environment.probes.get('torchvision')
    if probe and probe.error:
        yield Problem('torchvision does not fit torch, which breaks transformers and peft too; mmdass needs none.',
                      'pip uninstall -y torchvision')


def _gpu(environment: Environment) -> Iterator[Problem]:
    torch, driver = environment.probes['torch'], environment.driver
    if driver is None or (torch.error and 'torch' not in environment.versions):
        return
    if not driver:
        yield Problem('nvidia-smi is there and finds no GPU: the driver is not loaded.', 'sudo modprobe nvidia')
    elif torch.error:
        yield Problem(f'torch fails on the GPU: {torch.error}.', _reinstall_torch(environment))
    elif not torch.facts['cuda_build']:
        yield Problem(f'There is a GPU ({driver[0]}), but torch {torch.facts["version"]} is built without CUDA.',
                      _reinstall_torch(environment))
    elif not torch.facts['cuda'] and environment.variables.get('CUDA_VISIBLE_DEVICES') in ('', '-1'):
        yield Problem('CUDA_VISIBLE_DEVICES hides the GPU.', 'unset CUDA_VISIBLE_DEVICES', stops=False)
    elif not torch.facts['cuda']:
        yield Problem(
            f'torch is built for CUDA {torch.facts["cuda_build"]}, for which the driver of {driver[0]} is too old.',
            'sudo apt-get install --only-upgrade nvidia-driver')


def _reinstall_torch(environment: Environment) -> str:
    version = environment.versions['torch'].partition('+')[0]
    return f'pip install --force-reinstall torch==={version}'  # three: another build does not count as installed


def _threads(environment: Environment) -> Iterator[Problem]:
    threads = environment.probes['torch'].facts.get('threads', 0)
    if threads > environment.cores:
        yield Problem(f'torch runs {threads} threads on {environment.cores} cores that this process may use.',
                      f'export OMP_NUM_THREADS={environment.cores}', stops=False)


def _space(environment: Environment) -> Iterator[Problem]:
    disk, shared = environment.free
    if disk < 5 * _GIB:
        yield Problem(f'Only {disk / _GIB:.1f} GiB are free here; a checkpoint of MADM takes 3.5.',
                      'du -sh work_dirs/* | sort -h', stops=disk < _GIB)
    if shared is not None and shared < _GIB:
        yield Problem(f'Shared memory is {shared / _GIB:.2f} GiB: data workers die of that.',
                      'docker run --shm-size=8g ...', stops=False)


def _hub(environment: Environment) -> Iterator[Problem]:
    for name in ('HF_HUB_OFFLINE', 'TRANSFORMERS_OFFLINE'):
        if environment.variables.get(name, '').lower() in ('1', 'true', 'yes', 'on'):
            yield Problem(f'{name} is set: models with a hub id are not downloaded; folders and caches work.',
                          f'unset {name}', stops=False)


_RULES = (_mmcv_full, _family, _versions, _opencv, _torchvision, _gpu, _threads, _space, _hub)
