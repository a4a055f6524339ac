"""What trained networks make of DPLG's noise, and MADM's head of s0: tested with noise, and with other pictures as s0.

    python benchmarks/toy_probes.py infrared   # after toy_adaptation.py has trained the rows source_only and madm
    python benchmarks/tables.py                # docs/results.md

Nothing is trained. `timestep 50` is the score where the student sees what the teacher sees at the start, `timestep 0`
the one it was trained for. s0 is the decoded picture of what the U-Net paints: `grey` takes it away; `true` puts the
label there, painted and through the VAE, as if LPLR had been learned without fault.
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import torch
from mmengine.evaluator import Evaluator
from mmengine.runner import Runner
from mmseg.models import BaseSegmentor
from rows import write_row
from torch import Tensor
from torch.utils.data import DataLoader

import mmdass  # noqa: F401, first: its shims must run before mmseg is imported
from mmdass.apis.load_segmentor import load_segmentor
from mmdass.models import LatentPaletteHead, StableDiffusionBackbone
from mmdass.utils.config import load_config

CONFIGS = Path(__file__).parents[1] / 'configs/madm'
PAINT = LatentPaletteHead('madm11').paint
Picture = Callable[[StableDiffusionBackbone, Tensor, Tensor], Tensor]  # of what was painted, and the label (N, H, W)
PICTURES: dict[str, Picture] = {
    'grey': lambda backbone, painted, label: torch.zeros_like(painted),
    'true': lambda backbone, painted, label: through_the_vae(backbone, PAINT(label))}
TIMESTEPS = (0, 10, 50, 120, 200)
TABLE = Path(__file__).parent / 'results/toy_adaptation'


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('modality', choices=['event', 'depth', 'infrared'])
    parser.add_argument('--seeds', type=int, nargs='+', default=[42, 43, 44])
    parser.add_argument('--iterations', type=int, default=600)
    parser.add_argument('--work-dir', type=Path, default=Path('work_dirs/toy_adaptation'))
    parser.add_argument('--results', type=Path, default=Path('benchmarks/results/toy_probes'))
    args = parser.parse_args()
    cfg = load_config(CONFIGS / f'toy_{args.modality}.py')
    plain = load_config(CONFIGS / f'toy_{args.modality}.py')
    plain.model = dict(cfg.model.segmentor, data_preprocessor=cfg.model.data_preprocessor.source)
    scores = dict(source_only=[], madm=[])
    for seed in args.seeds:
        for row, config in dict(source_only=plain, madm=cfg).items():
            checkpoint = args.work_dir / args.modality / f'{row}_{seed}/iter_{args.iterations}.pth'
            scores[row].append(probe(load_segmentor(config, checkpoint), cfg, PICTURES if row == 'madm' else {}))
            check_agrees(scores[row][-1], TABLE / args.modality / f'{row}_{seed}.json', checkpoint)
    write_row(
        args.results / f'{args.modality}.json',
        command=f'python benchmarks/toy_probes.py {args.modality} --seeds {" ".join(map(str, args.seeds))} '
                f'--iterations {args.iterations}',
        modality=args.modality, iterations=args.iterations, seeds=args.seeds, scores=scores)


def probe(model: BaseSegmentor, cfg: dict, pictures: dict[str, Picture]) -> dict[str, dict[str, float]]:
    """mIoU in percent, by the domain tested on and by what was changed."""
    target = cfg.val_dataloader.dataset
    scores = {}
    for domain, dataset in {'rgb': dict(target, modality='rgb', look='real'), target.modality: target}.items():
        batches = Runner.build_dataloader(dict(
            batch_size=1, num_workers=0, sampler=dict(type='DefaultSampler', shuffle=False), dataset=dataset))
        scores[domain] = {
            **{f'timestep {timestep}': score(model, batches, timestep=timestep) for timestep in TIMESTEPS},
            **{name: score(model, batches, picture) for name, picture in pictures.items()}}
    return scores


@torch.no_grad()
def score(model: BaseSegmentor, batches: DataLoader, picture: Picture | None = None, timestep: int = 0) -> float:
    """mIoU of the student in percent where its U-Net sees so much noise, its head this picture for s0."""
    backbone = getattr(model, 'segmentor', model).backbone
    decode = backbone.decode
    noise = backbone.register_forward_pre_hook(
        lambda module, args, kwargs: (args, dict(kwargs, timestep=timestep)), with_kwargs=True)
    evaluator = Evaluator(dict(type='DomainIoUMetric', iou_metrics=['mIoU']))
    evaluator.dataset_meta = batches.dataset.metainfo
    try:
        for batch in batches:
            if picture is not None:
                label = batch['data_samples'][0].gt_sem_seg.data
                backbone.decode = lambda latents, label=label: picture(backbone, decode(latents), label)
            evaluator.process(data_samples=model.test_step(batch), data_batch=batch)
    finally:
        vars(backbone).pop('decode', None)
        noise.remove()
    return float(evaluator.evaluate(len(batches.dataset))['mIoU'])


def check_agrees(scores: dict[str, dict[str, float]], stored: Path, checkpoint: Path) -> None:
    """Whether a checkpoint is that of a row in the table.

    Raises:
        ValueError: Untouched, it does not score what the row says.
    """
    row = json.loads(stored.read_text())
    found = scores[row['modality']]['timestep 0']
    expected = row['scores'].get('student/mIoU', row['scores'].get('mIoU'))
    if abs(found - expected) > 0.011:  # both are rounded to hundredths
        raise ValueError(f'{checkpoint} scores {found:.2f}, but {stored} says {expected:.2f}: of another run')


def through_the_vae(backbone: StableDiffusionBackbone, pictures: Tensor) -> Tensor:
    """Pictures (N, 3, H, W), encoded and decoded."""
    return type(backbone).decode(backbone, backbone.encode(pictures))


if __name__ == '__main__':
    main()
