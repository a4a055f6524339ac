"""What adaptation is worth on small sets of real images: one row of the table, stored as JSON.

    python benchmarks/real_images.py DATA camvid_to_thermal madm --seed 0
    for row in $(python benchmarks/real_images.py --list); do python benchmarks/real_images.py DATA TASK $row; done
    python benchmarks/tables.py   # docs/results.md

DATA holds folders of images and labels (CamVid by day and at dusk, RoadScene thermal, simulated events, NYUv2), as
TASKS names them. Everything is configs/self_training/custom_modality.py with its roots, globs and classes set, at
256 x 192, on crops of 128 x 128, with the toy world's schedule and teacher; nothing is pretrained on images like these.
"""

import argparse
from pathlib import Path

from constant import score_constant
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from rows import parse_row, scores_of, set_iterations, write_row
from toy_adaptation import MADM_ROWS

import mmdass  # noqa: F401, first: its shims must run before mmseg is imported
from mmdass.datasets.label_presets import CLASS_MAPPINGS
from mmdass.datasets.label_space import LabelSpace
from mmdass.registry import DATASETS
from mmdass.utils.config import load_config

CONFIGS = Path(__file__).parents[1] / 'configs'
CAMVID = dict(source='camvid_rgb/train', raw_labels='camvid11', class_mapping='camvid_to_street7', space='street7')
TASKS: dict[str, dict] = dict(  # folders of source, target and its labelled images, ids, classes, loader, MADM's config
    camvid_to_thermal=dict(CAMVID, target='roadscene_thermal/train', val='roadscene_thermal/val', madm='toy_infrared'),
    camvid_to_events=dict(CAMVID, target='camvid_events_sim/train', val='camvid_events_sim/val', madm='toy_event'),
    camvid_to_dusk=dict(CAMVID, target='camvid_dusk/train', val='camvid_dusk/val', madm='toy_infrared'),
    nyu_to_depth=dict(
        source='nyu_depth/train_rgb', target='nyu_depth/train_depth', val='nyu_depth/val_depth',
        raw_labels=dict(classes=LabelSpace.get('nyu40').classes[:39], void_ids=(39,)),  # from 0 in these files
        class_mapping={name: to for name, to in CLASS_MAPPINGS['nyu40_to_nyu13'].items() if name != 'otherprop'},
        space='nyu13', madm='toy_depth', loader=dict(type='LoadDepth', unit=1 / 25.5, coding='inverse')))
PARTS = ('self_training', 'madm_without_dplg', 'madm_without_lplr', 'madm')  # of MADM, as in the toy world
ROWS = ('constant', 'segformer_source_only', 'segformer_self_training', 'source_only', *PARTS)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('data', nargs='?', type=Path, help='folder that the folders of TASKS are in')
    parser.add_argument('task', nargs='?', choices=TASKS, default='camvid_to_thermal')
    args = parse_row(parser, 'real_images', ROWS, 'madm', iterations=600)
    if args.data is None or not (args.data / TASKS[args.task]['source']).is_dir():
        parser.error(f'DATA is {args.data}: must be a folder that has {TASKS[args.task]["source"]}/ in it')
    cfg = configure(args.data, TASKS[args.task], args.row, args.iterations)
    cfg.work_dir = str(args.work_dir / args.task / f'{args.row}_{args.seed}')
    cfg.randomness.seed = args.seed
    write_row(
        args.results / args.task / f'{args.row}_{args.seed}.json',
        command=f'python benchmarks/real_images.py DATA {args.task} {args.row} --seed {args.seed} '
                f'--iterations {args.iterations}',
        task=args.task, row=args.row, seed=args.seed, iterations=args.iterations,
        **(constant(cfg) if args.row == 'constant' else train(cfg)))


def constant(cfg: Config) -> dict:
    """The most likely class at each position in the source's labels."""
    init_default_scope(cfg.default_scope)
    pipeline = [dict(type='LoadModalityImage'), dict(type='LoadMappedLabel')]
    source, target = (DATASETS.build(dict(dataset, pipeline=pipeline)) for dataset in (
        cfg.train_dataloader.dataset.source, cfg.val_dataloader.dataset))
    return dict(scores=score_constant(source, target))


def train(cfg: Config) -> dict:
    """Train and measure; scores in percent."""
    runner = Runner.from_cfg(cfg)
    runner.train()
    return dict(scores=scores_of(runner), seconds=float(runner.message_hub.get_scalar('train/time').mean()))


def configure(data: Path, task: dict, row: str, iterations: int) -> Config:
    """The config of a row: the template's data, the toy's schedule, SegFormer-B0 or the toy's MADM."""
    cfg = load_config(
        CONFIGS / 'self_training/custom_modality.py', dict(source_root=f'{data}/', target_root=f'{data}/'))
    toy = load_config(CONFIGS / f'madm/{task["madm"]}.py', MADM_ROWS.get(row, {}))
    set_data(cfg, task)
    cfg.model.segmentor.backbone.init_cfg = None  # ImageNet's weights are not at hand
    cfg.model.data_preprocessor.source.update(mean=[127.5] * 3, std=[127.5] * 3)
    cfg.model.teacher.alpha = toy.model.teacher.alpha  # 0.999 would average over more than the training
    if not row.startswith('segformer'):
        cfg.model, cfg.custom_hooks = toy.model, toy.custom_hooks
        if cfg.model.latent_palette_head is not None:
            cfg.model.latent_palette_head.label_space = task['space']
    cfg.model.segmentor.decode_head.num_classes = len(LabelSpace.get(task['space']).classes)
    cfg.model.data_preprocessor.source.size = (128, 128)
    if row.endswith('source_only'):
        cfg.model = dict(cfg.model.segmentor, data_preprocessor=cfg.model.data_preprocessor.source)
        cfg.train_dataloader.dataset = dict(
            type='KeyedDataset', dataset=cfg.train_dataloader.dataset.source,
            rare_class_sampling=cfg.train_dataloader.dataset.rare_class_sampling)
        cfg.val_cfg, cfg.custom_hooks = dict(type='ValLoop'), []
    cfg.optim_wrapper, cfg.param_scheduler, cfg.train_cfg = toy.optim_wrapper, toy.param_scheduler, toy.train_cfg
    set_iterations(cfg, iterations)
    return cfg


def set_data(cfg: Config, task: dict) -> None:
    """Which files, what their ids mean, and how large they are."""
    pair, test = cfg.train_dataloader.dataset, cfg.val_dataloader.dataset
    labels = dict(labels=(r'image/(.*)\.\w+$', r'label/\1.png'), raw_labels=task['raw_labels'])
    for dataset, folder, kwargs in (
            (pair.source, task['source'], labels), (pair.target, task['target'], {}), (test, task['val'], labels)):
        dataset.pop('class_mapping', None)  # the template's own would be merged with ours
        dataset.update(images=f'{folder}/image/*', label_space=task['space'], **kwargs)
        if kwargs:
            dataset.class_mapping = task['class_mapping']
    if 'loader' in task:
        pair.target.pipeline[0] = test.pipeline[0] = task['loader']
    for step in (*pair.source.pipeline, *pair.target.pipeline, *test.pipeline):
        step.update({key: size for key, size in dict(crop_size=(128, 128), scale=(256, 192)).items() if key in step})
    cfg.train_dataloader.num_workers = cfg.val_dataloader.num_workers = 1
    cfg.test_dataloader = cfg.val_dataloader


if __name__ == '__main__':
    main()
