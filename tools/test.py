"""Test a checkpoint: MMSeg's test.py and its arguments."""

import argparse

import mmdass  # noqa: F401, first: its shims must run before mmseg is imported and a config is read

# isort: split
from mmengine.config import Config, ConfigDict

from mmdass.apis.launch import add_launch_arguments, build_runner, config_from_args


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config file')
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument('--out', help='folder to write predicted label maps to')
    parser.add_argument('--show', action='store_true', help='show predictions in a window')
    parser.add_argument('--show-dir', help='folder to write pictures to: image, ground truth, prediction')
    parser.add_argument('--wait-time', type=float, default=2, help='seconds between shown predictions')
    parser.add_argument('--tta', action='store_true', help='test-time augmentation, by tta_model and tta_pipeline')
    add_launch_arguments(parser)
    return parser.parse_args()


def show_predictions(cfg: Config, args: argparse.Namespace) -> None:
    if args.show:  # classic mmseg draws every interval-th batch only
        cfg.default_hooks.visualization.update(draw=True, interval=1, show=True, wait_time=args.wait_time)
    if args.show_dir:
        hook = dict(type='mmdass.DomainVisualizationHook', show_dir=args.show_dir)
        cfg.custom_hooks = [*cfg.get('custom_hooks', []), hook]


def augment_tests(cfg: Config) -> None:
    if 'tta_model' not in cfg or 'tta_pipeline' not in cfg:
        raise SystemExit(f'--tta: {cfg.filename} has no tta_model or no tta_pipeline.')
    for dataset in data_sets(cfg.test_dataloader.dataset):
        dataset.pipeline = cfg.tta_pipeline
    cfg.model = dict(cfg.tta_model, module=cfg.model)


def data_sets(cfg: ConfigDict) -> list[ConfigDict]:
    """Those that have a pipeline: a data set itself, or what it wraps."""
    inner = cfg.get('datasets') or [one for one in [cfg.get('dataset')] if one]
    return [leaf for one in inner for leaf in data_sets(one)] or [cfg]


def main() -> None:
    args = parse_args()
    cfg = config_from_args(args)
    cfg.load_from = args.checkpoint
    if args.show or args.show_dir:
        show_predictions(cfg, args)
    if args.tta:
        augment_tests(cfg)
    if args.out:
        cfg.test_evaluator.update(output_dir=args.out, keep_results=True)
    build_runner(cfg).test()


if __name__ == '__main__':
    main()
