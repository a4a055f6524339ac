"""Every shipped config: read as it is, and its tiny variant trained, validated, saved and loaded by a real Runner."""

from pathlib import Path

import pytest
import torch
import trees
from mmengine.config import Config, ConfigDict
from mmengine.registry import Registry, init_default_scope
from mmengine.runner import Runner
from tiny_madm import LEVELS, SIZE

from mmdass import registry
from mmdass.utils.config import load_config

ROOT = Path(__file__).parents[2]
CONFIGS = sorted(path for path in (ROOT / 'configs').glob('[!_]*/*.py')
                 if '_to_' not in path.stem or path.parent.name != 'self_training')  # see test_self_training.py
TARGETS = dict(depth=trees.deliver, event=trees.dsec, infrared=trees.fmb, depth_source_only=trees.deliver,
               event_source_only=trees.dsec, infrared_source_only=trees.fmb, custom_infrared=trees.fmb,
               custom_classes=trees.fmb, custom_modality=trees.custom, custom_vae=trees.custom,
               custom_unet=trees.custom, denoiser_cityscapes=trees.cityscapes,
               gta_to_cityscapes=trees.cityscapes_target, gta_to_cityscapes_vgg16=trees.cityscapes_target,
               gta_to_cityscapes_segformer=trees.cityscapes_target, synthia_to_cityscapes=trees.cityscapes_target,
               segformer_b0_event=trees.dsec, bisenetv2_event=trees.dsec,
               latent_lora=trees.fmb, latent_translate=trees.fmb, depth_lora=trees.deliver, event_lora=trees.dsec,
               infrared_lora=trees.fmb,
               multi_modality_lora=lambda root: (trees.deliver(root), trees.dsec(root.with_name('event'))))


@pytest.fixture
def roots(tmp_path, monkeypatch):
    """Data in the published layouts, found through the environment; returns what makes a config's target."""
    source = tmp_path / 'source'
    for tree in (trees.cityscapes, trees.custom, trees.gta5, trees.synthia):
        tree(source)
    monkeypatch.setenv('SOURCE_ROOT', str(source))
    monkeypatch.setenv('TARGET_ROOT', str(tmp_path / 'target'))
    monkeypatch.setenv('EVENT_ROOT', str(tmp_path / 'event'))
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))
    monkeypatch.setenv('TEACHER_CONFIG', str(tmp_path / 'teacher.py'))
    monkeypatch.setenv('TEACHER_CHECKPOINT', str(tmp_path / 'teacher.pth'))
    return lambda name: TARGETS[name](tmp_path / 'target') if name in TARGETS else None


def shrink(cfg: Config, work_dir: Path) -> Config:
    """The same config at the smallest size: one iteration, 64 x 64 crops, a quarter of a million parameters."""
    cfg.work_dir = str(work_dir)
    if cfg.train_cfg.type == 'ProgressiveTranslationLoop':
        _shrink_ptl(cfg)
    else:
        cfg.train_cfg.update(max_iters=1, val_interval=1)
    cfg.default_hooks.checkpoint.interval = 1
    cfg.default_hooks.logger.interval = 1
    segmentor = cfg.model.get('segmentor', cfg.model)
    if 'backbone' in segmentor and segmentor.backbone.type != 'UNet':
        _shrink_segmentor(segmentor)
    if cfg.model.type.endswith('Denoiser'):
        _shrink_denoiser(cfg.model)
    for name in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        if (loader := cfg.get(name)) is not None:
            loader.update(num_workers=0, persistent_workers=False)
    _shrink_data(cfg._cfg_dict)
    return cfg


def _shrink_ptl(cfg: Config) -> None:
    """One iteration on the source, and one stage of two steps whose images nothing is trained on."""
    cfg.train_cfg.update(source_iters=1, stages=[2], stage_iters=0, final_iters=0, guard=None)
    _shrink_denoiser(cfg.translator.denoiser)
    cfg.translator.denoiser.init_cfg = dict(type='Normal', layer='Conv2d', std=0.02)  # stands for trained weights
    cfg.param_scheduler = [dict(cfg.param_scheduler[-1], begin=0)]  # without the warm-up, longer than the iteration


def _shrink_denoiser(denoiser: ConfigDict) -> None:
    if denoiser.type == 'LatentDenoiser':
        denoiser.update(pretrained=None, revision=None, random_init=SIZE, vae=denoiser.get('vae') and 'toy')
        if isinstance(denoiser.get('lora'), str):  # a trained adapter
            denoiser.lora = dict(rank=2)
    else:
        denoiser.update(pretrained=None, unet='tiny')


def _shrink_segmentor(segmentor: ConfigDict) -> None:
    if segmentor.backbone.type == 'MixVisionTransformer':
        segmentor.backbone.update(embed_dims=8, num_layers=[1] * 4, init_cfg=None)
        segmentor.decode_head.update(in_channels=[8 * heads for heads in segmentor.backbone.num_heads], channels=8)
        if segmentor.decode_head.type == 'DAFormerHead':
            segmentor.decode_head.embed_dims = 8
        return
    if segmentor.backbone.type == 'BiSeNetV2':
        segmentor.backbone.update(detail_channels=(8, 8, 16), semantic_channels=(8, 8, 8, 16), bga_channels=16)
        for head, channels in zip(
                (segmentor.decode_head, *segmentor.auxiliary_head), (16, 8, 8, 8, 16), strict=True):
            head.update(in_channels=channels, channels=8)
        return
    if segmentor.decode_head.type == 'DeepLabV2Head':
        segmentor.backbone.init_cfg = None
        if segmentor.backbone.type == 'DilatedVGG16':
            segmentor.backbone.channels = 8
        else:
            segmentor.backbone.update(depth=18, stem_channels=4, base_channels=4)
        segmentor.decode_head.in_channels = dict(DilatedVGG16=8, ResNetV1c=32)[segmentor.backbone.type]
        return
    segmentor.backbone.update(pretrained=None, revision=None, random_init=SIZE, noise_size=(8, 8))
    segmentor.neck.update(in_channels=LEVELS, out_channels=[8] * 4, channels=8, norm_cfg=dict(type='GN', num_groups=4))
    segmentor.decode_head.update(in_channels=[8] * 4, channels=8, embed_dims=8)


def _shrink_data(node) -> None:
    """Shrink every data set, transform and preprocessor below a node of the config."""
    if isinstance(node, dict):
        kind = node.get('type')
        if kind == 'ToyStreetDataset':
            node.update(num_images=2, size=(128, 64))
        elif kind in ('Resize', 'RandomResize'):
            node.scale = tuple(max(side // 8, 64) for side in node.scale)
            node.pop('keep_ratio', None)  # or images would be smaller than the crop
        elif kind in ('RandomCrop', 'RareClassCrop'):
            node.crop_size = (64, 64)
        elif kind == 'SegDataPreProcessor':
            node.size = (64, 64)
        if node.get('rare_class_sampling'):
            node.rare_class_sampling.min_pixels = 10
    for child in node.values() if isinstance(node, dict) else node if isinstance(node, (list, tuple)) else ():
        _shrink_data(child)


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: f'{path.parent.name}/{path.stem}')
def test_tiny_variant_trains_validates_and_reloads(path, roots, tmp_path):
    roots(path.stem)
    if path.parent.name == 'distill':
        _save_teacher(tmp_path)
    cfg = shrink(load_config(str(path)), tmp_path / 'work')
    runner = Runner.from_cfg(cfg)
    runner.train()
    assert runner.iter == 1
    _check_checkpoint(runner, cfg, tmp_path / 'work/iter_1.pth')
    if cfg.get('val_cfg') is not None:
        scores = runner.message_hub.log_scalars
        roles = ('student/', 'teacher/') if getattr(runner.model, 'teacher', None) else ('',)
        if cfg.train_cfg.type == 'ProgressiveTranslationLoop':
            roles = ('source_only/', 'stage_1/')
        assert all(0 <= scores[f'val/{role}mIoU'].current() <= 100 for role in roles)


def _save_teacher(folder: Path) -> None:
    model = Config.fromfile(ROOT / 'configs/_base_/models/segformer_b0.py').model
    model.decode_head.num_classes = 11
    _shrink_segmentor(model)
    init_default_scope('mmdass')
    Config(dict(model=model, default_scope='mmdass')).dump(folder / 'teacher.py')
    torch.save(registry.MODELS.build(model).state_dict(), folder / 'teacher.pth')


def _check_checkpoint(runner: Runner, cfg: Config, path: Path) -> None:
    trained = runner.model.state_dict()
    again = registry.MODELS.build(cfg.model)
    again.load_state_dict(torch.load(path, weights_only=True, map_location='cpu')['state_dict'], strict=True)
    for name, value in again.state_dict().items():
        torch.testing.assert_close(value, trained[name], rtol=0, atol=0, msg=name)


def test_trained_vae_serves_the_backbone(tmp_path):
    """What configs/prior/toy_vae.py writes is what the backbone's ``vae`` reads, with latents of unit variance."""
    cfg = shrink(load_config(str(ROOT / 'configs/prior/toy_vae.py')), tmp_path / 'work')
    Runner.from_cfg(cfg).train()
    images = torch.rand(2, 3, 64, 64) * 2 - 1
    cfg = dict(type='StableDiffusionBackbone', random_init=SIZE, vae=str(tmp_path / 'work/vae'))
    backbone = registry.MODELS.build(cfg)
    assert backbone.recipe['vae'] == str(tmp_path / 'work/vae')
    assert backbone.vae.config.scaling_factor != 0.18215
    assert backbone.encode(images).shape == (2, 4, 8, 8)


def test_toy_event_trains_under_mmseg_scope(tmp_path):
    """`default_scope='mmseg'`: every one of our names carries our prefix, MMSeg's none."""
    cfg = shrink(load_config(str(ROOT / 'configs/madm/toy_event.py')), tmp_path / 'work')
    cfg.default_scope = 'mmseg'
    cfg.custom_imports = dict(imports=['mmdass'])
    nodes = [node for node in vars(registry).values() if isinstance(node, Registry)]
    ours = {name for node in nodes for name in node.module_dict}
    _prefix(cfg._cfg_dict, ours)
    assert cfg.model.segmentor.type == 'EncoderDecoder' and cfg.model.type == 'mmdass.MADM'
    runner = Runner.from_cfg(cfg)
    runner.train()
    assert runner.iter == 1


def _prefix(node, ours: set[str]) -> None:
    if isinstance(node, ConfigDict) and node.get('type') in ours:
        node.type = f'mmdass.{node.type}'
    for child in node.values() if isinstance(node, dict) else node if isinstance(node, (list, tuple)) else ():
        _prefix(child, ours)
