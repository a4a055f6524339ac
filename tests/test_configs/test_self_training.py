"""DAFormer's details in the shipped configs, one by one: the rows of configs/self_training/README.md."""

import re
from itertools import product
from pathlib import Path

import pytest
import trees
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import PARAM_SCHEDULERS, init_default_scope
from mmengine.runner import Runner
from test_shipped import shrink
from torch import nn

from mmdass.models import UDASegmentor
from mmdass.registry import DATASETS, MODELS
from mmdass.utils.config import load_config

FOLDER = Path(__file__).parents[2] / 'configs/self_training'
README = FOLDER / 'README.md'
METHODS = ('source_only', 'oracle', 'dacs', 'daformer', 'mic')
TASKS = dict(
    gta_to_cityscapes=(trees.gta5, trees.cityscapes_target, 19),
    synthia_to_cityscapes=(trees.synthia, trees.cityscapes_target, 19),
    cityscapes_to_acdc=(trees.cityscapes, trees.acdc, 19),
    cityscapes_to_depth=(trees.cityscapes, trees.deliver, 11),
    cityscapes_to_infrared=(trees.cityscapes, trees.fmb, 9),
    cityscapes_to_event=(trees.cityscapes, trees.dsec, 11))
TRAINED_ALWAYS = (  # each task once, and each method; `make test-slow` trains all
    'source_only_cityscapes_to_infrared', 'oracle_cityscapes_to_acdc', 'dacs_synthia_to_cityscapes',
    'daformer_cityscapes_to_depth', 'mic_gta_to_cityscapes', 'mic_cityscapes_to_event')


def shipped(name: str) -> Config:
    return load_config(FOLDER / f'{name}.py')


@pytest.fixture
def data(tmp_path, monkeypatch):
    """Makes a task's data in its published layout, found through the environment."""
    def make(task: str, **of_target) -> None:
        source, target, _ = TASKS[task]
        source(tmp_path / 'source')
        target(tmp_path / 'target', **of_target)
    for name in ('source', 'target'):
        monkeypatch.setenv(f'{name.upper()}_ROOT', str(tmp_path / name))
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))
    return make


@pytest.mark.parametrize('task', TASKS)
def test_every_config_builds_tiny(task, tmp_path):
    """Read, and its model built with the right classes and parts. The next test trains it."""
    init_default_scope('mmdass')
    for method in METHODS:
        model = MODELS.build(shrink(shipped(f'{method}_{task}'), tmp_path).model)
        assert model.num_classes == TASKS[task][2]
        terms = {'daformer': {'feature_distance'}, 'mic': {'feature_distance', 'masked'}, 'dacs': set()}
        assert isinstance(model, UDASegmentor) == (method in terms)
        assert method not in terms or set(model.terms) == terms[method]


@pytest.mark.parametrize('name', [
    pytest.param(name, marks=() if name in TRAINED_ALWAYS else pytest.mark.slow)
    for name in map('_'.join, product(METHODS, TASKS))])
def test_tiny_variant_trains_validates_and_reloads(name, data, tmp_path):
    task = re.search('|'.join(TASKS), name)[0]
    for_oracle = dict(train_labels=True) if TASKS[task][2] < 19 and name.startswith('oracle') else {}
    data(task, **for_oracle)
    cfg = shrink(shipped(name), tmp_path / 'work')
    runner = Runner.from_cfg(cfg)
    runner.train()
    assert runner.iter == 1
    roles = ('student/', 'teacher/') if isinstance(runner.model, UDASegmentor) else ('',)
    scores = runner.message_hub.log_scalars
    assert all(0 <= scores[f'val/{role}mIoU'].current() <= 100 for role in roles)
    again = Runner.from_cfg(cfg)
    again.load_checkpoint(str(tmp_path / 'work/iter_1.pth'), strict=True)
    assert all(value.equal(again.model.state_dict()[key]) for key, value in runner.model.state_dict().items()
               if hasattr(value, 'equal'))


def test_the_oracle_reads_the_labels_of_the_target(data, tmp_path):
    data('cityscapes_to_depth', train_labels=True)
    init_default_scope('mmdass')
    cfg = shrink(shipped('oracle_cityscapes_to_depth'), tmp_path)
    dataset = DATASETS.build(cfg.train_dataloader.dataset).dataset
    assert dataset.get_data_info(0)['seg_map_path'].endswith('semantic_front.png')
    labels = dataset[0]['data_samples'].gt_sem_seg.data.unique().tolist()
    assert len(labels) > 5 and max(set(labels) - {255}) < 11


@pytest.fixture
def daformer() -> Config:
    return shipped('daformer_gta_to_cityscapes')


def test_learning_rate(daformer):
    """Warm-up times decay, iteration by iteration."""
    init_default_scope('mmdass')
    wrapper = build_optim_wrapper(nn.ModuleDict(dict(decode_head=nn.Linear(2, 2), backbone=nn.Linear(2, 2))),
                                  daformer.optim_wrapper)
    schedulers = [PARAM_SCHEDULERS.build(cfg, default_args=dict(optimizer=wrapper)) for cfg in daformer.param_scheduler]
    for iteration in range(2000):
        decay = 1 - iteration / 40000
        warm_up = 1 if iteration >= 1500 else 1 - (1 - iteration / 1500) * (1 - 1e-6)
        rates = {group['lr'] for group in wrapper.param_groups}
        assert sorted(rates) == pytest.approx([6e-5 * decay * warm_up, 6e-4 * decay * warm_up], rel=1e-6)
        for scheduler in schedulers:
            scheduler.step()


def test_norms_do_not_decay_and_the_head_learns_tenfold(daformer, tmp_path):
    init_default_scope('mmdass')
    model = MODELS.build(shrink(daformer, tmp_path).model)
    wrapper = build_optim_wrapper(model, daformer.optim_wrapper)
    norms = {id(p) for module in model.segmentor.backbone.modules() if isinstance(module, nn.LayerNorm)
             for p in module.parameters()}
    head = {id(p) for p in model.segmentor.decode_head.parameters()}
    seen = 0
    for group in wrapper.param_groups:
        for parameter in group['params']:
            if parameter.requires_grad:
                assert group['weight_decay'] == (0 if id(parameter) in norms else 0.01)
                assert group['lr'] == pytest.approx(6e-4 if id(parameter) in head else 6e-5)
                seen += id(parameter) in norms or id(parameter) in head
    assert seen == len(norms) + len(head)


@pytest.mark.parametrize('backbone', [
    dict(type='SwinTransformer', embed_dims=8, depths=(1, 1), num_heads=(1, 1), strides=(4, 2), out_indices=(0, 1),
         window_size=2, use_abs_pos_embed=True, pretrain_img_size=32),
    dict(type='VisionTransformer', img_size=32, embed_dims=8, num_layers=1, num_heads=1)], ids=lambda cfg: cfg['type'])
def test_position_embeddings_do_not_decay(daformer, backbone):
    """Of the backbones that have any, in a config of a user's; a MiT has none."""
    init_default_scope('mmdass')
    model = nn.ModuleDict(dict(backbone=MODELS.build(backbone)))
    wrapper = build_optim_wrapper(model, daformer.optim_wrapper)
    decays = {id(group['params'][0]): group['weight_decay'] for group in wrapper.param_groups}
    positions = [parameter for name, parameter in model.named_parameters() if 'pos' in name.rpartition('.')[2]]
    assert positions and {decays[id(parameter)] for parameter in positions} == {0}


def test_values(daformer):
    model = daformer.model
    teacher, labeler = model.teacher, model.pseudo_labeler
    assert (teacher.alpha, teacher.mode, teacher.dropout, teacher.average_buffers) == (0.999, 'train', False, False)
    assert (labeler.threshold, labeler.weight, labeler.ignore_top, labeler.ignore_bottom) == (0.968, 'global', 15, 120)
    assert (model.mixing.pool, model.mixing.mix_ignored) == ('batch', True)
    augmentation = model.augmentation
    assert (augmentation.jitter_threshold, augmentation.jitter_strength, augmentation.blur_threshold) == (0.2, 0.2, 0.5)
    assert augmentation.blur_sigma == (0.15, 1.15)
    assert (model.terms.feature_distance.loss_weight, model.terms.feature_distance.min_ratio) == (0.005, 0.75)
    loader = daformer.train_dataloader
    assert loader.batch_size == 2
    assert loader.dataset.rare_class_sampling == dict(temperature=0.01, min_pixels=3000, min_crop_ratio=0.5)
    source, target = (loader.dataset[domain].pipeline for domain in ('source', 'target'))
    assert [step.scale for step in source if step.type == 'Resize'] == [(1280, 720)]
    assert [step.scale for step in target if step.type == 'Resize'] == [(1024, 512)]
    assert [step.cat_max_ratio for step in source if step.type == 'RareClassCrop'] == [0.75]
    assert daformer.train_cfg.max_iters == 40000
    preprocess = model.data_preprocessor.source
    assert preprocess.mean == [123.675, 116.28, 103.53] and preprocess.std == [58.395, 57.12, 57.375]


def test_values_of_the_others():
    mic = shipped('mic_gta_to_cityscapes').model.terms.masked
    assert (mic.mask.block_size, mic.mask.ratio, mic.loss_weight) == (32, 0.7, 1.0)
    acdc = shipped('mic_cityscapes_to_acdc').model
    assert (acdc.terms.masked.domains, acdc.terms.masked.augmented) == ('both', False)
    assert acdc.pseudo_labeler.ignore_top == acdc.pseudo_labeler.ignore_bottom == 0  # not rectified
    source = shipped('daformer_cityscapes_to_acdc').train_dataloader.dataset.source.pipeline
    assert (source[2].scale, source[2].get('backend'), source[3].cat_max_ratio) == ((1024, 512), None, 0.75)
    dacs = shipped('dacs_gta_to_cityscapes')
    assert dacs.model.teacher.alpha == 0.99 and dacs.model.pseudo_labeler.ignore_bottom == 0
    assert dacs.train_dataloader.dataset.rare_class_sampling is None


def test_a_translated_source_is_one_entry(data, tmp_path):
    """The README's lines over DAFormer: images and labels of a PTL stage's folder, drawn by rare classes as ever."""
    data('gta_to_cityscapes')
    init_default_scope('mmdass')
    folder = tmp_path / 'stage_6'
    for index in range(2):
        trees.write_png(folder / f'image/{index}.png', trees.noise(64, 128, 3, seed=index))
        trees.write_png(folder / f'label/{index}.png', trees.noise(64, 128, high=19, seed=index))
    (folder / 'images.txt').write_text('image/0.png\nimage/1.png\n')
    line = re.search(r'(train_dataloader = dict\(dataset=dict\(source=.*?\)\)\)\))\n', README.read_text(), re.S)[1]
    path = tmp_path / 'translated.py'
    path.write_text(f"_base_ = '{FOLDER}/daformer_gta_to_cityscapes.py'\n"
                    + line.replace('work_dirs/gta_to_cityscapes/stage_6', str(folder)))
    cfg = shrink(load_config(path), tmp_path)
    dataset = DATASETS.build(dict(cfg.train_dataloader.dataset, seed=0))
    assert len(dataset.source) == 2
    sample = dataset[0]['source']['data_samples']
    assert sample.img_path.startswith(str(folder)) and sample.gt_sem_seg.data.unique().numel() > 10
