"""What --resume takes: the newest checkpoint that is whole."""

import os
import re
from pathlib import Path

import pytest
import torch

from mmdass.checkpoints import CheckpointError
from mmdass.checkpoints.newest import find_damage, point_to_newest


def write(folder: Path, iteration: int, **parts) -> Path:
    path = folder / f'iter_{iteration}.pth'
    state = dict(meta=dict(iter=iteration), state_dict=dict(weight=torch.ones(1000)), message_hub={}, optimizer={})
    torch.save(state | parts, path)
    return path


def chosen(folder: Path) -> str:
    return Path((folder / 'last_checkpoint').read_text()).name


@pytest.fixture
def folder(tmp_path) -> Path:
    """Two whole checkpoints; a kill left the name of the last one empty."""
    for iteration in (900, 1000):
        write(tmp_path, iteration)
    (tmp_path / 'last_checkpoint').write_text('')
    return tmp_path


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1000])


def flip_a_bit(path: Path) -> None:
    """In the middle of the weights, where ``torch.load`` does not notice it."""
    data = bytearray(path.read_bytes())
    data[data.index(torch.ones(1000).numpy().tobytes()) + 2000] ^= 1
    path.write_bytes(data)
    torch.load(path, weights_only=True)


def empty(path: Path) -> None:
    path.write_bytes(b'')


def no_checkpoint(path: Path) -> None:
    torch.save([1, 2], path)


def weights_alone(path: Path) -> None:
    torch.save(dict(meta={}, state_dict={}), path)


def test_the_highest_iteration_is_taken(folder):
    (line, ) = point_to_newest(folder)
    assert chosen(folder) == 'iter_1000.pth' and 'iter_1000.pth, the newest whole checkpoint' in line


@pytest.mark.parametrize('harm, reason', [
    (cut, 'empty or cut off'), (empty, r'empty or cut off \(0 bytes\)'), (flip_a_bit, 'damaged: .*data/0 in it'),
    (no_checkpoint, 'no training state, it lacks meta'), (weights_alone, '.*lacks message_hub, optimizer')])
def test_others_are_passed_over_with_a_reason(folder, harm, reason):
    harm(folder / 'iter_1000.pth')
    taken, passed = point_to_newest(folder)
    assert chosen(folder) == 'iter_900.pth' and 'iter_900.pth' in taken
    assert re.search(f'Passed over .*iter_1000.pth: {reason}', passed)


def test_none_whole_is_no_reason_to_begin_anew(folder):
    for path in folder.glob('*.pth'):
        cut(path)
    with pytest.raises(CheckpointError, match='(?s)No checkpoint in .* can be resumed.*iter_1000.*iter_900.*cut off'):
        point_to_newest(folder)


def test_an_empty_folder_is_a_beginning(tmp_path):
    assert point_to_newest(tmp_path) == point_to_newest(tmp_path / 'absent') == []


def test_checkpoints_may_lie_elsewhere(folder, tmp_path_factory):
    """As with ``CheckpointHook(out_dir=...)``."""
    work_dir = tmp_path_factory.mktemp('work')
    (work_dir / 'last_checkpoint').write_text(str(folder / 'iter_900.pth'))
    point_to_newest(work_dir)
    assert chosen(work_dir) == 'iter_1000.pth'


def test_an_earlier_run_that_came_farther_is_not_taken(folder):
    os.utime(folder / 'iter_1000.pth', (0, 0))
    (folder / 'last_checkpoint').write_text(str(folder / 'iter_900.pth'))
    write(folder, 950)  # a kill left its name unwritten
    point_to_newest(folder)
    assert chosen(folder) == 'iter_950.pth'


def test_a_copied_or_moved_folder_names_its_own(folder, tmp_path_factory):
    copied = tmp_path_factory.mktemp('copied')
    write(copied, 500)
    for named in (folder / 'iter_900.pth', '/gone/iter_900.pth'):
        (copied / 'last_checkpoint').write_text(str(named))
        point_to_newest(copied)
        assert Path((copied / 'last_checkpoint').read_text()) == copied / 'iter_500.pth'


def test_nothing_in_a_file_is_executed(tmp_path):
    class Harm:
        def __reduce__(self):
            return Path.touch, (tmp_path / 'executed', )

    assert 'unreadable' in find_damage(write(tmp_path, 1, extra=Harm()))
    assert not (tmp_path / 'executed').exists()
