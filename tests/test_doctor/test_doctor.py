"""`mmdass doctor`: each fault of an environment has its command, and the doctor survives all of them."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from mmdass import doctor
from mmdass.doctor.abilities import find_abilities
from mmdass.doctor.environment import PROBES, Environment, Probe, usable_cores
from mmdass.doctor.problems import find_problems

GIB = 2**30
CPU = dict(version='2.13.0+cpu', cuda_build=None, cuda=False, threads=2, bf16=True, gpus=[])
CUDA = dict(version='2.13.0', cuda_build='13.0', cuda=True, threads=2, bf16=True, gpus=['NVIDIA H200, 139 GiB'])
HEALTHY = Environment(
    versions={'mmdass': '1.0', 'torch': '2.13.0+cpu', 'numpy': '2.4.6', 'opencv-python': '5.0', 'h5py': '3.16',
              'hdf5plugin': '7.1', 'onedl-mmengine': '0.10.12', 'onedl-mmcv': '2.3.6', 'onedl-mmsegmentation': '1.4.2'},
    requirements=['torch>=2.4', 'numpy<3,>=1.26', "onedl-mmcv<2.4,>=2.3.6; extra == 'onedl'",
                  "mmcv-lite<2.2,>=2.1.0; extra == 'openmmlab'", "gradio>=5; extra == 'demo'",
                  "mmagic==1.2.0; extra == 'mmagic'"],
    probes={name: Probe(CPU if name == 'torch' else {}) for name in PROBES if name != 'torchvision'},
    driver=None, cores=2, free=(100 * GIB, 8 * GIB), variables={})


def changed(versions: dict | None = None, probes: dict | None = None, **fields) -> Environment:
    """A healthy environment with other versions (None: not there), other probes, or other fields."""
    merged = {name: version for name, version in (HEALTHY.versions | (versions or {})).items() if version}
    return replace(HEALTHY, versions=merged, probes=HEALTHY.probes | (probes or {}), **fields)


def abilities(environment: Environment) -> dict[str, bool]:
    return {ability.name: ability.works for ability in find_abilities(environment)}


def test_a_healthy_environment_has_no_problems():
    assert find_problems(HEALTHY) == []
    assert find_problems(changed(probes=dict(torch=Probe(CUDA)), driver=['NVIDIA H200, 580.1'])) == []


@pytest.mark.parametrize(('environment', 'what', 'command', 'stops'), [
    (changed({'onedl-mmcv': None}), 'finds no mmcv', "pip install 'mmdass[onedl]'", True),
    (changed({'onedl-mmcv': None, 'onedl-mmengine': None, 'mmengine': '0.10.7'}),
     'finds no mmcv', "pip install 'mmdass[openmmlab]'", True),
    (changed({'mmcv-lite': '2.1.0'}), 'onedl-mmcv and mmcv-lite', 'pip uninstall -y onedl-mmengine onedl-mmcv', True),
    (changed({'mmcv-full': '1.7.2'}), 'mmcv-full', 'pip uninstall -y mmcv-full onedl-mmcv && pip install', True),
    (changed({'numpy': '3.1'}), 'Newer than what mmdass was tested with: numpy<3,>=1.26 (3.1 is there)',
     "pip install 'numpy<3,>=1.26'", False),
    (changed({'onedl-mmcv': '2.4'}), 'does not work with: onedl-mmcv', "pip install 'onedl-mmcv<2.4,>=2.3.6'", True),
    (changed({'numpy': '1.20', 'onedl-mmcv': '2.0'}), 'work with: numpy<3,>=1.26 (1.20 is there), onedl-mmcv<2.4',
     "pip install 'numpy<3,>=1.26' 'onedl-mmcv<2.4,>=2.3.6'", True),
    (changed(requirements=None), 'not installed', "pip install -e '.[onedl]'", False),
    (changed({'opencv-python-headless': '5.0'}), 'overwrite each other',
     'pip uninstall -y opencv-python opencv-python-headless && pip install opencv-python', True),
    (changed(probes=dict(opencv=Probe(error='ImportError: libGL.so.1: cannot open shared object file'))),
     'lacks a library of the system', 'apt-get install -y libgl1 libglib2.0-0', True),
    (changed(probes=dict(torchvision=Probe(error='RuntimeError: operator torchvision::nms does not exist'))),
     'torchvision', 'pip uninstall -y torchvision', True),
    (changed(driver=['NVIDIA H200, 580.1']), 'without CUDA', 'pip install --force-reinstall torch===2.13.0', True),
    (changed(driver=[]), 'driver is not loaded', 'modprobe', True),
    (changed(probes=dict(torch=Probe(CUDA | dict(cuda=False, gpus=[]))), driver=['NVIDIA H200, 470.1']),
     'too old', '--only-upgrade', True),
    (changed(probes=dict(torch=Probe(CUDA | dict(cuda=False, gpus=[]))), driver=['NVIDIA H200, 580.1'],
             variables=dict(CUDA_VISIBLE_DEVICES='')), 'hides the GPU', 'unset CUDA_VISIBLE_DEVICES', False),
    (changed(probes=dict(torch=Probe(CPU | dict(threads=64)))), '64 threads on 2 cores', 'OMP_NUM_THREADS=2', False),
    (changed(free=(3 * GIB, 8 * GIB)), '3.0 GiB are free', 'du', False),
    (changed(free=(GIB // 2, 8 * GIB)), '0.5 GiB are free', 'du', True),
    (changed(free=(100 * GIB, GIB // 16)), 'Shared memory is 0.06 GiB', '--shm-size', False),
    (changed(variables=dict(HF_HUB_OFFLINE='1')), 'not downloaded', 'unset HF_HUB_OFFLINE', False),
    (changed(probes=dict(mmdass=Probe(error='SyntaxError: odd'))), 'SyntaxError: odd', 'python -c', True),
])
def test_each_fault_has_its_command(environment, what, command, stops):
    problem, = find_problems(environment)
    assert what in problem.what
    assert command in problem.command
    assert problem.stops == stops


def test_the_compiled_mmcv_meets_the_classic_family():
    classic = changed({'onedl-mmengine': None, 'onedl-mmcv': None, 'onedl-mmsegmentation': None, 'mmengine': '0.10.7',
                       'mmcv': '2.1.0', 'mmsegmentation': '1.2.2'})
    assert list(classic.unmet('openmmlab')) == []
    too_new = changed({'onedl-mmcv': None, 'mmcv': '2.3.0'})
    assert list(too_new.unmet('openmmlab')) == [('mmcv-lite<2.2,>=2.1.0', '2.3.0')]


def test_what_runs_follows_from_what_is_there():
    healthy = abilities(HEALTHY)
    assert healthy == dict(
        train=True, bf16=True, translation=True, LoRA=True, **{'raw events': True, 'web page': False,
                                                               'mmagic networks': False})
    assert abilities(changed({'gradio': '5.1'}))['web page']
    no_events = changed(probes=dict(events=Probe(error="ModuleNotFoundError: No module named 'hdf5plugin'")))
    assert [ability.note for ability in find_abilities(no_events) if not ability.works][0] == (
        "pip install 'mmdass[events]'")
    broken = abilities(changed(probes=dict(torch=Probe(error='OSError: libcudart'), mmdass=Probe(error='ImportError'))))
    assert [name for name, works in broken.items() if works] == ['raw events']
    assert not abilities(changed(probes=dict(torch=Probe(CUDA | dict(bf16=False)))))['bf16']


def test_usable_cores_are_at_least_one():
    assert 1 <= usable_cores() <= (os.cpu_count() or 1)


@pytest.mark.parametrize(('argv', 'running'), [
    (['-m', 'doctor'], True), (['/usr/bin/mmdass', 'doctor'], True), (['-m', 'infer', 'doctor'], False),
    (['/x/pytest/__main__.py', 'doctor'], False), (['-c'], False)])
def test_only_the_doctor_goes_without_the_shims(monkeypatch, argv, running):
    monkeypatch.setattr(sys, 'argv', argv)
    assert doctor.is_running() == running


def test_it_works_where_nothing_else_can_be_imported(tmp_path):
    """With torch, OpenMMLab and all else blocked, as if broken."""
    (tmp_path / 'sitecustomize.py').write_text(
        'import sys\n'
        'class Blocked:\n'
        '    def find_spec(self, name, path=None, target=None):\n'
        "        if name.partition('.')[0] in ('torch', 'mmengine', 'mmcv', 'mmseg', 'numpy', 'cv2', 'diffusers',\n"
        "                                      'h5py', 'peft', 'tqdm', 'packaging'):\n"
        "            raise ImportError(f'{name} is broken')\n"
        'sys.meta_path.insert(0, Blocked())\n')
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join([str(tmp_path), str(Path(__file__).parents[2])]))
    result = subprocess.run(
        [sys.executable, '-m', 'mmdass', 'doctor'], capture_output=True, text=True, env=environment, cwd=tmp_path)
    assert result.returncode == 1
    assert result.stderr == ''
    assert 'ImportError: torch is broken' in result.stdout
    assert '`import mmdass` fails: ImportError: ' in result.stdout
    assert 'train           no' in result.stdout and 'raw events      no' in result.stdout
