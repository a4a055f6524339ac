"""The table of verbs."""

import pkgutil
import subprocess
import sys

import pytest

from mmdass.benchmarks import BENCHMARKS
from mmdass.checkpoints.convert import FAMILIES
from mmdass.cli import VERBS, main, run_verb

CALLS = {'greet': (f'{__name__}:greet', 'say hello')}


def greet(argv: list[str]) -> int:
    assert argv == ['--loud', 'you', '--help']
    return 7


@pytest.mark.parametrize('target', [target for target, _ in [*VERBS.values(), *BENCHMARKS.values()]]
                         + list(FAMILIES.values()))
def test_every_entry_leads_to_a_function(target):
    assert callable(pkgutil.resolve_name(target))


def test_help_lists_every_verb():
    result = subprocess.run([sys.executable, '-m', 'mmdass', '--help'], capture_output=True, text=True, check=True)
    for verb, (_, what) in VERBS.items():
        assert f'{verb}  ' in result.stdout
        assert what in result.stdout


def test_a_verb_gets_its_options_and_gives_the_exit_status(monkeypatch):
    monkeypatch.setattr('pkgutil.resolve_name', lambda target: greet)
    assert run_verb('test', CALLS, ['greet', '--loud', 'you', '--help']) == 7


@pytest.mark.parametrize('argv', [[], ['nonsense'], ['benchmark', 'nonsense']])
def test_an_unknown_verb_is_refused_with_the_choices(argv, capsys):
    with pytest.raises(SystemExit) as caught:
        main(argv)
    assert caught.value.code == 2
    assert 'VERB' in capsys.readouterr().err
