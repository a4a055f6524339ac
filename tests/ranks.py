"""Several ranks on this machine, forked after one import: ``python ranks.py MODULE:FUNCTION FOLDER WORLD_SIZE``.

Each rank calls the function with the folder. What it raises is written to FOLDER/error_RANK.txt.
"""

import multiprocessing
import os
import pkgutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path


def run_ranks(function: str, folder: Path, world_size: int, seconds: int = 300) -> None:
    """Run them from a test; a rank that stops itself is ended when the others are done."""
    environment = dict(os.environ, OMP_NUM_THREADS='1', CUDA_VISIBLE_DEVICES='')
    subprocess.run([sys.executable, __file__, function, folder, str(world_size)], check=True, env=environment,
                   timeout=seconds)


def errors(folder: Path) -> dict[int, str]:
    """What ranks raised."""
    return {int(path.stem.removeprefix('error_')): path.read_text() for path in folder.glob('error_*.txt')}


def main(function: str, folder: str, world_size: str) -> None:
    sys.path += [str(path) for path in Path(__file__).parent.glob('test_*') if path.is_dir()]
    body = pkgutil.resolve_name(function)
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    context = multiprocessing.get_context('fork')
    ranks = [context.Process(target=_rank, args=(body, Path(folder), rank, world_size, port))
             for rank in range(int(world_size))]
    for process in ranks:
        process.start()
    ranks[0].join()
    for process in ranks[1:]:
        process.join(timeout=20)
        process.kill()


def _rank(body: Callable, folder: Path, rank: int, world_size: str, port: int) -> None:
    os.environ.update(RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE=world_size, MASTER_ADDR='127.0.0.1',
                      MASTER_PORT=str(port))
    try:
        body(folder)
    except Exception as error:
        (folder / f'error_{rank}.txt').write_text(str(error))
    os._exit(0)  # without the farewells of process groups, whose partners may be gone


if __name__ == '__main__':
    main(*sys.argv[1:])
