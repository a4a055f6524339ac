"""What can run in an environment."""

from collections.abc import Iterator
from dataclasses import dataclass

from .environment import Environment

_EXTRAS = dict(demo='web page', export='export', mmagic='mmagic networks')
_MMAGIC = 'pip install --no-deps mmagic==1.2.0'  # what it requires breaks more than it brings


@dataclass(frozen=True)
class Ability:
    """A row of the table: what, whether, and where it runs or what is missing."""

    name: str
    works: bool
    note: str = ''


def find_abilities(environment: Environment) -> Iterator[Ability]:
    """Rows of the table."""
    probes = environment.probes
    torch = probes['torch']
    works = probes['mmdass'].error is None and torch.error is None
    yield Ability('train', works, (', '.join(torch.facts['gpus']) or 'on the CPU') if works else 'see the problems')
    bf16 = works and torch.facts['bf16']
    slow = '' if not bf16 or torch.facts['cuda'] else 'runs on a CPU, but seldom faster'
    yield Ability('bf16', bf16, slow if bf16 or not works else 'the GPU is older than Ampere')
    for name, probe in (('translation', 'diffusers'), ('LoRA', 'peft')):
        yield Ability(name, works and probes[probe].error is None, probes[probe].error or '')
    events = probes['events'].error
    yield Ability('raw events', events is None, '' if events is None else "pip install 'mmdass[events]'")
    for extra, name in _EXTRAS.items():
        if _declares(environment, extra):
            missing = list(environment.unmet(extra))
            command = _MMAGIC if extra == 'mmagic' else f"pip install 'mmdass[{extra}]'"
            yield Ability(name, works and not missing, command if missing else '')


def _declares(environment: Environment, extra: str) -> bool:
    return any(f"extra == '{extra}'" in text.replace('"', "'") for text in environment.requirements or ())
