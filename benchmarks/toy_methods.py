"""Methods side by side on the toy world, RGB to event images: one row of the table, stored as JSON.

    python benchmarks/toy_methods.py madm --seed 0
    for row in $(python benchmarks/toy_methods.py --list); do python benchmarks/toy_methods.py $row --seed 0; done
    python benchmarks/tables.py   # docs/results.md

Each row is a shipped config, all for the same iterations. `distilled` is taught by the `madm` of its seed, which must
have run before.
"""

import argparse
import json
import time
from pathlib import Path

import torch
from environment import environment
from mmengine.runner import Runner

import mmdass  # noqa: F401, first: its shims must run before mmseg is imported
from mmdass.engine.unwrap import unwrap_model
from mmdass.utils.config import load_config

CONFIGS = Path(__file__).parents[1] / 'configs'
ROWS = dict(
    source_only='self_training/toy_source_only.py', dacs='self_training/toy_dacs.py',
    daformer='self_training/toy_daformer.py', mic='self_training/toy_mic.py', madm='madm/toy_event.py',
    distilled='distill/toy_segformer_b0.py', oracle='self_training/toy_oracle.py')


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('row', nargs='?', choices=ROWS, default='madm')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--iterations', type=int, default=600)
    parser.add_argument('--work-dir', type=Path, default=Path('work_dirs/toy_methods'))
    parser.add_argument('--results', type=Path, default=Path('benchmarks/results/toy_methods'))
    parser.add_argument('--list', action='store_true', help='print the rows')
    args = parser.parse_args()
    if args.list:
        print(*ROWS, sep='\n')
        return
    result = dict(
        command=f'python benchmarks/toy_methods.py {args.row} --seed {args.seed} --iterations {args.iterations}',
        row=args.row, seed=args.seed, iterations=args.iterations, environment=environment(),
        **train(args.row, args.seed, args.iterations, args.work_dir))
    file = args.results / f'{args.row}_{args.seed}.json'
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(result, indent=1) + '\n')


def train(row: str, seed: int, iterations: int, work_dir: Path) -> dict:
    """Train and measure: scores in percent, parameters, processor seconds a step and an image of testing."""
    changes = dict(work_dir=str(work_dir / f'{row}_{seed}'))
    if row == 'distilled':
        taught = work_dir / f'madm_{seed}'
        changes |= dict(teacher_config=str(taught / 'toy_event.py'),
                        teacher_checkpoint=str(taught / f'iter_{iterations}.pth'))
    cfg = load_config(CONFIGS / ROWS[row], changes)
    stretch = iterations / cfg.train_cfg.max_iters
    cfg.randomness.seed = seed
    cfg.train_cfg.update(max_iters=iterations, val_begin=iterations + 1)  # or the steps would seem longer
    cfg.default_hooks.checkpoint.interval = iterations
    cfg.param_scheduler[-1].end = iterations
    if row == 'madm':
        cfg.model.pseudo_labeler.end_iteration = int(stretch * cfg.model.pseudo_labeler.end_iteration)
    runner = Runner.from_cfg(cfg)
    start = time.process_time()
    runner.train()
    seconds = (time.process_time() - start) / iterations
    runner.val_loop.run()
    model = unwrap_model(runner.model)
    history = runner.message_hub.log_scalars
    return dict(
        scores={name.removeprefix('val/'): values.current()
                for name, values in history.items() if name.endswith('/mIoU')},
        parameters=sum(parameter.numel() for parameter in getattr(model, 'segmentor', model).parameters()),
        seconds_per_step=seconds, seconds_per_image=seconds_per_image(model, runner))


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
