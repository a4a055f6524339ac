"""Translation in processes of its own: killed at random moments, and as two ranks."""

import multiprocessing
import os
import random
import signal
import time
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.distributed as dist
from tiny_translator import both_hooks, make_translator
from translation import build_source, contents, journals, read_rgb, write_source, write_task

from mmdass.apis import read_manifest, translate_dataset
from mmdass.apis.translate_command import main
from mmdass.apis.translation_manifest import TranslationFolder

# Imports once for all processes; from 'fork' they would inherit the threads of the tests.
PROCESSES = multiprocessing.get_context('forkserver')
PROCESSES.set_forkserver_preload(['tiny_translator', 'mmdass.apis.translate_command', 'mmdass.models'])
PATIENCE = 120


def arguments(config: Path, out: Path) -> list[str]:
    folder = config.parent
    return [str(config), '--out', str(out), '--denoiser', str(folder / 'denoiser.pth'), '--segmentor',
            str(folder / 'segmentor.pth'), '--batch-size', '2', '--workers', '0']


def translate(config: Path, out: Path) -> None:
    """The body of a process: the verb."""
    torch.set_num_threads(1)
    raise SystemExit(main(arguments(config, out)))


def count(out: Path) -> int:
    """Images that are there, whole or not."""
    return len(list(out.glob('image/**/*.png')))


def wait_until(condition) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.002)


def kill_at_some_moment(config: Path, out: Path, draws: random.Random) -> None:
    """Start the verb, let it make up to two images, and kill it within the time of one more."""
    process = PROCESSES.Process(target=translate, args=(config, out))
    before = count(out)
    process.start()
    wanted = before + draws.randint(0, 2)
    begun = out / '.translate'
    wait_until(lambda: process.exitcode is not None or (begun.exists() and count(out) >= wanted))
    time.sleep(draws.random() * 0.1)
    os.kill(process.pid, signal.SIGKILL)
    process.join(PATIENCE)


def noted(out: Path) -> dict[Path, int]:
    """The files that are written down, with their times."""
    entries = TranslationFolder(out, (0, 1)).done().values()
    return {out / name: (out / name).stat().st_mtime_ns for entry in entries for name in (entry.image, entry.label)}


def check_kills(tmp_path: Path, kills: int, images: int) -> None:
    config = write_task(tmp_path / 'task', images)
    undisturbed, out = tmp_path / 'undisturbed', tmp_path / 'killed'
    draws = random.Random(kills)
    for _ in range(kills):
        before = noted(out)
        kill_at_some_moment(config, out, draws)
        # The run went on with the first image that was missing: what was done is as it was, what is done has no gap.
        assert before.items() <= noted(out).items()
        made = sorted(path.stem for path in out.glob('image/**/*.png'))
        assert made == [f'{index:02d}' for index in range(len(made))]
    assert 0 < len(noted(out)) < 2 * images  # the kills were not all before or after the work
    for folder in (out, undisturbed):
        assert main(arguments(config, folder)) == 0
    assert contents(out) == contents(undisturbed)
    assert len(read_manifest(out)) == images and not journals(out) and not list(out.rglob('*.partial'))


def test_killed_at_three_moments_it_continues_to_the_same_folder(tmp_path):
    check_kills(tmp_path, kills=3, images=7)


@pytest.mark.slow
def test_killed_at_twenty_moments_it_continues_to_the_same_folder(tmp_path):
    check_kills(tmp_path, kills=20, images=60)


def rank(number: int, folder: Path) -> None:
    """The body of a rank."""
    torch.set_num_threads(1)
    dist.init_process_group('gloo', init_method=f'file://{folder}/rendezvous', rank=number, world_size=2)
    translate_some(folder / 'ranks', folder)
    dist.destroy_process_group()


def translate_some(out: Path, folder: Path) -> None:
    translator = make_translator(both_hooks(), num_steps=2, dtype='float32')
    translate_dataset(translator, build_source(folder / 'source'), out, 'hash', batch_size=2)


def test_two_ranks_make_the_images_of_one(tmp_path):
    write_source(tmp_path / 'source', images=5)
    processes = [PROCESSES.Process(target=rank, args=(number, tmp_path)) for number in range(2)]
    for process in processes:
        process.start()
    translate_some(tmp_path / 'one', tmp_path)
    for process in processes:
        process.join(PATIENCE)
        assert process.exitcode == 0
    entries = read_manifest(tmp_path / 'one')
    assert [entry.id for entry in read_manifest(tmp_path / 'ranks')] == [entry.id for entry in entries]
    for entry in entries:
        images = [read_rgb(tmp_path / name / entry.image).astype(int) for name in ('one', 'ranks')]
        assert np.abs(images[0] - images[1]).max() <= 1
