"""At every moment of a training there is a whole checkpoint."""

from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.evaluator import BaseMetric
from mmengine.fileio import LocalBackend
from mmengine.runner import Runner

from mmdass.checkpoints import CheckpointError, load_checkpoint_file
from mmdass.checkpoints.newest import find_damage, point_to_newest


def saved(runner: Runner) -> list[str]:
    return sorted(path.name for path in Path(runner.work_dir).glob('*.pth'))


@pytest.fixture
def make(tiny_config, monkeypatch):
    """Function of options of the hook: a Runner that trains and validates four times and keeps one checkpoint."""
    monkeypatch.setattr(Config, 'pretty_text', property(lambda self: ''))  # for speed

    def make(**options) -> Runner:
        tiny_config.train_cfg.update(max_iters=4, val_interval=1)
        tiny_config.default_hooks.checkpoint.update(max_keep_ckpts=1, interval=1, **options)
        return Runner.from_cfg(tiny_config)

    return make


@pytest.fixture
def spoil(monkeypatch):
    """Function ``(number, change)``: that write of a checkpoint, from 1, writes ``change(bytes)``."""

    def spoil(number, change):
        write, written = LocalBackend.put, []

        def put(self, obj, filepath):
            written.append(filepath)
            write(self, change(obj) if len(written) == number else obj, filepath)

        monkeypatch.setattr(LocalBackend, 'put', put)

    return spoil


def no_space(data: bytes) -> bytes:
    raise OSError(28, 'No space left on device')


def flip_a_bit(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1:]


def test_the_old_one_goes_when_the_new_one_is_whole(make, spoil):
    runner = make()
    spoil(3, no_space)
    with pytest.raises(OSError, match='No space'):
        runner.train()
    assert saved(runner) == ['iter_2.pth']  # MMEngine would have deleted it
    assert find_damage(Path(runner.work_dir, 'iter_2.pth')) is None


def test_without_the_optimizer_if_so_wanted(make):
    runner = make(save_optimizer=False)
    runner.train()
    assert 'no training state, it lacks optimizer' in find_damage(Path(runner.work_dir, 'iter_4.pth'))


def test_as_many_are_kept_as_wanted(make):
    runner = make()
    runner.train()
    assert saved(runner) == ['iter_4.pth']


def test_a_bad_write_is_noticed(make, spoil):
    runner = make()
    spoil(2, flip_a_bit)
    with pytest.raises(CheckpointError, match=r'iter_2.pth was written, but read back it is damaged'):
        runner.train()
    assert saved(runner) == ['iter_1.pth', 'iter_2.pth']
    assert 'iter_1.pth' in point_to_newest(runner.work_dir)[0]


def test_what_a_kill_left_is_removed(make):
    runner = make()
    partial = Path(runner.work_dir, '.iter_3.pth.123.partial')
    partial.write_bytes(b'half')
    runner.train()
    assert not partial.exists()


class GivenScores(BaseMetric):
    """Says what the test wants."""

    def __init__(self, scores: tuple[float, ...]) -> None:
        super().__init__()
        self.scores = iter(scores)

    def process(self, data_batch: dict, data_samples: list) -> None:
        self.results.append(None)

    def compute_metrics(self, results: list) -> dict[str, float]:
        return dict(mIoU=next(self.scores))


def train_for_best(runner: Runner, *scores: float) -> None:
    runner.val_loop.evaluator.metrics = [GivenScores(scores)]
    runner.train()


def test_the_best_one_is_kept(make):
    runner = make(save_best='mIoU')
    train_for_best(runner, 10., 30., 20., 25.)
    assert saved(runner) == ['best_mIoU_iter_2.pth', 'iter_4.pth']
    assert load_checkpoint_file(Path(runner.work_dir, 'best_mIoU_iter_2.pth'))['meta']['iter'] == 2


def test_what_is_saved_again_for_the_best_knows_its_validation(make):
    """Or a resumed run would validate a second time."""
    runner = make(save_best='mIoU')
    train_for_best(runner, 10., 20., 30., 40.)
    last = load_checkpoint_file(Path(runner.work_dir, 'iter_4.pth'))
    assert last['message_hub']['runtime_info']['last_validation'] == 4


def test_the_old_best_one_goes_when_the_new_one_is_whole(make, spoil):
    runner = make(save_best='mIoU')
    spoil(5, no_space)  # each validation so far saved the best, and the last once more: 1, best 1, 1, 2, best 2
    with pytest.raises(OSError, match='No space'):
        train_for_best(runner, 10., 30.)
    assert saved(runner) == ['best_mIoU_iter_1.pth', 'iter_2.pth']


def test_best_by_the_teacher(make_runner, uda_segmentor):
    runner = make_runner(
        uda_segmentor, max_iters=1, checkpoint=dict(type='SafeCheckpointHook', save_best='teacher/mIoU'),
        val_cfg=dict(type='TeacherStudentValLoop'))
    runner.train()
    assert saved(runner) == ['best_teacher_mIoU_iter_1.pth', 'iter_1.pth']
