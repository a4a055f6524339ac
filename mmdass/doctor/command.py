"""`mmdass doctor`: what is installed, what can run here, and for each problem the command that mends it.

Exit status: 0 if nothing stops mmdass, 1 otherwise. It works where mmdass, torch or OpenMMLab cannot be imported.
"""

import argparse
import platform
from collections.abc import Iterator, Sequence

from mmdass.family import DISTRIBUTIONS
from mmdass.version import __version__

from .abilities import find_abilities
from .environment import Environment, examine
from .problems import Problem, family_of, find_problems

_SHOWN = ('numpy', 'opencv-python', 'diffusers', 'transformers', 'accelerate', 'peft', 'safetensors', 'kornia', 'h5py',
          'hdf5plugin')


def main(argv: Sequence[str]) -> int:
    """The verb."""
    argparse.ArgumentParser(
        prog='mmdass doctor', description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    ).parse_args(argv)
    environment = examine()
    problems = find_problems(environment)
    print('\n'.join([*_describe(environment), '', *_table(environment), '', *_advice(problems)]))
    return int(any(problem.stops for problem in problems))


def _describe(environment: Environment) -> Iterator[str]:
    versions, torch = environment.versions, environment.probes['torch']
    yield f'mmdass {__version__}, Python {platform.python_version()}, {platform.platform()}'
    owners = [f'{name} {versions[name]}' for names in DISTRIBUTIONS.values() for name in names if name in versions]
    yield f'OpenMMLab: {family_of(environment) or "none"} ({", ".join(owners)})'
    if torch.error:
        yield f'torch {versions.get("torch", "missing")}: {torch.error}'
    else:
        gpus = ', '.join(torch.facts['gpus']) or 'no GPU'
        yield f'torch {torch.facts["version"]}, CUDA {torch.facts["cuda_build"] or "none"}, {gpus}'
    yield ', '.join(f'{name} {versions[name]}' for name in _SHOWN if name in versions)
    yield f'{environment.cores} cores, {environment.free[0] / 2**30:.0f} GiB free here'
    shims = environment.probes['mmdass'].facts.get('shims', [])
    yield f'Shims: {"; ".join(shims) or "none"}'


def _table(environment: Environment) -> Iterator[str]:
    yield 'Can run:'
    for ability in find_abilities(environment):
        yield f'  {ability.name:16}{"yes" if ability.works else "no":5}{ability.note}'.rstrip()


def _advice(problems: Sequence[Problem]) -> Iterator[str]:
    if not problems:
        yield 'No problems.'
    for stops, title in ((True, 'Problems:'), (False, 'Hints:')):
        if any(problem.stops == stops for problem in problems):
            yield title
        for problem in problems:
            if problem.stops == stops:
                yield from (f'  - {problem.what}', f'      {problem.command}')
