"""Train a model: MMSeg's train.py and its arguments, plus --dry-run."""

import argparse

import mmdass  # noqa: F401, first: its shims must run before mmseg is imported and a config is read
from mmdass.apis.launch import add_launch_arguments, build_runner, config_from_args
from mmdass.apis.lost_rank import explain_lost_rank
from mmdass.apis.memory_levers import explain_out_of_memory
from mmdass.engine.dry_run import dry_run

MIXED_PRECISION = ('AutocastOptimWrapper', 'AmpOptimWrapper')
KEYED_DATASETS = ('KeyedDataset', 'DomainPairDataset')


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config file')
    parser.add_argument('--resume', action='store_true',
                        help='continue from the newest whole checkpoint in the work dir; begin, with load_from if that '
                        'is set, where there is none')
    parser.add_argument('--amp', action='store_true',
                        help="train in bf16 (AutocastOptimWrapper: CPU and GPU, no loss scaling; MMSeg's --amp means "
                        'fp16). No effect on a config that trains in mixed precision already')
    parser.add_argument('--strict', action='store_true',
                        help='end at the first broken training file, instead of replacing up to 1 %% of them')
    parser.add_argument('--dry-run', action='store_true',
                        help='build everything, take one step on real data, print losses and peak memory, keep nothing')
    add_launch_arguments(parser)
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    cfg = config_from_args(args)
    if args.amp and not cfg.optim_wrapper.type.endswith(MIXED_PRECISION):
        cfg.optim_wrapper.type = 'mmdass.AutocastOptimWrapper'
    if args.strict and cfg.train_dataloader.dataset.type.endswith(KEYED_DATASETS):  # others never replace any
        cfg.train_dataloader.dataset.max_broken = 0
    if args.resume:
        cfg.resume = True
    with explain_lost_rank(cfg), explain_out_of_memory(cfg):
        if args.dry_run:
            dry_run(cfg)
        else:
            build_runner(cfg).train()


if __name__ == '__main__':
    main()
