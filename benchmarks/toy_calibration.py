"""How many steps of noise and how strong a guidance the toy world wants: label consistency and distance, as JSON.

    python benchmarks/toy_calibration.py   # after toy_judge.py and toy_translation.py 0

The protocol of configs/sgg_ptl/README.md, on the first source images: no label of the target is used.
"""

import argparse
import json
from pathlib import Path

import torch
from mmengine.registry import init_default_scope
from torch.utils.data import Subset
from toy_translation import CONFIG, JUDGE

from mmdass.apis.load_segmentor import load_segmentor
from mmdass.benchmarks.result import environment
from mmdass.benchmarks.translate import judge_images, source_batches, translate
from mmdass.evaluation import RandomFeatures, extract_features, kernel_distance
from mmdass.registry import DATASETS, MODELS
from mmdass.utils.config import load_config

UNGUIDED = (30, 60, 100, 200, 300, 600)
GUIDED = [(start, scale, 0.3) for start in (100, 300) for scale in (60, 120, 240, 480)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--judge', default='work_dirs/toy_judge/iter_1200.pth', help='checkpoint of toy_judge.py')
    parser.add_argument('--guide', default='work_dirs/toy_translation/seed_0/ptl/source_only.pth')
    parser.add_argument('--images', type=int, default=24)
    parser.add_argument('--results', type=Path, default=Path('benchmarks/results/toy_calibration.json'))
    args = parser.parse_args()
    init_default_scope('mmdass')
    cfg = load_config(CONFIG)
    judge, guide = load_segmentor(str(JUDGE), args.judge), load_segmentor(cfg, args.guide)
    target = DATASETS.build(cfg.val_dataloader.dataset)
    real = extract_features(RandomFeatures(), Subset(target, range(60)))
    batches, classes = source_batches(cfg, args.images, 8)
    rows = []
    for start, scale, limit in [*((start, None, None) for start in UNGUIDED), *GUIDED]:
        hooks = [dict(hook, scale=scale, trust_region=limit) for hook in cfg.translator.sgg_hooks] if scale else []
        translator = MODELS.build(dict(cfg.translator, start=start, sgg_hooks=hooks))
        translator.guide_with(guide)
        images = translate(translator, batches)
        pixels = [dict(inputs=((image.flip(0) + 1) * 127.5).round().to(torch.uint8)) for image in images]
        consistency = judge_images(judge, images, batches, classes)
        distance = kernel_distance(extract_features(RandomFeatures(), pixels), real)
        rows.append(dict(start=start, scale=scale, trust_region=limit, consistency=consistency.miou,
                         interval=consistency.interval, kid=distance.mean))
        print(rows[-1], flush=True)
    command = f'python benchmarks/toy_calibration.py --images {args.images}'
    result = dict(command=command, images=args.images, environment=environment(), rows=rows)
    args.results.parent.mkdir(parents=True, exist_ok=True)
    args.results.write_text(json.dumps(result, indent=1) + '\n')


if __name__ == '__main__':
    main()
