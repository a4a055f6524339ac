"""`mmdass benchmark leaks CONFIG`: memory and open files of a training and its data workers over many iterations."""

import argparse
import tempfile

import numpy as np
import psutil
from mmengine.config import Config, DictAction
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmdass.utils.config import load_config

from .result import write_result


class UsageHook(Hook):
    """Notes what the process and its workers use, every ``interval`` iterations."""

    def __init__(self, interval: int) -> None:
        self.interval = interval
        self.usage: list[tuple[int, int, int]] = []

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | None = None, outputs: dict | None = None
    ) -> None:
        """Count. What processes share counts for each of them: a worker that changes a page which it inherited, and so
        needs one of its own, takes no more by that, and only what is new does.
        """
        if self.every_n_train_iters(runner, self.interval):
            main = psutil.Process()
            processes = [main, *main.children(recursive=True)]
            memory = sum(process.memory_info().rss for process in processes)
            self.usage.append((runner.iter + 1, memory, sum(process.num_fds() for process in processes)))


def measure(cfg: Config, iterations: int) -> dict:
    """Train, with pictures drawn every 20th iteration; checkpoints and validation are left out.

    Args:
        cfg: A training's config, changed in place.
        iterations: How many.

    Returns:
        ``iterations``, ``memory_mib`` and ``files`` at 50 moments, and the growth of both over the second half, by a
        straight line through it: ``memory_mib_per_1000`` and ``files_per_1000`` iterations.
    """
    cfg.train_cfg = dict(type='IterBasedTrainLoop', max_iters=iterations, val_begin=iterations + 1)
    cfg.default_hooks = {**cfg.get('default_hooks', {}), 'checkpoint': None}
    for hook in cfg.get('custom_hooks', []):
        if hook['type'].endswith('DomainVisualizationHook'):
            hook['interval'] = 20
    hook = UsageHook(max(iterations // 50, 1))
    with tempfile.TemporaryDirectory(prefix='mmdass_leaks_') as folder:
        cfg.work_dir = folder
        runner = Runner.from_cfg(cfg)
        runner.register_hook(hook)
        runner.train()
    moments, memory, files = np.array(hook.usage, float).T
    half = len(moments) // 2
    grown = {name: np.polyfit(moments[half:] / 1000, values[half:], 1)[0]
             for name, values in (('memory_mib_per_1000', memory / 2**20), ('files_per_1000', files))}
    return dict(workers=cfg.train_dataloader.num_workers, iterations=moments.astype(int).tolist(),
                memory_mib=(memory / 2**20).round(1).tolist(), files=files.astype(int).tolist(),
                **{name: round(float(value), 2) for name, value in grown.items()})


def main(argv: list[str]) -> int:
    """The benchmark's command line."""
    parser = argparse.ArgumentParser(prog='mmdass benchmark leaks', description=__doc__)
    parser.add_argument('config')
    parser.add_argument('--iterations', type=int, default=2000)
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE')
    parser.add_argument('--json', metavar='FILE', help='write the figures there too')
    args = parser.parse_args(argv)
    figures = measure(load_config(args.config, args.cfg_options), args.iterations)
    print(f'over the second half of {args.iterations} iterations, a thousand of them: '
          f'{figures["memory_mib_per_1000"]:+.2f} MiB, {figures["files_per_1000"]:+.2f} open files')
    write_result(args.json, 'leaks', argv, figures)
    return 0
