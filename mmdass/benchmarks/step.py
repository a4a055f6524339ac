"""`mmdass benchmark step CONFIG`: seconds, peak memory and TFLOP of a training step, on random images.

Floating-point operations are counted in the forward passes (a multiply-add is two); the backward pass of a part that
trains is taken as twice its forward pass.
"""

import argparse
import statistics
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from unittest.mock import patch

import torch
from mmengine.config import DictAction
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from mmdass.models.segmentors.uda_segmentor import UDASegmentor
from mmdass.registry import MODELS
from mmdass.utils.config import load_config
from mmdass.utils.memory import peak_memory

from .clock import seconds_of
from .result import write_result


def measure(model: UDASegmentor, optim_wrapper: dict, size: tuple[int, int], batch_size: int, steps: int) -> dict:
    """Take training steps on random images.

    Args:
        model: A domain-adaptation model, on its device.
        optim_wrapper: Config of the optimizer.
        size: Height and width of the images.
        batch_size: Pairs a step.
        steps: Timed steps, after two that warm up; one more is taken to count.

    Returns:
        ``seconds_per_step`` (median), ``samples_per_second``, ``peak_memory_mib``, and ``tflop_per_sample`` by part.
    """
    model.train()
    model.teacher.arm()
    batch = random_batch(size, batch_size, model.num_classes)
    optimizer = build_optim_wrapper(model, optim_wrapper)

    def step() -> None:
        model.train_step(batch, optimizer)
        model.teacher.update()

    with count_parts(model) as operations:
        step()
    step()
    seconds = [seconds_of(step) for _ in range(steps)]
    tflop = {part: count / 1e12 / batch_size for part, count in operations.items()}
    median = statistics.median(seconds)
    device, peak = peak_memory()
    return dict(
        device=device,
        size=list(size),
        batch_size=batch_size,
        seconds_per_step=median,
        samples_per_second=batch_size / median,
        peak_memory_mib=peak / 2**20,
        tflop_per_sample={**tflop, 'total': sum(tflop.values())},
    )


def random_batch(size: tuple[int, int], batch_size: int, num_classes: int) -> dict:
    """A batch as MMEngine collates it: uint8 images of noise, labels of random blocks."""
    generator = torch.Generator().manual_seed(0)

    def images() -> list[torch.Tensor]:
        return list(torch.randint(0, 256, (batch_size, 3, *size), generator=generator, dtype=torch.uint8))

    blocks = torch.randint(0, num_classes, (batch_size, 1, 8, 8), generator=generator).float()
    labels = nn.functional.interpolate(blocks, size, mode='nearest').long()
    samples = [SegDataSample(gt_sem_seg=PixelData(data=label), metainfo=dict(img_shape=size)) for label in labels]
    unlabelled = [SegDataSample(metainfo=dict(img_shape=size)) for _ in labels]
    return dict(
        source=dict(inputs=images(), data_samples=samples), target=dict(inputs=images(), data_samples=unlabelled)
    )


@contextmanager
def count_parts(model: UDASegmentor) -> Iterator[Counter]:
    """Count the operations of each part's calls inside a block, backward passes included."""
    operations: Counter = Counter()
    with ExitStack() as stack:
        for part, owner, method in _parts(model):
            counted = _counted(getattr(owner, method), part, owner, operations)
            stack.enter_context(patch.object(owner, method, counted))
        yield operations


def _parts(model: UDASegmentor) -> list[tuple[str, nn.Module, str]]:
    student = model.segmentor
    parts = [('backbone', student.backbone, 'forward')]
    if hasattr(student.backbone, 'vae'):
        vae, unet = student.backbone.vae, student.backbone.unet
        parts = [('VAE encode', vae, 'encode'), ('VAE decode', vae, 'decode'), ('UNet', unet, 'forward')]
    for segmentor in (student, model.teacher.segmentor):
        if segmentor.with_neck:
            parts.append(('neck', segmentor.neck, 'forward'))
        parts.append(('head', segmentor.decode_head, 'forward'))
    return parts


def _counted(call: Callable, part: str, owner: nn.Module, operations: Counter) -> Callable:
    def counted(*args, **kwargs):
        with FlopCounterMode(display=False) as counter:
            result = call(*args, **kwargs)
        trains = torch.is_grad_enabled() and any(p.requires_grad for p in owner.parameters())
        operations[part] += counter.get_total_flops() * (3 if trains else 1)
        return result

    return counted


def main(argv: list[str]) -> int:
    """The benchmark's command line."""
    parser = argparse.ArgumentParser(prog='mmdass benchmark step', description=__doc__)
    parser.add_argument('config')
    parser.add_argument('--random-init', metavar='SIZE', help="the backbone with random weights: 'sd1', 'sd2', 'tiny'")
    parser.add_argument('--size', nargs=2, type=int, metavar=('H', 'W'), help="default: the config's crop size")
    parser.add_argument('--batch-size', type=int, default=2, help='source and target pairs a step')
    parser.add_argument('--steps', type=int, default=5, help='timed steps')
    parser.add_argument('--device', default='cuda' if torch.cuda.is_available() else 'cpu')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE')
    parser.add_argument('--json', metavar='FILE', help='write the figures there too')
    args = parser.parse_args(argv)
    cfg = load_config(args.config, args.cfg_options)
    init_default_scope('mmdass')
    if args.random_init:
        cfg.model.segmentor.backbone.update(pretrained=None, revision=None, random_init=args.random_init)
    model = MODELS.build(cfg.model).to(args.device)
    if not isinstance(model, UDASegmentor):
        parser.error(f'{args.config} trains a {type(model).__name__}; this benchmark is for domain-adaptation models')
    size = tuple(args.size or cfg.model.data_preprocessor.source.size)
    figures = measure(model, cfg.optim_wrapper, size, args.batch_size, args.steps)
    print(format_figures(figures))
    write_result(args.json, 'step', argv, figures)
    return 0


def format_figures(figures: dict) -> str:
    """The figures as a table."""
    height, width = figures['size']
    lines = [
        f'{figures["device"]}, {height} x {width}, batch size {figures["batch_size"]}',
        f'{figures["seconds_per_step"]:.3f} s a step, {figures["samples_per_second"]:.2f} samples/s, '
        f'peak memory {figures["peak_memory_mib"]:.0f} MiB',
        'TFLOP a sample and step:',
        *(f'  {part:12} {count:10.4f}' for part, count in figures['tflop_per_sample'].items()),
    ]
    return '\n'.join(lines)
