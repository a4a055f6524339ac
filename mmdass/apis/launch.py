"""What `tools/train.py` and `tools/test.py` share: MMSeg's arguments, and the config that they make."""

import argparse
import os
from pathlib import Path

from mmengine.config import Config, DictAction
from mmengine.runner import Runner
from mmseg.registry import RUNNERS

from mmdass.checkpoints.newest import lacks_training_state, point_to_newest
from mmdass.utils.compat import prepare_cpu_distributed
from mmdass.utils.config import load_config

_MMENGINES_HOOKS = ('runtime_info', 'timer', 'sampler_seed', 'logger', 'param_scheduler', 'checkpoint')


def add_launch_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that training and testing have in common."""
    parser.add_argument('--work-dir', help='folder of logs and checkpoints; default: work_dirs/NAME_OF_CONFIG')
    parser.add_argument(
        '--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE',
        help='override entries of the config: key.inner=1 list.0.inner=x key=[1,2] (quoted, without white space)')
    parser.add_argument('--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none', help='job launcher')
    # torch.distributed.launch passes it; MMEngine reads the environment.
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0, help=argparse.SUPPRESS)


def config_from_args(args: argparse.Namespace) -> Config:
    """Read the config and apply the options of :func:`add_launch_arguments`; works on machines without CUDA too."""
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    cfg = load_config(args.config, args.cfg_options)
    cfg.launcher = args.launcher
    default_work_dir = os.path.join('work_dirs', Path(args.config).stem)
    cfg.work_dir = args.work_dir or cfg.get('work_dir') or default_work_dir
    prepare_cpu_distributed(cfg)
    return cfg


def build_runner(cfg: Config) -> Runner:
    """MMEngine's Runner, or the one that the config names as ``runner_type``.

    To resume, it takes the newest whole checkpoint of the work dir, and its log says which.

    Raises:
        CheckpointError: It shall resume, but no checkpoint in the work dir is whole.
    """
    choice = _choose_checkpoint(cfg) if cfg.get('resume') is True else []
    # MMEngine takes None for 'leave it out' of its own hooks alone, and ends without a word at others.
    cfg.default_hooks = {name: hook for name, hook in (cfg.get('default_hooks') or {}).items()
                         if hook is not None or name in _MMENGINES_HOOKS}
    runner = RUNNERS.build(cfg) if 'runner_type' in cfg else Runner.from_cfg(cfg)
    for line in choice:
        runner.logger.info(line)
    return runner


def _choose_checkpoint(cfg: Config) -> list[str]:
    """Let a run go on with its own newest checkpoint, and begin with ``load_from``; return lines on what was chosen.

    MMEngine would resume from ``load_from``, the weights that the run began with. A file in the work dir is meant to be
    resumed from, and so is another run's training state on disk while there is nothing in the work dir.
    """
    begin, work_dir = cfg.get('load_from'), Path(cfg.work_dir)
    if begin and Path(begin).absolute().parent == work_dir.absolute():
        return []
    choice = point_to_newest(work_dir)
    if choice:
        cfg.load_from = None
    elif begin and not list(work_dir.glob('*.pth')) and ('://' in str(begin) or lacks_training_state(begin)):
        cfg.resume = False
        return [f'{work_dir} holds nothing to resume: beginning with the weights of {begin}.']
    return choice
