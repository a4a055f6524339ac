"""What is installed: the lock, the extras, the wheel's content, and what the wheel can do without a checkout."""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from importlib.metadata import distribution
from pathlib import Path

import pytest

import mmdass

ROOT = Path(__file__).parents[1]
SOURCES = ('mmdass', 'configs', 'tools', 'requirements')
SMALL = ('train_cfg.max_iters=2', 'train_cfg.val_interval=2', 'val_dataloader.dataset.num_images=2')
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
    for name in ('runtime', 'onedl', 'events', 'export', 'demo', 'docs', 'test'):
        for line in (ROOT / f'requirements/{name}.txt').read_text().splitlines():
            assert re.match(r'[\w-]+', line)[0].lower() in pins


def test_the_dockerfile_copies_what_exists():
    sources = re.findall(r'^COPY (.*) \S+$', (ROOT / 'Dockerfile').read_text(), re.MULTILINE)
    assert sources and all((ROOT / source).exists() for line in sources for source in line.split())


def files(root: Path, name: str) -> list[str]:
    """A file, or all in a folder, relative to ``root``."""
    paths = [root / name, *(root / name).rglob('*')]
    return [str(path.relative_to(root)) for path in paths if path.is_file()]


@pytest.fixture(scope='module')
def wheel(tmp_path_factory) -> Path:
    """The wheel that pip makes of the source archive."""
    folder = tmp_path_factory.mktemp('source')
    for name in SOURCES:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns('__pycache__', '.mim'))
    for path in ROOT.iterdir():
        if path.is_file():
            shutil.copy(path, folder)
    subprocess.run([sys.executable, 'setup.py', '-q', 'sdist'], cwd=folder, check=True)
    archive, = folder.glob('dist/*.tar.gz')
    pip = [sys.executable, '-m', 'pip', 'wheel', '-q', '--no-deps', '--no-build-isolation', '-w', 'out']
    subprocess.run([*pip, archive], cwd=folder, check=True)
    return folder / f'out/mmdass-{mmdass.__version__}-py3-none-any.whl'


@pytest.fixture(scope='module')
def installed(wheel, tmp_path_factory):
    """Call a program of a new environment, in an empty folder: the wheel, on top of what is installed here but us."""
    folder = tmp_path_factory.mktemp('empty')
    environment = tmp_path_factory.mktemp('environment')
    subprocess.run([sys.executable, '-m', 'venv', '--without-pip', environment], check=True)
    packages = Path(sysconfig.get_path('purelib', 'venv', vars=dict(base=environment)))
    # A line in a .pth file is searched after the environment's own packages; .pth files in there are not read, so
    # that an editable install of ours stays unseen.
    (packages / 'below.pth').write_text(sysconfig.get_path('purelib'))
    subprocess.run([sys.executable, '-m', 'pip', '--python', environment / 'bin/python', 'install', '-q', '--no-deps',
                    '--no-index', wheel], check=True)

    def call(program: str, *arguments) -> str:
        env = {k: v for k, v in os.environ.items() if k != 'PYTHONPATH'}
        done = subprocess.run([environment / 'bin' / program, *arguments], cwd=folder, env=env, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        assert done.returncode == 0, done.stdout
        return done.stdout

    call.folder = folder
    return call


@pytest.mark.slow
def test_the_wheel_carries_configs_tools_and_data(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    source = wheel.parents[1]
    for shipped in ('configs', 'tools', 'model-index.yml'):
        assert {f'mmdass/.mim/{file}' for file in files(source, shipped)} <= names
    assert set(files(source, 'mmdass')) <= names


@pytest.mark.slow
def test_the_wheel_works_without_a_checkout(installed):
    assert str(ROOT) not in installed('python', '-c', 'import mmdass; print(mmdass.__file__)')
    config, checkpoint = 'mmdass::madm/toy_event.py', 'work_dirs/toy_event/iter_2.pth'
    assert 'mIoU' in installed('mmdass', 'train', config, '--cfg-options', *SMALL)
    assert 'mIoU' in installed(
        'mmdass', 'test', config, checkpoint, '--cfg-options', 'test_dataloader.dataset.num_images=2')
    installed('mmdass', 'prepare', 'toy', 'toy_images', '--num-train', '1', '--num-val', '1')
    installed('mmdass', 'infer', config, checkpoint, 'toy_images/event/val/image', '--out', 'predictions')
    assert list(installed.folder.glob('predictions/**/*.png'))
    assert 'mmdass' in installed('mmdass', 'doctor')
    (installed.folder / 'mine.py').write_text("_base_ = 'mmdass::sgg_ptl/denoiser_toy.py'\n")
    assert 'loss: ' in installed('mmdass', 'train', 'mine.py', '--dry-run')
