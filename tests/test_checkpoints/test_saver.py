"""A failing write leaves whole files only, by hand and in a training."""

from pathlib import Path

import pytest
from mmengine.fileio import LocalBackend, get_file_backend
from mmengine.runner import Runner, find_latest_checkpoint

from mmdass.checkpoints import load_checkpoint_file, replace_atomically


def test_a_finished_block_replaces_the_file(tmp_path):
    path = tmp_path / 'new' / 'a.txt'
    for text in ('old', 'new'):
        with replace_atomically(path) as partial:
            partial.write_text(text)
            assert partial.parent == path.parent
    assert path.read_text() == 'new'
    assert list(path.parent.iterdir()) == [path]


def test_a_failed_block_keeps_the_old_file(tmp_path):
    path = tmp_path / 'a.txt'
    path.write_text('old')
    with pytest.raises(OSError), replace_atomically(path) as partial:
        partial.write_text('ne')
        raise OSError
    assert path.read_text() == 'old'
    assert list(tmp_path.iterdir()) == [path]


def fill_disk(monkeypatch, after: int) -> None:
    """Let ``after`` writes of checkpoints pass; the next is cut in the middle, as on a full disk."""
    write, written = LocalBackend.put, []

    def put(self, obj, filepath):
        written.append(filepath)
        if len(written) <= after:
            return write(self, obj, filepath)
        write(self, obj[:len(obj) // 2], filepath)
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr(LocalBackend, 'put', put)


def test_backend_is_found_by_name(tmp_path, monkeypatch):
    backend = get_file_backend(tmp_path, backend_args=dict(backend='mmdass_atomic'))
    backend.put(b'old', tmp_path / 'a')
    fill_disk(monkeypatch, after=0)
    with pytest.raises(OSError):
        backend.put(b'newer', tmp_path / 'a')
    assert (tmp_path / 'a').read_bytes() == b'old'


def test_a_training_that_fills_the_disk_can_resume(tiny_config, monkeypatch):
    """The shipped runtime config: the failed second checkpoint leaves the first one, named as the latest."""
    runner = Runner.from_cfg(tiny_config)
    with monkeypatch.context() as patch:
        fill_disk(patch, after=1)
        with pytest.raises(OSError, match='No space left'):
            runner.train()
    work_dir = Path(runner.work_dir)
    assert [path.name for path in work_dir.iterdir() if 'iter' in path.name] == ['iter_1.pth']
    assert load_checkpoint_file(find_latest_checkpoint(work_dir))['meta']['iter'] == 1

    tiny_config.resume = True
    tiny_config.experiment_name += '_resumed'
    resumed = Runner.from_cfg(tiny_config)
    resumed.train()
    assert resumed.iter == 2
    assert load_checkpoint_file(work_dir / 'iter_2.pth')['meta']['iter'] == 2
