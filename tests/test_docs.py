"""The documentation cannot rot: commands parse, name what exists, and run where that takes no data; links lead on."""

import argparse
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from mmengine.config import Config

from mmdass.cli import VERBS, main
from mmdass.utils.config import load_config

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / 'README.md', *sorted((ROOT / 'docs').glob('*.md')), *sorted((ROOT / 'configs').glob('*/README.md'))]
BLOCK = re.compile(r'^```(?:bash|shell)\n(.*?)^```', re.MULTILINE | re.DOTALL)
MENTION = re.compile(r'`(mmdass|make) (\w+)')
LINK = re.compile(r'\]\((?!https?:)([^)#]*)')
NO_PROGRAM = {'for', 'done', 'export', 'cd'}
SHORT = ['train_cfg.max_iters=2', 'train_cfg.val_interval=2', 'val_dataloader.dataset.num_images=2']


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def commands(text: str) -> list[list[str]]:
    """The words of each command of shell code, without comments, keywords and variables before it."""
    found = []
    for line in text.replace('\\\n', ' ').splitlines():
        words = shlex.shlex(line, posix=True, punctuation_chars=True)
        words.whitespace_split = True
        command: list[str] = []
        for word in [*words, ';']:
            if set(word) <= set(';&|<>()'):
                if command and command[0] not in NO_PROGRAM:
                    found.append(command)
                command = []
            elif command or not (word in ('do', 'nohup') or re.match(r'\w+=', word)):
                command.append(word)
    return found


COMMANDS = {name(page): [command for code in BLOCK.findall(page.read_text()) for command in commands(code)]
            for page in PAGES}


class Parsed(BaseException):
    """What a program was told, raised as soon as it knows."""

    def __init__(self, namespace: argparse.Namespace) -> None:
        self.namespace = namespace


@pytest.fixture
def parse(monkeypatch):
    """Let a command parse its arguments and do no more."""
    parse_args = argparse.ArgumentParser.parse_args

    def parse_and_stop(self, *args, **kwargs):
        namespace = parse_args(self, *args, **kwargs)
        if 'verb' in namespace:
            return namespace
        raise Parsed(namespace)

    def parse(command: list[str]) -> argparse.Namespace | None:
        words = as_verb(command)
        if words is None or words[-1] == '--help' or '...' in words:
            return None
        with pytest.raises(Parsed) as parsed:
            main(words)
        return parsed.value.namespace

    monkeypatch.setattr(argparse.ArgumentParser, 'parse_args', parse_and_stop)
    return parse


def as_verb(command: list[str]) -> list[str] | None:
    """The verb of ours and its arguments that a command comes down to; None for another program, which is checked."""
    program, *rest = command
    if program == 'mmdass':
        return rest
    if program == 'torchrun':
        return as_verb(['python', *rest[2:]])
    if program == 'bash':
        launcher, tool = re.fullmatch(r'tools/(dist|slurm)_(train|test)\.sh', rest[0]).groups()
        files = 1 if tool == 'train' else 2  # config and checkpoint; then the number of GPUs, or before: partition, job
        return [tool, *(rest[3:] if launcher == 'slurm' else rest[1:1 + files] + rest[2 + files:])]
    if program == 'python' and rest[:2] == ['-m', 'mmdass']:
        return rest[2:]
    if program == 'python' and rest[0].startswith('tools/'):
        return [Path(rest[0]).stem, *rest[1:]]
    if program == 'python':
        assert rest[0] == '-c' and compile(rest[1], 'command', 'exec') or (ROOT / rest[0]).is_file()
    elif program == 'make':
        assert rest[0] in targets()
    elif program == 'pip' and rest[0] == 'install':
        extras = [extra for word in rest for extra in re.findall(r'mmdass\[([\w,]+)\]', word)]
        assert all((ROOT / f'requirements/{extra}.txt').is_file() for each in extras for extra in each.split(','))
    elif program not in ('pip', 'docker'):
        pytest.fail(f'{command}: {__file__} does not know how to check this')
    return None


def targets() -> list[str]:
    return re.findall(r'^([\w-]+):', (ROOT / 'Makefile').read_text(), re.MULTILINE)


def is_known(cfg: Config, key: str) -> bool:
    """Whether an option changes an entry that exists, or adds one to a dict that exists."""
    for part in key.split('.')[:-1]:
        cfg = cfg[int(part)] if part.isdigit() else cfg.get(part)
        if cfg is None:
            return False
    return '.' in key or key in cfg


@pytest.mark.parametrize('page', [page for page in COMMANDS if COMMANDS[page]])
def test_commands(page, parse, monkeypatch):
    monkeypatch.chdir(ROOT)
    for command in COMMANDS[page]:
        args = parse(command)
        config = getattr(args, 'config', None)
        if config is None or not re.match('configs/|mmdass::', config):
            continue
        cfg = load_config(config)
        for key in getattr(args, 'cfg_options', None) or {}:
            assert is_known(cfg, key), f'{config} has nothing like {key}, which {command} sets'


WRONG = ['mmdass nonsense', 'python tools/train.py CONFIG --nonsense', 'nonsense', 'make nonsense']


@pytest.mark.parametrize('line', WRONG)
def test_a_wrong_command_is_noticed(line, parse):
    with pytest.raises((SystemExit, AssertionError, pytest.fail.Exception)):
        parse(*commands(line))


@pytest.mark.parametrize('page', PAGES, ids=name)
def test_verbs_and_targets_that_sentences_mention(page):
    for program, word in MENTION.findall(page.read_text()):
        assert word in (VERBS if program == 'mmdass' else targets())


@pytest.mark.parametrize('page', PAGES, ids=name)
def test_links(page):
    for link in LINK.findall(page.read_text()):
        assert (page.parent / link).exists(), f'{page} links to {link}'


def test_the_site_has_every_page():
    nav = re.findall(r'^ +- (\S+\.md)$', (ROOT / 'mkdocs.yml').read_text(), re.MULTILINE)
    assert sorted(page for page in nav if '/api/' not in page) == sorted(map(name, PAGES))


def toy_configs() -> list[str]:
    """The configs of the toy world that a page says how to train; a distillation needs a teacher first."""
    words = [word for page in COMMANDS.values() for command in page for word in command if 'train' in ' '.join(command)]
    configs = {word.replace('mmdass::', 'configs/') for word in words if re.search(r'/(denoiser_)?toy\w*\.py$', word)}
    return sorted(config for config in configs if '/distill/' not in config)


@pytest.mark.slow
@pytest.mark.parametrize('config', toy_configs())
def test_dry_run(config, tmp_path):
    run(['-m', 'mmdass', 'train', str(ROOT / config), '--dry-run'], tmp_path)


@pytest.mark.slow
def test_the_first_page_from_an_empty_folder(tmp_path):
    for command in COMMANDS['docs/start.md']:
        words = [re.sub(r'iter_\d+', 'iter_2', word) for word in as_verb(command) or ['--help']]
        run(['-m', 'mmdass', *words, *(['--cfg-options', *SHORT] if words[0] == 'train' else [])], tmp_path)
    assert list((tmp_path / 'predictions').rglob('*.png'))


def run(arguments: list[str], folder: Path) -> None:
    done = subprocess.run([sys.executable, *arguments], cwd=folder, env=dict(os.environ, OMP_NUM_THREADS='1'),
                          text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert done.returncode == 0, done.stdout
