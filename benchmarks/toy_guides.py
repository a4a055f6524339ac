"""What a better guide is worth: the toy's translations by what g is and how long it was trained, as JSON.

    python benchmarks/toy_guides.py   # after toy_judge.py

Each g is trained on the toy's source as PTL trains g_0, measured on the source's and the target's look, and guides the
first source images from 100 steps of noise. By one of them all of the source is translated, and a fresh network trained
on that, as for an arm of toy_translation.py. A guide's own word is how much of the labels it finds again itself.
"""

import argparse
import copy
import json
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from toy_translation import ARMS, CONFIG, JUDGE, train, translate, translated

from mmdass.apis.load_segmentor import load_segmentor
from mmdass.benchmarks.result import environment
from mmdass.benchmarks.translate import judge_images, source_batches
from mmdass.benchmarks.translate import translate as translate_batches
from mmdass.evaluation import label_consistency
from mmdass.registry import DATASETS, MODELS
from mmdass.utils.config import load_config

GUIDES: dict[str, dict] = dict(
    segformer_300=dict(iterations=300),
    segformer_1200=dict(iterations=1200),
    unet_1200=dict(iterations=1200, model=load_config(JUDGE).model, lr=3e-3))  # the judge's architecture alone
STRENGTHS = ({}, dict(scale=240, trust_region=0.3), dict(scale=960, trust_region=1.0))  # none, the toy's, far more
START = 100  # steps of noise
TRAINED_ON = 'unet_1200'
SEEDS = (0, 1, 2)  # of its translations and of the fresh networks


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--judge', default='work_dirs/toy_judge/iter_1200.pth', help='checkpoint of toy_judge.py')
    parser.add_argument('--images', type=int, default=24)
    parser.add_argument('--work-dir', type=Path, default=Path('work_dirs/toy_guides'))
    parser.add_argument('--results', type=Path, default=Path('benchmarks/results/toy_guides.json'))
    args = parser.parse_args()
    init_default_scope('mmdass')
    cfg = load_config(CONFIG)
    cfg.randomness.seed = cfg.translator.seed = 0
    judge = load_segmentor(str(JUDGE), args.judge)
    batches, classes = source_batches(cfg, args.images, 8)

    def consistency(guide: torch.nn.Module, **strength) -> dict:
        hooks = [dict(hook, **strength) for hook in cfg.translator.sgg_hooks] if strength else []
        translator = MODELS.build(dict(cfg.translator, start=START, sgg_hooks=hooks))
        translator.guide_with(guide)
        images = translate_batches(translator, batches)
        found, own = (judge_images(network, images, batches, classes) for network in (judge, guide))
        return dict(**strength, consistency=found.miou, interval=found.interval, own_consistency=own.miou)

    rows = []
    for name, recipe in GUIDES.items():
        guide, scores = train_guide(cfg, args.work_dir / name, **recipe)
        rows += [dict(guide=name, **scores, **consistency(guide, **strength)) for strength in STRENGTHS]
        if name == TRAINED_ON:
            rows[-2]['mIoU'] = [train_on_translations(cfg, guide, seed, args.work_dir / name) for seed in SEEDS]
        print(rows[-3:], flush=True)
    result = dict(command='python benchmarks/toy_guides.py', images=args.images, start=START,
                  environment=environment(), rows=rows)
    args.results.write_text(json.dumps(result, indent=1) + '\n')


def train_guide(
    cfg: Config, work_dir: Path, iterations: int, model: dict | None = None, lr: float | None = None
) -> tuple[torch.nn.Module, dict[str, float]]:
    """A guide by the first phase of PTL, and its mIoU on labelled streets of each look in percent."""
    cfg = copy.deepcopy(cfg)  # Config.copy shares what is nested
    cfg.merge_from_dict(dict(
        work_dir=str(work_dir), resume=True,
        train_cfg=dict(source_iters=iterations, stages=[START], stage_iters=0, final_iters=0, guard=None),
        source_dataset=dict(num_images=1)))  # nothing is to be translated
    if model:
        cfg.model, cfg.optim_wrapper.optimizer.lr = model, lr
    runner = Runner.from_cfg(cfg)
    runner.train()
    guide = runner.model.eval()
    return guide, {
        look: label_consistency(guide, DATASETS.build(dict(cfg.val_dataloader.dataset, look=look)), batch_size=4).miou
        for look in ('synthetic', 'real')}


def train_on_translations(cfg: Config, guide: torch.nn.Module, seed: int, work_dir: Path) -> float:
    """Translate all of the source with LCG and GSG in turns; mIoU of a fresh network on the real look in percent."""
    cfg = copy.deepcopy(cfg)
    cfg.randomness.seed = cfg.translator.seed = seed
    folder = work_dir / f'translated_{seed}'
    translate(cfg, DATASETS.build(cfg.source_dataset), ARMS['both'], guide, folder)
    return train(cfg, translated(cfg, folder), work_dir / f'fresh_{seed}', iterations=600)


if __name__ == '__main__':
    main()
