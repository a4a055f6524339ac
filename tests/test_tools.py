"""The tools as users call them, on a tiny config. In this process where one suffices, as imports take longest."""

import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from mmdass.checkpoints import load_checkpoint_file

ROOT = Path(__file__).parents[1]


@pytest.fixture
def call(monkeypatch, tiny_config_file):
    """Call tools/NAME.py with the tiny config; every call is an experiment of its own."""

    def run(name: str, *arguments: str) -> None:
        calls.append(name)
        options = ['--cfg-options', f'experiment_name={tiny_config_file.parent.name}_{len(calls)}']
        monkeypatch.setattr(sys, 'argv', [name, str(tiny_config_file), *map(str, arguments), *options])
        runpy.run_path(str(ROOT / f'tools/{name}.py'), run_name='__main__')

    calls = []
    return run


@pytest.fixture
def work_dir(tmp_path) -> Path:
    return tmp_path / 'work'


def test_train_then_resume_then_test(call, work_dir, tiny_config_file, capfd):
    call('train')
    checkpoint = work_dir / 'iter_2.pth'
    assert load_checkpoint_file(checkpoint)['meta']['iter'] == 2

    tiny_config_file.write_text(tiny_config_file.read_text().replace('max_iters=2', 'max_iters=3'))
    call('train', '--resume')
    assert 'resumed epoch: 0, iter: 2' in capfd.readouterr().out
    assert load_checkpoint_file(work_dir / 'iter_3.pth')['meta']['iter'] == 3

    call('test', work_dir / 'iter_3.pth', '--out', work_dir / 'predictions', '--show-dir', work_dir / 'pictures')
    assert 'mIoU' in capfd.readouterr().out
    assert len(list((work_dir / 'predictions').glob('*.png'))) == 4
    assert list(work_dir.rglob('pictures/**/*.png'))

    call('test', work_dir / 'iter_3.pth', '--tta')
    assert 'mIoU' in capfd.readouterr().out


def test_a_run_that_began_with_weights_resumes_itself(call, work_dir, tiny_config_file, tmp_path, capfd):
    call('train')
    weights = load_checkpoint_file(work_dir / 'iter_2.pth')
    torch.save(dict(state_dict=weights['state_dict']), tmp_path / 'weights.pth')
    config = tiny_config_file.read_text() + f"\nload_from = '{tmp_path}/weights.pth'\nwork_dir = '{tmp_path}/begun'\n"
    tiny_config_file.write_text(config)
    call('train', '--resume')  # as a job that is requeued has it in its first start, too
    out = capfd.readouterr().out
    assert 'begun holds nothing to resume: beginning with the weights' in out and 'resumed epoch' not in out
    tiny_config_file.write_text(config.replace('max_iters=2', 'max_iters=3'))
    call('train', '--resume')
    assert 'begun/iter_2.pth, the newest whole checkpoint' in (out := capfd.readouterr().out)
    assert 'resumed epoch: 0, iter: 2' in out


def test_any_default_hook_can_be_left_out(call, work_dir, tiny_config_file):
    text = tiny_config_file.read_text() + "\ndefault_hooks['finite_loss'] = None\n"
    tiny_config_file.write_text(text)
    call('train')
    assert (work_dir / 'iter_2.pth').is_file()


def test_amp_means_bf16(call, work_dir):
    call('train', '--amp')
    config = Config.fromfile(work_dir / 'tiny.py')
    assert config.optim_wrapper.type == 'mmdass.AutocastOptimWrapper'


def test_strict_ends_at_the_first_broken_file(call, work_dir, tiny_config_file):
    tiny_config_file.write_text(
        tiny_config_file.read_text().replace('val_interval=2', 'val_begin=3')
        + "train_dataloader = dict(train_dataloader, sampler=dict(type='KeyedSampler'), dataset=dict("
          "type='KeyedDataset', dataset=train_dataloader['dataset'], max_broken=0.5))")
    (tiny_config_file.parent / 'data/image/1.png').write_bytes(b'no image')
    call('train')
    with pytest.raises(AssertionError, match=r'1\.png'):
        call('train', '--strict')


def test_dry_run_reports_and_keeps_nothing(call, work_dir, capfd):
    call('train', '--dry-run')
    lines = capfd.readouterr().out.splitlines()
    assert any(line.startswith('decode.loss_ce: ') for line in lines)
    assert any(line.startswith('peak memory: ') and 'MiB' in line for line in lines)
    assert not any('mIoU' in line for line in lines)
    assert not work_dir.exists()


def test_out_of_memory_names_what_the_config_can_change(call, monkeypatch):
    def forward(*args, **kwargs):
        raise torch.OutOfMemoryError('CUDA out of memory.')

    monkeypatch.setattr('mmseg.models.EncoderDecoder.loss', forward)
    with pytest.raises(torch.OutOfMemoryError, match=r'CUDA out of memory\.[^~]*model.backbone.with_cp=True'):
        call('train', '--dry-run')


SCHEDULE = "dict(type='PolyLR', begin=30, by_epoch=False)"


@pytest.mark.parametrize('schedule', [SCHEDULE, f'[{SCHEDULE}]'])
def test_dry_run_with_a_schedule_to_the_end(call, tiny_config_file, capfd, schedule):
    text = tiny_config_file.read_text()
    tiny_config_file.write_text(f'{text}\nparam_scheduler = {schedule}')
    call('train', '--dry-run')
    assert 'decode.loss_ce: ' in capfd.readouterr().out


@pytest.mark.parametrize('part', ['train', 'val', 'test'])
def test_dry_run_finds_missing_data(call, tiny_config_file, part):
    text = tiny_config_file.read_text()
    tiny_config_file.write_text(f'{text}\n{part}_dataloader = dict({part}_dataloader, dataset=dict('
                                f"{part}_dataloader['dataset'], data_root='absent'))")
    with pytest.raises(FileNotFoundError, match='absent'):
        call('train', '--dry-run')


def test_tta_of_several_data_sets(call, work_dir, tiny_config_file, capfd):
    call('train')
    text = tiny_config_file.read_text()
    tiny_config_file.write_text(
        f"{text}\none = test_dataloader['dataset']\n"
        "test_dataloader = dict(test_dataloader, dataset=dict(type='ConcatDataset', datasets=[one, one]))")
    call('test', work_dir / 'iter_2.pth', '--tta')
    assert 'mIoU' in capfd.readouterr().out


def test_tta_without_a_pipeline_is_refused(call, tiny_config_file):
    tiny_config_file.write_text(tiny_config_file.read_text().replace('tta_pipeline', 'other_pipeline'))
    with pytest.raises(SystemExit, match='--tta: .*tiny.py has no tta_model or no tta_pipeline'):
        call('test', 'absent.pth', '--tta')


@pytest.mark.parametrize('name', ['dist_train', 'dist_test', 'slurm_train', 'slurm_test'])
def test_shell_tools_parse(name):
    subprocess.run(['bash', '-n', ROOT / f'tools/{name}.sh'], check=True)


@pytest.mark.parametrize('code, requeued', [(0, False), (1, False), (75, True)])
def test_slurm_requeues_what_asks_for_another_turn(tmp_path, code, requeued):
    for name, body in dict(srun=f'exit {code}', scontrol=f'echo "$@" > {tmp_path}/called').items():
        (tmp_path / name).write_text(f'#!/bin/sh\n{body}\n')
        (tmp_path / name).chmod(0o755)
    environment = dict(os.environ, PATH=f'{tmp_path}:{os.environ["PATH"]}', SLURM_JOB_ID='7')
    arguments = ['bash', ROOT / 'tools/slurm_train.sh', 'partition', 'job', 'config.py', '--resume']
    assert subprocess.run(arguments, env=environment).returncode == code
    assert (tmp_path / 'called').exists() == requeued
    assert not requeued or (tmp_path / 'called').read_text() == 'requeue 7\n'


@pytest.mark.slow
def test_two_processes_on_cpu(tiny_config_file, work_dir):
    binaries = Path(sys.executable).parent
    environment = dict(os.environ, PATH=f'{binaries}:{os.environ["PATH"]}', PORT='29713', CUDA_VISIBLE_DEVICES='')
    subprocess.run(['bash', ROOT / 'tools/dist_train.sh', tiny_config_file, '2', '--amp'], check=True, env=environment)
    subprocess.run(['bash', ROOT / 'tools/dist_test.sh', tiny_config_file, work_dir / 'iter_2.pth', '2'],
                   check=True, env=environment)
