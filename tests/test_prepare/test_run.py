"""The machinery: resuming, kills, a full disk, other processes, files of others."""

import errno
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import raw_trees
from trees import noise, write_png

from mmdass.cli import main
from mmdass.prepare.job import Job
from mmdass.prepare.journal import FOLDER
from mmdass.prepare.run import Plan
from mmdass.prepare.run import prepare as run_plan


def prepare(*argv, workers=1) -> int:
    return main(['prepare', *map(str, argv), '--workers', str(workers)])


def contents(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob('*')
            if path.is_file() and FOLDER not in path.parts}


@pytest.fixture
def root(tmp_path):
    return raw_trees.gta(tmp_path / 'data', items=5)


def outputs(root: Path) -> list[Path]:
    return sorted((root / 'labels').glob('*TrainIds.png'))


def test_done_is_not_done_again(root, capsys):
    assert prepare('gta', root) == 0
    times = [path.stat().st_mtime_ns for path in outputs(root)]
    assert prepare('gta', root) == 0
    assert 'gta: 0 done, 5 done before, 0 failed.' in capsys.readouterr().out
    assert [path.stat().st_mtime_ns for path in outputs(root)] == times


def test_what_is_missing_cut_or_out_of_date_is_done_again(root, capsys):
    prepare('gta', root)
    whole = contents(root)
    outputs(root)[0].unlink()
    outputs(root)[1].write_bytes(b'cut')  # that was 00003
    os.utime(root / 'labels/00005.png')
    assert prepare('gta', root) == 0
    assert 'gta: 3 done, 2 done before, 0 failed.' in capsys.readouterr().out
    assert contents(root) == whole


def test_a_changed_input_changes_the_output(root):
    prepare('gta', root)
    write_png(root / 'labels/00001.png', noise(*raw_trees.SIZE, high=19, seed=9))
    before = outputs(root)[0].read_bytes()
    assert prepare('gta', root) == 0
    assert outputs(root)[0].read_bytes() != before


def test_a_moved_data_set_stays_done(root, capsys):
    prepare('gta', root)
    root.rename(root.with_name('moved'))
    assert prepare('gta', root.with_name('moved')) == 0
    assert '5 done before' in capsys.readouterr().out


def test_dry_run_writes_nothing(root, capsys):
    prepare('gta', root)
    outputs(root)[2].unlink()
    before = contents(root)
    journal = (root / FOLDER / 'journal.jsonl').read_bytes()
    assert prepare('gta', root, '--dry-run') == 0
    printed = capsys.readouterr().out
    assert '1 files would be made and 0 checked' in printed and '4 done before' in printed
    assert 'labels/00003_labelTrainIds.png' in printed
    assert contents(root) == before and (root / FOLDER / 'journal.jsonl').read_bytes() == journal
    shutil.rmtree(root / FOLDER)
    prepare('gta', root, '--dry-run')
    assert not (root / FOLDER).exists()


def test_dry_run_names_missing_inputs(root, capsys):
    (root / 'images/00002.png').unlink()
    assert prepare('gta', root, '--dry-run') == 1
    assert 'images/00002.png does not exist' in capsys.readouterr().err


def test_files_of_others_are_kept_if_right_and_refused_if_not(root, capsys):
    prepare('gta', root)
    shutil.rmtree(root / FOLDER)  # now we know nothing of them
    write_png(outputs(root)[1], noise(*raw_trees.SIZE, high=19))
    before = contents(root)
    assert prepare('gta', root) == 1
    captured = capsys.readouterr()
    assert 'gta: 4 done, 0 done before, 1 failed.' in captured.out
    assert '00002_labelTrainIds.png was there before, not made by this command, and differs' in captured.err
    assert contents(root) == before


def test_a_torn_journal_is_read(root, capsys):
    prepare('gta', root)
    journal = root / FOLDER / 'journal.jsonl'
    journal.write_bytes(journal.read_bytes()[:-10])
    assert prepare('gta', root) == 0
    assert prepare('gta', root) == 0
    assert 'gta: 1 done, 4 done before, 0 failed.\ngta: 0 done, 5 done before, 0 failed.' in capsys.readouterr().out


def test_several_processes_make_the_same_and_list_failures(root, tmp_path, capsys):
    other = shutil.copytree(root, tmp_path / 'other')
    (other / 'images/00004.png').write_bytes(b'broken')
    prepare('gta', root)
    assert prepare('gta', other, workers=2) == 1
    captured = capsys.readouterr()
    assert 'gta: 4 done, 0 done before, 1 failed.' in captured.out
    assert 'images/00004.png' in captured.err
    assert [path.read_bytes() for path in outputs(other)] == [
        path.read_bytes() for path in outputs(root) if '00004' not in path.name]


def test_full_disk_leaves_nothing_half_written_and_says_so(root, capsys, monkeypatch):
    write_bytes = Path.write_bytes

    def fill(path, data):
        if '00003' in path.name:
            write_bytes(path, data[:10])
            raise OSError(errno.ENOSPC, 'No space left on device', str(path))
        return write_bytes(path, data)

    with monkeypatch.context() as patch:
        patch.setattr(Path, 'write_bytes', fill)
        assert prepare('gta', root) == 1
    errors = capsys.readouterr().err
    assert 'The disk is full' in errors and '00003_labelTrainIds.png' in errors and 'run the same command' in errors
    assert [path.name[:5] for path in outputs(root)] == ['00001', '00002']
    assert not list(root.rglob('*.partial'))
    assert prepare('gta', root) == 0
    assert len(outputs(root)) == 5


def test_a_second_process_is_told_to_wait(root, capsys):
    (root / FOLDER).mkdir()
    with (root / FOLDER / 'lock').open('w') as lock:
        lock.write('process 123 on elsewhere')
        lock.flush()
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert prepare('gta', root) == 1
        assert 'is being prepared by process 123 on elsewhere. Wait for it' in capsys.readouterr().err
        assert not outputs(root)
    assert prepare('gta', root) == 0


def test_without_locks_it_works_all_the_same(root, monkeypatch):
    def refuse(file, how):
        raise OSError(errno.ENOSYS, 'Function not implemented')

    (root / 'labels/.00002_labelTrainIds.png.99.partial').write_bytes(b'of another process')
    monkeypatch.setattr(fcntl, 'flock', refuse)
    assert prepare('gta', root) == 0
    assert len(outputs(root)) == 5
    assert (root / 'labels/.00002_labelTrainIds.png.99.partial').exists()


def test_an_interrupt_keeps_what_is_done(root, capsys, monkeypatch):
    from mmdass.prepare import images
    check = images.check_image

    def interrupt(image, size):
        if image.name == '00004.png':
            raise KeyboardInterrupt
        check(image, size)

    with monkeypatch.context() as patch:
        patch.setattr(images, 'check_image', interrupt)
        assert prepare('gta', root) == 130
    assert 'interrupted. Run it again' in capsys.readouterr().err
    assert prepare('gta', root) == 0
    assert 'gta: 2 done, 3 done before' in capsys.readouterr().out


def test_options_that_make_no_sense(root, capsys):
    for data_set, *options in (('gta', '--workers', '0'), ('dsec', '--duration', '-5'), ('toy', '--size', '0', '9')):
        with pytest.raises(SystemExit):
            main(['prepare', data_set, str(root), *options])
        assert 'is not positive' in capsys.readouterr().err


def test_no_write_access(root, capsys, monkeypatch):
    def refuse(*args, **kwargs):
        raise OSError(errno.EROFS, 'Read-only file system')

    with monkeypatch.context() as patch:
        patch.setattr(Path, 'mkdir', refuse)
        assert prepare('gta', root) == 1
    assert 'cannot be written: Read-only file system' in capsys.readouterr().err


def die(index: int) -> bytes:
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_killed_worker_is_a_sentence_and_no_hang(tmp_path, capsys):
    jobs = [Job(die, output=tmp_path / f'{index}.png', options=dict(index=index)) for index in range(2)]
    assert run_plan('x', lambda args: Plan(jobs), [str(tmp_path), '--workers', '2']) == 1
    assert 'again with fewer --workers' in capsys.readouterr().err


def test_a_killed_run_continues_to_the_same_result(tmp_path):
    undisturbed = raw_trees.gta(tmp_path / 'undisturbed', items=60)
    killed = shutil.copytree(undisturbed, tmp_path / 'killed')
    assert prepare('gta', undisturbed) == 0
    command = [sys.executable, '-m', 'mmdass', 'prepare', 'gta', str(killed), '--workers', '2']
    process = subprocess.Popen(command, start_new_session=True)
    try:
        _wait_until(lambda: len(outputs(killed)) >= 5 or process.poll() is not None)
    finally:
        process.kill()  # the parent alone: its workers must notice
        process.wait()
    try:
        _wait_until(lambda: not _members(process.pid))
    finally:
        for pid in _members(process.pid):
            os.kill(pid, signal.SIGKILL)
    done = len(outputs(killed))
    assert done >= 5
    (killed / f'labels/.00060_labelTrainIds.png.{process.pid}.partial').write_bytes(b'half')
    assert prepare('gta', killed) == 0
    assert contents(killed) == contents(undisturbed)


def _wait_until(condition) -> None:
    end = time.monotonic() + 300  # a busy machine's hundredfold; no process waits for ever
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def _members(session: int) -> list[int]:
    """Processes of a session that still run."""
    found = []
    for stat in Path('/proc').glob('[0-9]*/stat'):
        try:
            state, _, _, of = stat.read_text().rpartition(')')[2].split()[:4]
        except OSError:
            continue
        if int(of) == session and state not in 'ZX':
            found.append(int(stat.parent.name))
    return found
