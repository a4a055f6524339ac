"""Whether two work dirs hold the same run: their last checkpoints and all that was logged."""

import json
from pathlib import Path

import numpy as np
import torch

from mmdass.checkpoints import load_checkpoint_file


def state(work_dir: Path) -> dict:
    """All that the last checkpoint holds, but times, names and versions."""
    last = max(work_dir.glob('iter_*.pth'), key=lambda path: int(path.stem.partition('_')[2]))
    checkpoint = load_checkpoint_file(last)
    hub = checkpoint['message_hub']
    histories = {name: [array.tolist() for array in history.data]
                 for name, history in hub['log_scalars'].items() if 'time' not in name}
    information = {name: value for name, value in hub['runtime_info'].items()
                   if name not in ('cfg', 'experiment_name', 'last_ckpt', 'keep_ckpt_ids', 'mmengine_version')}
    return dict(
        {name: checkpoint[name] for name in ('state_dict', 'optimizer', 'param_schedulers')},
        histories=histories, information=information, seed=checkpoint['meta']['seed'])


def logged(work_dir: Path) -> dict:
    """The values in all scalars files by step and name, of a repeated step the last."""
    values = {}
    for path in sorted(work_dir.glob('*/vis_data/scalars.json')):
        for line in path.read_text().split('\n')[:-1]:  # without what a kill has torn
            entry = json.loads(line)
            values |= {(entry['step'], name): value for name, value in entry.items()
                       if 'time' not in name and name != 'memory'}
    return values


def assert_equal(one, two, path: str = '') -> None:
    """Equal to the last bit, NaN to NaN."""
    assert type(one) is type(two), path
    if isinstance(one, dict):
        assert one.keys() == two.keys(), path
        for key in one:
            assert_equal(one[key], two[key], f'{path}/{key}')
    elif isinstance(one, (list, tuple)):
        assert len(one) == len(two), path
        for index, (first, second) in enumerate(zip(one, two, strict=True)):
            assert_equal(first, second, f'{path}/{index}')
    elif isinstance(one, torch.Tensor):
        assert one.dtype == two.dtype and torch.equal(one.nan_to_num(7), two.nan_to_num(7)), path
    else:
        np.testing.assert_equal(one, two, path)


def assert_same_run(one: Path, two: Path) -> None:
    """The same weights, teacher, optimizer, schedules, histories and log, to the last bit."""
    assert_equal(state(one), state(two))
    assert_equal(logged(one), logged(two))
