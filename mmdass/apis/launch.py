"""What `tools/train.py` and `tools/test.py` share: MMSeg's arguments, and the config that they make."""

import argparse
import os
from pathlib import Path

from mmengine.config import Config, DictAction
from mmengine.runner import Runner
from mmseg.registry import RUNNERS

from mmdass.checkpoints.newest import point_to_newest
from mmdass.utils.compat import prepare_cpu_distributed
from mmdass.utils.config import load_config


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

    To resume without ``load_from``, it takes the newest whole checkpoint of the work dir, and its log says which.

    Raises:
        CheckpointError: It shall resume, but no checkpoint in the work dir is whole.
    """
    choice = point_to_newest(cfg.work_dir) if cfg.get('resume') is True and not cfg.get('load_from') else []
    runner = RUNNERS.build(cfg) if 'runner_type' in cfg else Runner.from_cfg(cfg)
    for line in choice:
        runner.logger.info(line)
    return runner
