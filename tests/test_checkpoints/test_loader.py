"""What the loader takes, and what it refuses and how."""

import os
import pickle

import pytest
import torch
from mmengine.model import BaseModule
from mmengine.runner import load_checkpoint
from safetensors.torch import save_file

from mmdass.checkpoints import CheckpointError, load_checkpoint_file

WEIGHTS = dict(weight=torch.arange(6.).reshape(2, 3))


class Malicious:
    """Creates a file when it is unpickled."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.mkdir, (str(self.marker), )


def write_zip(path, content):
    torch.save(content, path)


def write_legacy(path, content):
    torch.save(content, path, _use_new_zipfile_serialization=False)


def write_plain_pickle(path, content):
    path.write_bytes(pickle.dumps(content, protocol=2))


@pytest.mark.parametrize('write', [write_zip, write_legacy])
def test_reads_what_torch_saves(tmp_path, write):
    write(tmp_path / 'a.pth', dict(state_dict=WEIGHTS, meta=dict(iter=3)))
    checkpoint = load_checkpoint_file(tmp_path / 'a.pth')
    assert checkpoint['meta'] == dict(iter=3)
    assert torch.equal(checkpoint['state_dict']['weight'], WEIGHTS['weight'])


@pytest.mark.parametrize('map_location', ['cpu', torch.device('cpu'), None, lambda storage, _: storage])
def test_reads_safetensors(tmp_path, map_location):
    save_file(WEIGHTS, tmp_path / 'a.safetensors')
    assert torch.equal(load_checkpoint_file(tmp_path / 'a.safetensors', map_location)['weight'], WEIGHTS['weight'])


@pytest.mark.parametrize('write', [write_zip, write_legacy, write_plain_pickle])
@pytest.mark.parametrize('load', [load_checkpoint_file, lambda path: load_checkpoint(BaseModule(), str(path))])
def test_code_in_a_pickle_is_refused_and_not_executed(tmp_path, write, load):
    write(tmp_path / 'evil.pth', dict(state_dict=Malicious(tmp_path / 'pwned')))
    with pytest.raises(CheckpointError, match=r'evil\.pth is refused, and nothing in it was executed'):
        load(tmp_path / 'evil.pth')
    assert not (tmp_path / 'pwned').exists()


@pytest.mark.parametrize('suffix', ['pth', 'safetensors'])
@pytest.mark.parametrize('content', [b'', b'just some text\n', b'PK\x03\x04', b'\x80\x02', os.urandom(4096)])
def test_what_is_no_checkpoint_is_named(tmp_path, suffix, content):
    path = tmp_path / f'broken.{suffix}'
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=rf'broken\.{suffix} is empty, cut off or no'):
        load_checkpoint_file(path)


@pytest.mark.parametrize('share', [0.1, 0.5, 0.99])
@pytest.mark.parametrize('write', [write_zip, write_legacy])
def test_a_truncated_checkpoint_is_named(tmp_path, write, share):
    path = tmp_path / 'cut.pth'
    write(path, dict(state_dict=WEIGHTS))
    path.write_bytes(path.read_bytes()[:int(path.stat().st_size * share)])
    with pytest.raises(CheckpointError, match=r'cut\.pth is'):
        load_checkpoint_file(path)


def test_a_checkpoint_without_a_dict_is_named(tmp_path):
    torch.save([1, 2], tmp_path / 'list.pth')
    with pytest.raises(CheckpointError, match=r'list\.pth holds a list'):
        load_checkpoint_file(tmp_path / 'list.pth')


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match='no checkpoint .*absent.pth'):
        load_checkpoint_file(tmp_path / 'absent.pth')


def test_mmengine_loads_safetensors_into_a_model(tmp_path):
    save_file(WEIGHTS, tmp_path / 'a.safetensors')
    model = torch.nn.Linear(3, 2, bias=False)
    load_checkpoint(model, str(tmp_path / 'a.safetensors'))
    assert torch.equal(model.weight, WEIGHTS['weight'])


def test_an_address_is_downloaded_once_and_read_safely(tmp_path, monkeypatch):
    downloads = []

    def download(address, path):
        downloads.append(address)
        torch.save(WEIGHTS, path)

    monkeypatch.setattr(torch.hub, 'get_dir', lambda: str(tmp_path))
    monkeypatch.setattr(torch.hub, 'download_url_to_file', download)
    model = torch.nn.Linear(3, 2, bias=False)
    for _ in range(2):
        load_checkpoint(model, 'https://example.org/models/a.pth?version=2')
    load_checkpoint(model, 'https://example.org/others/a.pth')
    assert downloads == ['https://example.org/models/a.pth?version=2', 'https://example.org/others/a.pth']
    assert len(list(tmp_path.glob('checkpoints/a_*.pth'))) == 2  # one name, two files
    assert torch.equal(model.weight, WEIGHTS['weight'])
