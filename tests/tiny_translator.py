"""A translator, a guide and labelled images at the smallest size, for the tests of several packages."""

from collections.abc import Callable

import torch
from mmengine.config import ConfigDict
from mmengine.registry import init_default_scope
from mmseg.models.segmentors import EncoderDecoder
from torch import Tensor, nn

from mmdass.models import DiffusionTranslator
from mmdass.registry import MODELS

CLASSES = 5
UNET = dict(  # twelve thousand parameters
    sample_size=16, block_out_channels=(4, 8), layers_per_block=1, norm_num_groups=4, attention_head_dim=4,
    down_block_types=('DownBlock2D', 'AttnDownBlock2D'), up_block_types=('AttnUpBlock2D', 'UpBlock2D'))
LEARNED_VARIANCE = UNET | dict(out_channels=6)
GUIDES = ('LocalClassGuidanceHook', 'GlobalSceneGuidanceHook')


def seeded(build: Callable[[], nn.Module], seed: int = 0) -> nn.Module:
    """A model with random weights of a seed, and batch statistics that matter."""
    init_default_scope('mmdass')
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = build()
        for name, value in model.state_dict().items():
            if 'running' in name:
                value.copy_(torch.rand_like(value) + (-0.5 if 'mean' in name else 0.5))
    return model


def make_segmentor(classes: int = CLASSES, **options) -> EncoderDecoder:
    """A tiny convolutional segmentor."""
    preprocessor = dict(
        type='SegDataPreProcessor', mean=[100., 110., 120.], std=[50., 60., 70.], bgr_to_rgb=True) | options
    segmentor = seeded(lambda: MODELS.build(ConfigDict(
        type='EncoderDecoder',
        data_preprocessor=preprocessor,
        backbone=dict(
            type='ResNetV1c', depth=18, stem_channels=4, base_channels=4, num_stages=2, strides=(1, 2),
            dilations=(1, 1), out_indices=(1,), norm_cfg=dict(type='BN')),
        decode_head=dict(
            type='FCNHead', in_channels=8, in_index=0, channels=4, num_convs=1, concat_input=False, dropout_ratio=0,
            num_classes=classes, norm_cfg=dict(type='BN')),
        test_cfg=dict(mode='whole'))), seed=1)
    segmentor.decode_head.conv_seg.weight.data *= 50  # MMSeg's start has no opinion
    return segmentor


def make_translator(hooks: list[dict] | tuple = (), unet: dict = UNET, guided: bool = True, **options
                    ) -> DiffusionTranslator:
    """A translator with random weights, of six steps in float64 unless told otherwise, and its guide."""
    options = dict(start=300, num_steps=6, dtype='float64') | options
    denoiser = dict(type='Denoiser', unet=unet)
    translator = seeded(lambda: DiffusionTranslator(denoiser, hooks, **options))
    if guided:
        translator.guide_with(make_segmentor())
    return translator


def both_hooks(scale: float = 100.0, **options) -> list[dict]:
    """LCG and GSG, strong enough to be seen."""
    return [dict(type=type_, scale=scale, **options) for type_ in GUIDES]


def make_images(number: int = 2, height: int = 16, width: int = 16) -> tuple[Tensor, Tensor, list[str]]:
    """Images (N, 3, H, W) in [-1, 1], labels of blocks with a void stripe, and ids."""
    generator = torch.Generator().manual_seed(7)
    images = torch.rand(number, 3, height, width, generator=generator) * 2 - 1
    blocks = torch.randint(0, CLASSES, (number, height // 4 + 1, width // 4 + 1), generator=generator)
    labels = blocks.repeat_interleave(4, 1).repeat_interleave(4, 2)[:, :height, :width].clone()
    labels[:, :3] = 255
    return images, labels, [f'image/{i}' for i in range(number)]
