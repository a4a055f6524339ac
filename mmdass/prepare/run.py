"""Doing jobs in several processes, so that nothing done is lost and nothing half-done is taken for whole."""

import argparse
import errno
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path

import cv2
from tqdm import tqdm

from mmdass.checkpoints.saver import remove_partials

from .job import Job, PrepareError
from .journal import Journal, hold_lock

_DISK_FULL = (errno.ENOSPC, errno.EDQUOT)
_SHOWN = 20
"""Files that a dry run lists before '... and N more'."""


@dataclass
class Plan:
    """What a data set wants done.

    Args:
        jobs: In any order; independent of one another.
        remarks: Sentences for the user.
    """

    jobs: list[Job]
    remarks: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Outcome:
    """``error`` is a sentence, or None; ``disk_full`` makes going on pointless."""

    size: int | None = None
    error: str | None = None
    disk_full: bool = False


def prepare(
    data_set: str,
    plan: Callable[[argparse.Namespace], Plan],
    argv: list[str],
    add_options: Callable[[argparse.ArgumentParser], None] = lambda parser: None,
    creates_root: bool = False,
) -> int:
    """The command of a data set.

    Args:
        data_set: Its name in ``mmdass prepare``.
        plan: Looks below ``args.root`` and says what is to be done.
        argv: The arguments after the name.
        add_options: Adds the data set's own options to the parser.
        creates_root: Whether ROOT may be a new folder.

    Returns:
        Exit status: 0 if everything is done, 1 with a list of what failed and why, 130 if interrupted.
    """
    parser = argparse.ArgumentParser(
        prog=f'mmdass prepare {data_set}', description=sys.modules[plan.__module__].__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('root', metavar='ROOT', type=lambda text: Path(text).absolute(), help='folder of the data set')
    parser.add_argument('--workers', type=positive, default=_usable_cores(), metavar='N',
                        help='processes (default: one a core, %(default)s)')
    parser.add_argument('--dry-run', action='store_true', help='say what would be done, and write nothing')
    add_options(parser)
    args = parser.parse_args(argv)
    try:
        if not args.root.is_dir() and not (creates_root and not args.root.exists()):
            raise PrepareError(f'{args.root} is no folder.')
        return _carry_out(data_set, plan(args), args)
    except (PrepareError, OSError) as error:
        print(f'mmdass prepare {data_set}: {error}', file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f'mmdass prepare {data_set}: interrupted. Run it again to continue.', file=sys.stderr)
        return 130


def _carry_out(data_set: str, plan: Plan, args: argparse.Namespace) -> int:
    for remark in plan.remarks:
        print(remark)
    with ExitStack() as stack:
        if not args.dry_run and stack.enter_context(hold_lock(args.root)):
            remove_partials(job.output for job in plan.jobs if job.output)
        journal = Journal(args.root)
        pending, failures = _sort_out(plan.jobs, journal)
        there = len(plan.jobs) - len(pending) - len(failures)
        if args.dry_run:
            _describe(pending, there, args.root)
        else:
            failures += _do(pending, journal, args.workers, data_set)
            print(f'{data_set}: {len(plan.jobs) - there - len(failures)} done, {there} done before, '
                  f'{len(failures)} failed.')
    if failures:
        print('\n  '.join([f'{len(failures)} failed:', *failures]), file=sys.stderr)
    return 1 if failures else 0


def _sort_out(jobs: list[Job], journal: Journal) -> tuple[list[tuple[Job, str]], list[str]]:
    """Jobs to be done with their keys, and complaints about those whose inputs are missing."""
    pending, failures = [], []
    for job in jobs:
        try:
            key = job.key(journal.root)
            if not journal.is_done(job, key):
                pending.append((job, key))
        except (PrepareError, OSError) as error:
            failures.append(f'{job.name(journal.root)}: {error}')
    return pending, failures


def _do(pending: list[tuple[Job, str]], journal: Journal, workers: int, data_set: str) -> list[str]:
    """Do the jobs; return complaints about those that failed."""
    journal.claim(job for job, _ in pending)
    failures: list[str] = []
    with ExitStack() as stack:
        bar = stack.enter_context(tqdm(total=len(pending), desc=data_set, unit='file', disable=None))
        outcomes = stack.enter_context(closing(_outcomes(pending, journal, workers)))
        for job, key, outcome in outcomes:
            bar.update()
            if outcome.error is None:
                journal.note(job, key, outcome.size)
                continue
            failures.append(f'{job.name(journal.root)}: {outcome.error}')
            if outcome.disk_full:
                raise PrepareError(
                    f'The disk is full ({failures[-1]}). What was made before is whole, nothing half-written remains. '
                    'Free space and run the same command again: it continues.')
    return failures


def _outcomes(
    pending: list[tuple[Job, str]], journal: Journal, workers: int
) -> Iterator[tuple[Job, str, _Outcome]]:
    foreign = [bool(job.output and os.path.exists(job.output) and not journal.owns(job.output)) for job, _ in pending]
    if workers == 1 or len(pending) < 2:
        for (job, key), theirs in zip(pending, foreign, strict=True):
            yield job, key, _attempt(job, theirs)
        return
    # Not 'fork': this process has threads by now. The server imports the heavy packages once for all workers.
    context = multiprocessing.get_context('forkserver')
    context.set_forkserver_preload([pending[0][0].function.__module__])
    pool = ProcessPoolExecutor(min(workers, len(pending)), context, initializer=_start_worker)
    try:
        futures: dict[Future, tuple[Job, str]] = {
            pool.submit(_attempt, job, theirs): (job, key)
            for (job, key), theirs in zip(pending, foreign, strict=True)}
        for future in as_completed(futures):
            yield *futures[future], future.result()
    except BrokenProcessPool:
        raise PrepareError(
            'A worker process was killed, probably for want of memory. What was made is whole: run the same command '
            'again with fewer --workers.') from None
    finally:
        pool.shutdown(cancel_futures=True)


def _attempt(job: Job, foreign: bool) -> _Outcome:
    try:
        return _Outcome(size=job.compare() if foreign else job.run())
    # Libraries raise what they like at a broken file; whatever it is, the other files are still to be done.
    except Exception as error:
        text = str(error) if isinstance(error, (OSError, ValueError)) else f'{type(error).__name__}: {error}'
        return _Outcome(error=text, disk_full=getattr(error, 'errno', None) in _DISK_FULL)


def _start_worker() -> None:
    """Leave an interrupt to the parent; end with it, for workers of a killed process would wait for work for ever."""
    cv2.setNumThreads(0)  # there is a process a core
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    threading.Thread(target=lambda: (parent.join(), os._exit(1)), daemon=True).start()


def _describe(pending: list[tuple[Job, str]], there: int, root: Path) -> None:
    jobs = [job for job, _ in pending]
    size = sum(path.stat().st_size for path in {path for job in jobs for path in job.inputs})
    makes = [job for job in jobs if job.output]
    print(f'{len(makes)} files would be made and {len(jobs) - len(makes)} checked, reading {size / 1e6:.1f} MB; '
          f'{there} done before.')
    for job in makes[:_SHOWN]:
        print(f'  {job.name(root)}')
    if len(makes) > _SHOWN:
        print(f'  ... and {len(makes) - _SHOWN} more')


def positive(text: str) -> int:
    """Type of an option that is a number above 0."""
    if int(text) < 1:
        raise argparse.ArgumentTypeError(f'{text} is not positive')
    return int(text)


def _usable_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count() or 1
