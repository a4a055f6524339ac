"""`mmdass benchmark data CONFIG`: how many training samples a second the data gives, and where the time goes."""

import argparse
import itertools
import time
from collections import Counter
from collections.abc import Callable, Iterator

from mmengine.config import Config, DictAction
from mmengine.registry import init_default_scope
from mmengine.runner import Runner

from mmdass.registry import DATASETS
from mmdass.utils.config import load_config

from .result import write_result


def measure_worker(dataset: dict, num: int, seed: int = 0) -> dict:
    """Load samples in this process, as one worker does.

    Args:
        dataset: Config of a keyed data set (:class:`DomainPairDataset`, :class:`KeyedDataset`).
        num: Samples, after one that warms up.
        seed: Which ones.

    Returns:
        ``samples_per_second``, and ``milliseconds`` a sample by transform ('source Resize'); 'other' is the rest.
    """
    dataset = DATASETS.build(dataset)
    dataset.seed = seed
    dataset[0]
    spent: Counter = Counter()
    for domain, pipeline in _pipelines(dataset):
        pipeline.transforms = [_timed(step, f'{domain} {type(step).__name__}'.strip(), spent)
                               for step in pipeline.transforms]
    start = time.perf_counter()
    for counter in range(1, num + 1):
        dataset[counter]
    seconds = time.perf_counter() - start
    spent['other'] = seconds - sum(spent.values())
    return dict(samples_per_second=num / seconds,
                milliseconds={name: 1000 * part / num for name, part in spent.most_common()})


def measure_loader(dataloader: dict, num: int, seed: int = 0) -> dict:
    """Load samples as a training does, with the config's workers.

    Returns:
        ``workers``, and ``samples_per_second`` of all of them; the first batch, which starts them, does not count.
    """
    loader = Runner.build_dataloader(dataloader, seed=seed)
    batches = iter(loader)
    next(batches)
    count = max(num // loader.batch_size, 1)
    start = time.perf_counter()
    for _ in itertools.islice(batches, count):
        pass
    return dict(workers=loader.num_workers,
                samples_per_second=count * loader.batch_size / (time.perf_counter() - start))


def _pipelines(dataset) -> Iterator[tuple[str, object]]:
    """The pipelines inside a data set, with the domain that each belongs to."""
    for domain in ('source', 'target'):
        if hasattr(dataset, domain):
            yield from ((domain, pipeline) for _, pipeline in _pipelines(getattr(dataset, domain)))
    inner = [dataset.dataset] if hasattr(dataset, 'dataset') else getattr(dataset, 'datasets', [])
    for one in inner:
        yield from _pipelines(one)
    if hasattr(dataset, 'pipeline'):
        yield '', dataset.pipeline


def _timed(step: Callable, name: str, spent: Counter) -> Callable:
    def timed(results: dict) -> dict:
        start = time.perf_counter()
        try:
            return step(results)
        finally:
            spent[name] += time.perf_counter() - start

    return timed


def main(argv: list[str]) -> int:
    """The benchmark's command line."""
    parser = argparse.ArgumentParser(prog='mmdass benchmark data', description=__doc__)
    parser.add_argument('config')
    parser.add_argument('--num', type=int, default=50, help='samples (source and target pairs) to load each way')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE')
    parser.add_argument('--json', metavar='FILE', help='write the figures there too')
    args = parser.parse_args(argv)
    cfg = load_config(args.config, args.cfg_options)
    init_default_scope(cfg.get('default_scope', 'mmdass'))
    figures = measure(cfg, args.num)
    print(format_figures(figures))
    write_result(args.json, 'data', argv, figures)
    return 0


def measure(cfg: Config, num: int) -> dict:
    """Both measurements of a config: ``worker`` and ``loader``."""
    return dict(worker=measure_worker(cfg.train_dataloader.dataset, num),
                loader=measure_loader(cfg.train_dataloader, num))


def format_figures(figures: dict) -> str:
    """The figures as a table."""
    worker, loader = figures['worker'], figures['loader']
    lines = [
        f'one worker: {worker["samples_per_second"]:.1f} samples/s',
        f'{loader["workers"]} workers together: {loader["samples_per_second"]:.1f} samples/s',
        'milliseconds a sample:',
        *(f'  {name:28} {milliseconds:8.1f}' for name, milliseconds in worker['milliseconds'].items()),
    ]
    return '\n'.join(lines)
