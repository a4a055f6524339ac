"""The shims, on whichever family is installed."""

import logging
from pathlib import Path

import mmcv
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.logging import HistoryBuffer, print_log
from mmengine.utils import get_installed_path

from mmdass.utils.compat import has_compiled_operators, prepare_cpu_distributed


def test_training_checkpoints_load_with_weights_only(tmp_path):
    history = HistoryBuffer()
    history.update(0.5, 1)
    content = dict(history=history, best=np.float64(1), seed=np.int64(3), mean=np.arange(3, dtype=np.uint8))
    torch.save(content, tmp_path / 'a.pth')
    loaded = torch.load(tmp_path / 'a.pth', weights_only=True)
    assert loaded['history'].current() == 0.5
    assert (loaded['best'], loaded['seed']) == (1, 3)


def finds_ours() -> bool:
    return Path(get_installed_path('mmdass'), '.mim').exists()


@pytest.mark.parametrize('base', ['mmseg::_base_/default_runtime.py', pytest.param(
    'mmdass::_base_/default_runtime.py',
    marks=pytest.mark.skipif(not finds_ours(), reason='classic MMEngine does not look inside editable installs'))])
def test_bases_of_installed_packages_are_found(tmp_path, base):
    path = tmp_path / 'config.py'
    path.write_text(f"_base_ = '{base}'")
    assert Config.fromfile(path).default_scope == base.partition('::')[0]


def test_debug_messages_are_not_printed(capsys):
    print_log('could not import what nobody asked for', level=logging.DEBUG)
    assert capsys.readouterr().out == ''
    print_log('said')
    assert 'said' in capsys.readouterr().out


@pytest.mark.skipif(has_compiled_operators(), reason='mmcv has its compiled operators')
def test_ops_in_plain_pytorch_work_and_compiled_ones_refuse():
    from mmcv.ops import DeformConv2d, point_sample
    picture = torch.arange(16.).view(1, 1, 4, 4)
    assert point_sample(picture, torch.tensor([[[0.5, 0.5]]])).item() == picture.mean()
    with pytest.raises(ImportError, match='deform_conv_forward needs mmcv built with its compiled operators'):
        DeformConv2d(1, 1, 1)(picture, torch.zeros(1, 2, 4, 4))
    assert mmcv.utils.collect_env()['MMCV Compiler'] == 'n/a'


def test_one_process_is_left_alone(monkeypatch):
    monkeypatch.delenv('RANK', raising=False)
    cfg = Config(dict(a=1))
    prepare_cpu_distributed(cfg)
    assert cfg.to_dict() == dict(a=1)


@pytest.mark.skipif(torch.cuda.is_available(), reason='for machines without CUDA')
@pytest.mark.parametrize('wrapper', [None, dict(type='MMFullyShardedDataParallel')])
def test_processes_without_cuda_use_gloo_and_no_device(monkeypatch, wrapper):
    groups = []
    monkeypatch.setenv('RANK', '0')
    monkeypatch.setattr(
        torch.distributed, 'init_process_group', lambda backend, timeout: groups.append((backend, timeout.seconds)))
    cfg = Config(dict(find_unused_parameters=True, env_cfg=dict(dist_cfg=dict(timeout=60))))
    if wrapper:
        cfg.model_wrapper_cfg = wrapper
    prepare_cpu_distributed(cfg)
    assert groups == [('gloo', 60)]
    assert cfg.model_wrapper_cfg.device_ids is None
    if wrapper:
        assert cfg.model_wrapper_cfg.type == wrapper['type']
    else:
        assert cfg.model_wrapper_cfg.find_unused_parameters
