"""What label guidance and progressive translation are worth in the toy world: one seed, stored as JSON.

    python tools/train.py configs/sgg_ptl/toy_judge.py
    for seed in 0 1 2; do python benchmarks/toy_translation.py $seed; done
    python benchmarks/tables.py   # docs/results.md

Each arm is a set of labelled training images: the source itself; the source translated at once by the largest n without
guidance, with GSG, with LCG, with both; and by PTL; and, as a bound, the source's streets in the real look. On each, a
fresh network of one recipe is trained, for longer than toy.py does, and measured on images of the real look. PTL's g_0
guides the one-stage arms.
"""

import argparse
import copy
import json
from functools import partial
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.runner import Runner
from torch.utils.data import Dataset

import mmdass  # noqa: F401, first: its shims must run before mmseg is imported
from mmdass.apis import recipe_hash, translate_dataset, translation_recipe
from mmdass.apis.load_segmentor import load_segmentor
from mmdass.apis.translation_report import translated_dataset
from mmdass.benchmarks.result import environment
from mmdass.evaluation import RandomFeatures, extract_features, kernel_distance, label_consistency
from mmdass.registry import DATASETS, MODELS
from mmdass.utils.config import load_config

CONFIG = Path(__file__).parents[1] / 'configs/sgg_ptl/toy.py'
JUDGE = CONFIG.with_name('toy_judge.py')
# Hooks of the one-stage arms. One alone guides at each step, both in turns.
ARMS = dict(unguided=[], gsg=['GlobalSceneGuidanceHook'], lcg=['LocalClassGuidanceHook'],
            both=['LocalClassGuidanceHook', 'GlobalSceneGuidanceHook'])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('seed', type=int)
    parser.add_argument('--judge', default='work_dirs/toy_judge/iter_1200.pth', help='checkpoint of toy_judge.py')
    parser.add_argument('--work-dir', type=Path, default=Path('work_dirs/toy_translation'))
    parser.add_argument('--results', type=Path, default=Path('benchmarks/results/toy_translation'))
    parser.add_argument('--iterations', type=int, default=600, help='of each fresh network')
    args = parser.parse_args()
    work_dir, file = args.work_dir / f'seed_{args.seed}', args.results / f'seed_{args.seed}.json'
    file.parent.mkdir(parents=True, exist_ok=True)
    cfg = load_config(CONFIG, dict(work_dir=str(work_dir / 'ptl'), resume=True))
    cfg.randomness.seed = cfg.translator.seed = args.seed
    runner = Runner.from_cfg(cfg)
    runner.train()
    phases = {name: history.current() for name, history in runner.message_hub.log_scalars.items() if 'mIoU' in name}
    result = dict(
        command=f'python benchmarks/toy_translation.py {args.seed}', seed=args.seed, environment=environment(),
        stages=list(cfg.train_cfg.stages), iterations=args.iterations, phases=phases, arms={})
    if file.exists():
        result['arms'] = json.loads(file.read_text())['arms']

    judge = load_segmentor(str(JUDGE), args.judge)
    source = DATASETS.build(cfg.source_dataset)
    real = extract_features(RandomFeatures(), DATASETS.build(cfg.val_dataloader.dataset))
    last = work_dir / 'ptl' / f'stage_{len(cfg.train_cfg.stages)}'

    def source_images() -> dict[str, float]:
        return measure(source, judge, real) | dict(mIoU=fresh(cfg.train_dataloader.dataset.dataset, 'source'))

    def images_in(folder: Path) -> dict[str, float]:
        return measure(translated_dataset(folder, source.metainfo), judge, real) | dict(
            mIoU=fresh(translated(cfg, folder), folder.name))

    def translated_at_once(name: str) -> dict[str, float]:
        guide = load_segmentor(cfg, Path(cfg.work_dir, 'source_only.pth'))  # g_0
        translate(cfg, source, ARMS[name], guide, work_dir / name)
        return images_in(work_dir / name)

    def fresh(data: dict, name: str) -> float:
        return train(cfg, data, work_dir / 'fresh' / name, args.iterations)

    measures = dict(
        source=source_images,
        oracle=lambda: dict(mIoU=fresh(cfg.train_dataloader.dataset.dataset | dict(look='real'), 'oracle')),
        ptl=partial(images_in, last),
        **{name: partial(translated_at_once, name) for name in ARMS})
    for name, arm in measures.items():
        if name not in result['arms']:
            result['arms'][name] = arm()
            file.write_text(json.dumps(result, indent=1) + '\n')


def translate(cfg: Config, source: Dataset, hooks: list[str], guide: torch.nn.Module, folder: Path) -> None:
    """Translate all of the source at once by the largest n."""
    start = cfg.train_cfg.stages[-1]
    chosen = [hook for hook in cfg.translator.sgg_hooks if hook.type in hooks]
    if len(chosen) == 1:
        chosen = [dict(chosen[0], every=1, phase=0)]
    translator = MODELS.build(dict(cfg.translator, sgg_hooks=chosen, start=start))
    translator.guide_with(guide)
    recipe = translation_recipe(translator, cfg)
    translate_dataset(translator, source, folder, recipe_hash(recipe), batch_size=8, recipe=recipe)


def translated(cfg: Config, folder: Path) -> dict:
    """Config of the data set of a folder of translations, for training."""
    return dict(
        type='ModalityDataset', data_root=str(folder), images='images.txt', labels=('^image/', 'label/'),
        label_space=cfg.label_space, pipeline=cfg.train_cfg.translated_pipeline)


def measure(data: Dataset, judge: torch.nn.Module, real_features) -> dict[str, float]:
    """Label consistency in percent with its interval, and the kernel distance to images of the real look."""
    consistency = label_consistency(judge, data, batch_size=8)
    distance = kernel_distance(extract_features(RandomFeatures(), data), real_features)
    return dict(consistency=consistency.miou, interval=consistency.interval, kid=distance.mean)


def train(cfg: Config, dataset: dict, work_dir: Path, iterations: int) -> float:
    """Train a fresh network with the recipe of PTL's; mIoU on the real look in percent."""
    cfg = copy.deepcopy(cfg)  # Config.copy shares what is nested
    cfg.merge_from_dict(dict(work_dir=str(work_dir), resume=False))
    cfg.train_dataloader.dataset = dict(type='KeyedDataset', dataset=dataset)
    cfg.train_cfg = dict(type='IterBasedTrainLoop', max_iters=iterations, val_interval=iterations)
    cfg.param_scheduler = [dict(scheduler, end=scheduler.get('end', iterations)) for scheduler in cfg.param_scheduler]
    runner = Runner.from_cfg(cfg)
    runner.train()
    return runner.message_hub.log_scalars['val/mIoU'].current()


if __name__ == '__main__':
    main()
