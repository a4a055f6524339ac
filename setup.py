"""Packaging. The wheel carries ``configs/`` and ``tools/`` as ``mmdass/.mim``, where MMEngine and mim look for them."""

import os
import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent
SHIPPED = ('configs', 'tools', 'model-index.yml')
EXTRAS = ('onedl', 'openmmlab', 'mmagic', 'events', 'export', 'demo', 'docs', 'test')


def requirements(name: str) -> list[str]:
    lines = (ROOT / 'requirements' / f'{name}.txt').read_text().splitlines()
    return [line for line in lines if line and not line.startswith('#')]


def version() -> str:
    scope: dict[str, str] = {}
    exec((ROOT / 'mmdass' / 'version.py').read_text(), scope)
    return scope['__version__']


class BuildWithMim(build_py):
    """Copy what mim ships into the wheel; link it in an editable install, so that edits are seen."""

    def run(self) -> None:
        super().run()
        base = ROOT if self.editable_mode else Path(self.build_lib)
        mim = base / 'mmdass' / '.mim'
        shutil.rmtree(mim, ignore_errors=True)
        mim.mkdir(parents=True)
        for name in SHIPPED:
            if self.editable_mode:
                os.symlink(os.path.join('..', '..', name), mim / name)
            elif (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, mim / name, ignore=shutil.ignore_patterns('__pycache__'))
            else:
                shutil.copy2(ROOT / name, mim / name)


setup(
    name='mmdass',
    version=version(),
    description='Domain-adaptive semantic segmentation with diffusion models, on MMSegmentation',
    long_description=(ROOT / 'README.md').read_text(),
    long_description_content_type='text/markdown',
    license='Apache-2.0',
    python_requires='>=3.10',
    packages=find_packages(include=['mmdass', 'mmdass.*']),
    package_data={'mmdass': ['**/*']},
    exclude_package_data={'mmdass': ['**/__pycache__/*']},
    install_requires=requirements('runtime'),
    extras_require={name: requirements(name) for name in EXTRAS},
    entry_points={'console_scripts': ['mmdass = mmdass.cli:main']},
    cmdclass={'build_py': BuildWithMim},
    zip_safe=False,
)
