"""What is installed: the wheel's content, the lock, the extras."""

import shutil
import subprocess
import sys
import zipfile
from importlib.metadata import distribution
from pathlib import Path

import pytest

import mmdass

ROOT = Path(__file__).parents[1]
SOURCES = ('mmdass', 'configs', 'tools', 'requirements')
FAMILIES = ('mmengine', 'mmcv', 'mmsegmentation')


def test_no_family_is_a_hard_dependency():
    hard = [line for line in distribution('mmdass').requires if 'extra ==' not in line]
    assert any(line.startswith('torch') for line in hard)
    assert not [line for line in hard if any(name in line for name in FAMILIES)]


def test_the_extras_name_one_family_each():
    extras = {name: (ROOT / f'requirements/{name}.txt').read_text() for name in ('onedl', 'openmmlab')}
    assert all(f'onedl-{name}' in extras['onedl'] for name in FAMILIES)
    assert 'onedl' not in extras['openmmlab']


def test_the_lock_pins_everything_that_we_require():
    pins = [line.partition('==')[0].lower() for line in (ROOT / 'constraints.txt').read_text().splitlines()]
    for name in ('runtime', 'onedl', 'events', 'test'):
        for line in (ROOT / f'requirements/{name}.txt').read_text().splitlines():
            assert line.partition('>')[0].partition('=')[0].strip().lower() in pins


@pytest.mark.slow
def test_the_wheel_carries_configs_tools_and_data(tmp_path):
    for name in SOURCES:
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns('__pycache__', '.mim'))
    for path in ROOT.iterdir():
        if path.is_file():
            shutil.copy(path, tmp_path)
    subprocess.run([sys.executable, '-m', 'pip', 'wheel', '-q', '--no-deps', '--no-build-isolation', '-w', 'out', '.'],
                   cwd=tmp_path, check=True)
    names = set(zipfile.ZipFile(tmp_path / f'out/mmdass-{mmdass.__version__}-py3-none-any.whl').namelist())
    for folder in ('configs', 'tools'):
        for path in (ROOT / folder).rglob('*'):
            if path.is_file() and '__pycache__' not in path.parts:
                assert f'mmdass/.mim/{path.relative_to(ROOT)}' in names
    for path in (ROOT / 'mmdass').rglob('*'):
        if path.suffix in ('.py', '.json', '.safetensors') and '.mim' not in path.parts:
            assert str(path.relative_to(ROOT)) in names
    assert 'mmdass/.mim/model-index.yml' in names
