"""The verb `convert`, with a family of the test's own."""

import pytest
import torch

from mmdass.checkpoints import CheckpointError, load_checkpoint_file
from mmdass.checkpoints.convert import FAMILIES, ConvertReport, main

WEIGHT = torch.arange(3.)


def rename(state_dict):
    if 'old.weight' not in state_dict:
        raise CheckpointError('it has no old.weight.')
    unused = [name for name in state_dict if name != 'old.weight']
    return ConvertReport({'new.weight': state_dict['old.weight']}, ['old.weight'], unused, ['old.bias'])


@pytest.fixture(autouse=True)
def family(monkeypatch):
    monkeypatch.setitem(FAMILIES, 'renamed', f'{__name__}:rename')
    monkeypatch.setattr('pkgutil.resolve_name', lambda target: rename)


def convert(source, target) -> int:
    return main(['--from', 'renamed', str(source), str(target)])


@pytest.mark.parametrize('wrap', [lambda weights: weights, lambda weights: dict(model=weights, iteration=3),
                                  lambda weights: dict(state_dict=weights, meta={})])
@pytest.mark.parametrize('target', ['new.pth', 'new.safetensors'])
def test_converts_and_names_every_key(tmp_path, capsys, wrap, target):
    torch.save(wrap({'old.weight': WEIGHT, 'vae.bias': WEIGHT}), tmp_path / 'old.pth')
    assert convert(tmp_path / 'old.pth', tmp_path / target) == 0
    assert capsys.readouterr().out.splitlines() == [
        '1 keys used', '1 keys unused', '  vae.bias', '1 keys missing', '  old.bias', f'wrote {tmp_path / target}']
    checkpoint = load_checkpoint_file(tmp_path / target)
    assert torch.equal(checkpoint.get('state_dict', checkpoint)['new.weight'], WEIGHT)


def test_a_file_of_another_family_is_refused_with_a_sentence(tmp_path, capsys):
    torch.save(dict(weight=WEIGHT), tmp_path / 'other.pth')
    assert convert(tmp_path / 'other.pth', tmp_path / 'new.pth') == 1
    assert capsys.readouterr().err == (
        f'mmdass convert: {tmp_path}/other.pth is no renamed checkpoint: it has no old.weight.\n')
    assert not (tmp_path / 'new.pth').exists()


def test_a_missing_file_is_refused_with_a_sentence(tmp_path, capsys):
    assert convert(tmp_path / 'absent.pth', tmp_path / 'new.pth') == 1
    assert 'absent.pth' in capsys.readouterr().err


def test_a_failed_write_leaves_the_old_result(tmp_path, monkeypatch):
    torch.save({'old.weight': WEIGHT}, tmp_path / 'old.pth')
    (tmp_path / 'new.pth').write_bytes(b'earlier')

    def save(content, path):
        path.write_bytes(b'half')
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr(torch, 'save', save)
    with pytest.raises(OSError):
        convert(tmp_path / 'old.pth', tmp_path / 'new.pth')
    assert (tmp_path / 'new.pth').read_bytes() == b'earlier'
    assert sorted(path.name for path in tmp_path.iterdir()) == ['new.pth', 'old.pth']
