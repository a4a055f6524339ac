"""What adaptation is worth in the toy world, from RGB to another modality: one row of a table, stored as JSON.

    python benchmarks/toy_adaptation.py infrared madm --seed 42
    python benchmarks/tables.py   # docs/results.md

Each row is configs/madm/toy_MODALITY.py with something taken away or exchanged, all trained for the same iterations,
and measured on the same 50 labelled images of the target.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from constant import score_constant
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from rows import parse_row, scores_of, set_iterations, write_row
from torch import Tensor

import mmdass  # noqa: F401, first: its shims must run before mmseg is imported
from mmdass.engine.unwrap import unwrap_model
from mmdass.models import LatentPaletteHead
from mmdass.registry import DATASETS
from mmdass.utils.config import load_config

CONFIGS = Path(__file__).parents[1] / 'configs/madm'
BACKBONE = 'model.segmentor.backbone'
LPLR = 'model.latent_palette_head'
WITHOUT_DPLG = {'model.pseudo_labeler.start_timestep': (0, 1)}
WITHOUT_LPLR = {LPLR: None}
RANDOM_UNET = {f'{BACKBONE}.pretrained': None, f'{BACKBONE}.random_init': 'tiny', f'{BACKBONE}.vae': 'toy'}
FROZEN_UNET = {f'{BACKBONE}.train_unet': False}
ADAPTERS = {f'{BACKBONE}.lora': dict(rank=8)}
NOISE_SHARES = {'noise_for_a_quarter': 0.25, 'noise_to_the_end': 1.0}  # of the training, how long DPLG acts
MADM_ROWS: dict[str, dict] = {  # name to what --cfg-options would change
    'madm': {},
    'madm_without_dplg': WITHOUT_DPLG,
    'madm_without_lplr': WITHOUT_LPLR,
    'self_training': WITHOUT_DPLG | WITHOUT_LPLR,
    'random_unet': RANDOM_UNET,
    'frozen_unet': FROZEN_UNET,
    'frozen_random_unet': RANDOM_UNET | FROZEN_UNET,
    'frozen_unet_without_lplr': FROZEN_UNET | WITHOUT_LPLR,
    'adapters': ADAPTERS,
    'adapters_without_lplr': ADAPTERS | WITHOUT_LPLR,
    **{f'start_{t}': {'model.pseudo_labeler.start_timestep': (t, t + 1)} for t in (10, 30, 120, 200)},
    **dict.fromkeys(NOISE_SHARES, {}),  # main() sets their end, which is counted in iterations
    **{f'weight_{w}': {f'{LPLR}.source_weight': float(w), f'{LPLR}.mix_weight': 0.0} for w in (1, 3, 10, 20)},
    **{f'both_{w}': {f'{LPLR}.source_weight': float(w), f'{LPLR}.mix_weight': float(w)} for w in (3, 10, 20)},
    'frozen_tail': {f'{BACKBONE}.freeze_tail': True},
    'without_s0': {
        f'{BACKBONE}.decode_output': False, 'model.segmentor.neck.in_channels': [32, 48, 64],
        'model.segmentor.neck.out_channels': [64, 64, 64], 'model.segmentor.decode_head.in_channels': [64, 64, 64],
        'model.segmentor.decode_head.in_index': [0, 1, 2], 'model.segmentor.decode_head.final_fuse': False},
    **{f'images_{n}': {'train_dataloader.dataset.target.num_images': n} for n in (200, 500, 1000)},
}
ROWS = ('constant', 'source_only', 'oracle', *MADM_ROWS)
MEASURED_EVERY = 10  # iterations: how right the pseudo-labels are


class PseudoLabelAccuracy(Hook):
    """Compares the teacher's labels with labels that the model never sees: classified, and painted by its U-Net."""

    def __init__(self) -> None:
        self.curve: list[tuple[int, float, float]] = []  # iteration, share of right pixels, share of confident ones
        self.painted: list[tuple[int, float]] = []  # iteration, share of right pixels where LPLR paints them

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: dict | None = None) -> None:
        unwrap_model(runner.model).panels_wanted = self.every_n_train_iters(runner, MEASURED_EVERY)

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | None = None, outputs: dict | None = None
    ) -> None:
        if not self.every_n_train_iters(runner, MEASURED_EVERY):
            return
        model = unwrap_model(runner.model)
        label = torch.cat([sample.gt_sem_seg.data for sample in data_batch['target']['data_samples']])
        right = share_right(model.panels['target/pseudo_label'], label)
        self.curve.append((runner.iter + 1, right, float(outputs['pseudo/confident'])))
        if model.latent_palette_head is not None and 'target/palette' in model.panels:  # decoded for s0 alone
            nearest = nearest_class(model.panels['target/palette'], model.latent_palette_head)
            self.painted.append((runner.iter + 1, share_right(nearest, label)))


def share_right(found: Tensor, label: Tensor) -> float:
    """The share of labelled pixels in which two maps (N, H, W) agree, as a mean of the images."""
    return float(np.mean([(a == b)[b != 255].float().mean().item() for a, b in zip(found, label, strict=True)]))


def nearest_class(picture: Tensor, head: LatentPaletteHead) -> Tensor:
    """The class (N, H, W) whose colour is nearest to each pixel of painted labels (N, 3, H, W)."""
    colours = head.colours[:head.num_classes]
    return torch.cdist(picture.float().permute(0, 2, 3, 1).flatten(1, 2), colours).argmin(-1).view_as(picture[:, 0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('modality', nargs='?', choices=['event', 'depth', 'infrared'], default='infrared')
    args = parse_row(parser, 'toy_adaptation', ROWS, 'madm', iterations=600)
    cfg = load_config(
        CONFIGS / f'toy_{args.modality}.py',
        dict(MADM_ROWS.get(args.row, {}), work_dir=str(args.work_dir / args.modality / f'{args.row}_{args.seed}')))
    cfg.randomness.seed = args.seed
    set_iterations(cfg, args.iterations)
    if args.row in NOISE_SHARES:
        cfg.model.pseudo_labeler.end_iteration = int(NOISE_SHARES[args.row] * args.iterations)
    write_row(
        args.results / args.modality / f'{args.row}_{args.seed}.json',
        command=f'python benchmarks/toy_adaptation.py {args.modality} {args.row} --seed {args.seed} '
                f'--iterations {args.iterations}',
        modality=args.modality, row=args.row, seed=args.seed, iterations=args.iterations,
        **(constant(cfg) if args.row == 'constant' else train(cfg, args.row)))


def constant(cfg: Config, num_labels: int = 150) -> dict:
    """The most likely class at each position in the source's first labels."""
    init_default_scope(cfg.default_scope)
    pipeline = [dict(type='RenderToyScene')]
    source = dict(cfg.train_dataloader.dataset.source, pipeline=pipeline, num_images=num_labels)
    target = dict(cfg.val_dataloader.dataset, pipeline=pipeline)
    return dict(scores=score_constant(DATASETS.build(source), DATASETS.build(target)))


def train(cfg: Config, row: str) -> dict:
    """Train and measure; scores in percent."""
    pair = cfg.train_dataloader.dataset
    pair.target.with_label = True  # for the oracle and PseudoLabelAccuracy; MADM reads no label of the target
    if row in MADM_ROWS:
        cfg.custom_hooks = [dict(type='TeacherUpdateHook')]  # none that takes the panels
    else:
        data = pair.source if row == 'source_only' else pair.target
        cfg.model = dict(cfg.model.segmentor, data_preprocessor=cfg.model.data_preprocessor.source)
        cfg.train_dataloader.dataset = dict(type='KeyedDataset', dataset=data)
        cfg.val_cfg, cfg.custom_hooks = dict(type='ValLoop'), []
    runner = Runner.from_cfg(cfg)
    accuracy = PseudoLabelAccuracy()
    if row in MADM_ROWS:
        runner.register_hook(accuracy)
    runner.train()
    seconds = float(runner.message_hub.get_scalar('train/time').mean())
    return dict(
        scores=scores_of(runner), pseudo_labels=accuracy.curve, painted_labels=accuracy.painted, seconds=seconds)


if __name__ == '__main__':
    main()
