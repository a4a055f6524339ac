"""What MADM's head makes of s0, the decoded picture of what the U-Net paints: tested with other pictures in its place.

    python benchmarks/toy_s0.py depth --seeds 0 1 2   # after toy_adaptation.py has trained the row madm of these seeds
    python benchmarks/tables.py                       # docs/results.md

Nothing is trained. `as painted` is the score of the trained student; `grey` takes the picture away; `true` puts the
label there, painted and through the VAE, as if LPLR had been learned without fault.
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import torch
from mmengine.evaluator import Evaluator
from mmengine.runner import Runner
from torch import Tensor

import mmdass  # noqa: F401, first: its shims must run before mmseg is imported
from mmdass.apis.load_segmentor import load_segmentor
from mmdass.benchmarks.result import environment
from mmdass.models import MADM
from mmdass.utils.config import load_config

CONFIGS = Path(__file__).parents[1] / 'configs/madm'
PICTURES: dict[str, Callable[[MADM, Tensor, Tensor], Tensor]] = {  # of the model, what it painted, the label (N, H, W)
    'as painted': lambda model, painted, label: painted,
    'grey': lambda model, painted, label: torch.zeros_like(painted),
    'true': lambda model, painted, label: through_the_vae(model, model.latent_palette_head.paint(label))}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('modality', choices=['event', 'depth', 'infrared'])
    parser.add_argument('--seeds', type=int, nargs='+', default=[0, 1, 2])
    parser.add_argument('--iterations', type=int, default=300)
    parser.add_argument('--work-dir', type=Path, default=Path('work_dirs/toy_adaptation'))
    parser.add_argument('--results', type=Path, default=Path('benchmarks/results/toy_s0'))
    args = parser.parse_args()
    cfg = load_config(CONFIGS / f'toy_{args.modality}.py')
    domains = {'rgb': dict(modality='rgb', look='real'), args.modality: {}}
    scores = {domain: {picture: [] for picture in PICTURES} for domain in domains}
    for seed in args.seeds:
        model = load_segmentor(cfg, args.work_dir / args.modality / f'madm_{seed}/iter_{args.iterations}.pth')
        for domain, changes in domains.items():
            dataset = dict(cfg.val_dataloader.dataset, **changes)
            batches = Runner.build_dataloader(dict(
                batch_size=1, num_workers=0, sampler=dict(type='DefaultSampler', shuffle=False), dataset=dataset))
            for picture in PICTURES:
                scores[domain][picture].append(score(model, batches, picture))
    args.results.mkdir(parents=True, exist_ok=True)
    (args.results / f'{args.modality}.json').write_text(json.dumps(dict(
        command=f'python benchmarks/toy_s0.py {args.modality} --seeds {" ".join(map(str, args.seeds))} '
                f'--iterations {args.iterations}',
        modality=args.modality, iterations=args.iterations, seeds=args.seeds, scores=scores,
        environment=environment()), indent=1) + '\n')


@torch.no_grad()
def score(model: MADM, batches: torch.utils.data.DataLoader, picture: str) -> float:
    """The student's mIoU in percent with these pictures for s0."""
    backbone, decode = model.segmentor.backbone, model.segmentor.backbone.decode
    evaluator = Evaluator(dict(type='DomainIoUMetric', iou_metrics=['mIoU']))
    evaluator.dataset_meta = batches.dataset.metainfo
    try:
        for batch in batches:
            label = batch['data_samples'][0].gt_sem_seg.data
            backbone.decode = lambda latents, label=label: PICTURES[picture](model, decode(latents), label)
            evaluator.process(data_samples=model.test_step(batch), data_batch=batch)
    finally:
        backbone.decode = decode
    return float(evaluator.evaluate(len(batches.dataset))['mIoU'])


def through_the_vae(model: MADM, pictures: Tensor) -> Tensor:
    """Pictures (N, 3, H, W), encoded and decoded."""
    backbone = model.segmentor.backbone
    return type(backbone).decode(backbone, backbone.encode(pictures))


if __name__ == '__main__':
    main()
