"""What a config can change when its training does not fit into memory."""

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from mmengine.config import Config

from mmdass.registry import MODELS
from mmdass.utils.ranks import rank_prefix


@dataclass(frozen=True)
class MemoryLever:
    """One change of a config.

    Attributes:
        change: What to write.
        part: What becomes smaller.
        remaining: The share that is left of it, roughly.
        price: What it costs.
    """

    change: str
    part: str
    remaining: float
    price: str

    def __str__(self) -> str:
        return f'  {self.change}\n      {self.part} x {self.remaining:.2g}; {self.price}'


@contextmanager
def explain_out_of_memory(cfg: Config) -> Iterator[None]:
    """Add to an out-of-memory error within the block what the config of the training can change."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        levers = '\n'.join(map(str, memory_levers(cfg)))
        raise torch.OutOfMemoryError(
            f'{rank_prefix()}{error}\n\nWhat this config can change, the largest saving first; shares are rough:\n'
            f'{levers}\nTry with tools/train.py CONFIG --cfg-options CHANGE --dry-run, which prints the peak of a step.'
        ) from error


def memory_levers(cfg: Config) -> list[MemoryLever]:
    """The changes of a training's config that save memory, the largest saving first."""
    return sorted([*_training_levers(cfg), *_model_levers(cfg)], key=lambda lever: lever.remaining)


def _model_levers(cfg: Config) -> Iterator[MemoryLever]:
    place = 'model.segmentor' if 'segmentor' in cfg.model else 'model'
    backbone = cfg.model.get('segmentor', cfg.model).get('backbone') or dict(type='none')
    diffusion = backbone['type'].endswith('StableDiffusionBackbone')
    if diffusion and backbone.get('train_unet', True) and not backbone.get('lora'):
        yield MemoryLever(
            f'{place}.backbone.lora.rank=16, as configs/madm/event_lora.py does',
            "the UNet's gradients and optimizer states", 0.004,
            '12 bytes a trained parameter with AdamW, 10 GB for the 860 M of Stable Diffusion 1.x; but adapters are '
            'another training')
    if 'with_cp' in _arguments(backbone['type']) and not backbone.get('with_cp'):
        yield MemoryLever(f'{place}.backbone.with_cp=True', "the backbone's activations", 0.3,
                          'a third more time, as its forward pass is run again; the same result')
    head = cfg.model.get('segmentor', cfg.model).get('decode_head')
    if isinstance(head, dict) and 'final_fuse' in _arguments(head['type']) and not head.get('final_fuse'):
        yield MemoryLever(f'{place}.decode_head.final_fuse=True', "the head's activations", 0.32,
                          'fused at half size: another head, to be trained from the start')
    if diffusion and backbone.get('vae_dtype', 'float32') == 'float32':
        yield MemoryLever(f'{place}.backbone.vae_dtype=bfloat16', "the VAE's weights and activations", 0.5,
                          'latents with 8 bits of precision')


def _training_levers(cfg: Config) -> Iterator[MemoryLever]:
    batch_size = cfg.train_dataloader.get('batch_size', 1)
    accumulated = cfg.optim_wrapper.get('accumulative_counts', 1)
    if batch_size > 1:
        yield MemoryLever(
            f'train_dataloader.batch_size=1 optim_wrapper.accumulative_counts={batch_size * accumulated}',
            'all activations', 1 / batch_size,
            f'{batch_size} times the iterations for the same training, so max_iters and schedules too; batch norm sees '
            'one image')
    if cfg.optim_wrapper.get('type', 'OptimWrapper').split('.')[-1] == 'OptimWrapper':
        yield MemoryLever('optim_wrapper.type=mmdass.AutocastOptimWrapper, or --amp', 'all activations', 0.5,
                          'bf16: 8 bits of precision in forward passes')
    height, width = _crop_size(cfg) or (0, 0)
    if min(height, width) >= 256:
        smaller = [size * 3 // 4 // 64 * 64 for size in (height, width)]
        yield MemoryLever(
            f'crop_size {height} x {width} to {smaller[0]} x {smaller[1]}, in the pipelines and the data_preprocessor',
            'all activations', smaller[0] * smaller[1] / (height * width), 'less context in a training image')


def _crop_size(cfg: Config) -> tuple[int, int] | None:
    preprocessor = cfg.model.get('data_preprocessor') or {}
    return preprocessor.get('source', preprocessor).get('size')


def _arguments(name: str) -> set[str]:
    """The arguments of a registered class and of those that it inherits from."""
    registered = MODELS.get(name)
    classes = registered.__mro__[:-1] if registered else ()
    return {argument for cls in classes for argument in inspect.signature(cls).parameters}
