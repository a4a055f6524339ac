"""Methods side by side on the toy world, RGB to another modality: one row of the table, stored as JSON.

    python benchmarks/toy_methods.py madm --seed 0
    for row in $(python benchmarks/toy_methods.py --list); do python benchmarks/toy_methods.py $row --seed 0; done
    python benchmarks/tables.py   # docs/results.md

Each row is a shipped config, with the values that `ROWS` names changed; all are trained for the same iterations.
`distilled` is taught by the `madm` of its seed, which must have run before, on event images.
"""

import argparse
import time
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.runner import Runner
from rows import parse_row, scores_of, set_iterations, write_row

import mmdass  # noqa: F401, first: its shims must run before mmseg is imported
from mmdass.engine.unwrap import unwrap_model
from mmdass.utils.config import load_config

CONFIGS = Path(__file__).parents[1] / 'configs'
LOOSE = {'model.pseudo_labeler.threshold': 0.8}
PIXEL = {'model.pseudo_labeler.weight': 'pixel'}
ROWS: dict[str, tuple[str, dict]] = dict(  # config, and what --cfg-options would change
    source_only=('self_training/toy_source_only.py', {}),
    dacs=('self_training/toy_dacs.py', {}),
    dacs_loose=('self_training/toy_dacs.py', LOOSE),
    dacs_pixel=('self_training/toy_dacs.py', PIXEL),
    daformer=('self_training/toy_daformer.py', {}),
    mic=('self_training/toy_mic.py', {}),
    madm=('madm/toy_event.py', {}),
    madm_loose=('madm/toy_event.py', LOOSE),
    distilled=('distill/toy_segformer_b0.py', {}),
    oracle=('self_training/toy_oracle.py', {}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--modality', choices=['event', 'depth', 'infrared'], default='event')
    args = parse_row(parser, 'toy_methods', ROWS, 'madm', iterations=2000)
    write_row(
        args.results / args.modality / f'{args.row}_{args.seed}.json',
        command=f'python benchmarks/toy_methods.py {args.row} --modality {args.modality} --seed {args.seed} '
                f'--iterations {args.iterations}',
        modality=args.modality, row=args.row, seed=args.seed, iterations=args.iterations,
        **train(args.row, args.modality, args.seed, args.iterations, args.work_dir / args.modality))


def train(row: str, modality: str, seed: int, iterations: int, work_dir: Path) -> dict:
    """Train and measure: scores in percent, parameters, processor seconds a step and an image of testing."""
    name, changes = ROWS[row]
    changes = dict(changes, work_dir=str(work_dir / f'{row}_{seed}'))
    if row == 'distilled':
        taught = work_dir / f'madm_{seed}'
        changes |= dict(teacher_config=str(taught / 'toy_event.py'),
                        teacher_checkpoint=str(taught / f'iter_{iterations}.pth'))
    cfg = load_config(CONFIGS / name, changes)
    set_modality(cfg, modality)
    cfg.randomness.seed = seed
    set_iterations(cfg, iterations)
    cfg.train_cfg.val_begin = iterations + 1  # or the steps would seem longer
    runner = Runner.from_cfg(cfg)
    start = time.process_time()
    runner.train()
    seconds = (time.process_time() - start) / iterations
    runner.val_loop.run()
    model = unwrap_model(runner.model)
    return dict(
        scores=scores_of(runner),
        parameters=sum(parameter.numel() for parameter in getattr(model, 'segmentor', model).parameters()),
        seconds_per_step=seconds, seconds_per_image=seconds_per_image(model, runner))


def set_modality(cfg: Config, modality: str) -> None:
    """What target images show, in training, where the config sees any, and in testing."""
    data = cfg.train_dataloader.dataset
    for dataset in (data.get('target', data.get('dataset')), cfg.val_dataloader.dataset):
        if dataset.modality != 'rgb':
            dataset.modality = modality


@torch.inference_mode()
def seconds_per_image(model: torch.nn.Module, runner: Runner) -> float:
    """Processor seconds to predict one image of 256 x 128, of 20."""
    batches = [batch for _, batch in zip(range(20), runner.val_dataloader, strict=False)]
    start = time.process_time()
    for batch in batches:
        model.test_step(batch)
    return (time.process_time() - start) / len(batches)


if __name__ == '__main__':
    main()
