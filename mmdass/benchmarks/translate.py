"""`mmdass benchmark translate CONFIG`: what guidance costs, and what each profile costs and keeps of the labels.

First LCG alone, by one batch and one backward pass against a literal loop over the classes; then every profile on the
same images. With --judge an independent segmentor says how well the translated images fit their labels.
"""

import argparse
import time
from collections import UserList
from collections.abc import Callable

import torch
from mmengine.config import Config, DictAction
from mmengine.device import get_device
from mmengine.registry import init_default_scope
from mmengine.structures import PixelData
from mmseg.models.segmentors import BaseSegmentor
from mmseg.structures import SegDataSample
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from mmdass.apis.load_segmentor import load_segmentor
from mmdass.engine.hooks import LocalClassGuidanceHook
from mmdass.evaluation.metrics import LabelConsistency, label_consistency
from mmdass.models import DiffusionTranslator
from mmdass.models.translators.profiles import PROFILES, set_profile
from mmdass.registry import DATASETS, MODELS
from mmdass.utils.config import load_config
from mmdass.utils.memory import peak_memory

from .clock import seconds_of
from .literal_guidance import LiteralLocalClassGuidance
from .result import write_result

Batch = tuple[Tensor, Tensor, list[str]]  # what DiffusionTranslator.translate takes
_LCG = {'unguided': [], 'literal': [LiteralLocalClassGuidance(every=1, phase=0)],
        'one batch': [LocalClassGuidanceHook(every=1, phase=0)]}


def measure_lcg(translator: DiffusionTranslator, batches: list[Batch], steps: int) -> dict:
    """Time reverse steps that are all guided by LCG, in both forms; the denoiser runs once a step in either.

    Args:
        translator: With its guide; its hooks and number of steps are replaced.
        batches: The images.
        steps: Reverse steps.

    Returns:
        ``seconds`` an image and step without guidance, with the 'literal' loop and in 'one batch'; ``ratio``, by how
        much guidance alone is faster in one batch.
    """
    translator.num_steps = steps
    seconds = {}
    for name, translator.sgg_hooks in _LCG.items():
        translator.translate(*batches[0])
        seconds[name] = seconds_of(lambda: translate(translator, batches)) / steps / _count(batches)
    literal, exact = (seconds[name] - seconds['unguided'] for name in ('literal', 'one batch'))
    return dict(steps=steps, seconds=seconds, ratio=literal / exact)


def lcg_difference(translator: DiffusionTranslator, batch: Batch, steps: int) -> float:
    """The greatest difference of both forms of LCG in images, of a translator as for :func:`measure_lcg`."""
    translator.num_steps = steps
    images = []
    for name in ('literal', 'one batch'):
        translator.sgg_hooks = _LCG[name]
        images.append(translator.translate(*batch).images)
    return (images[0] - images[1]).abs().max().item()


def measure_profile(
    translator: DiffusionTranslator, batches: list[Batch], judge: BaseSegmentor | None, classes: list[str]
) -> dict:
    """Translate the images.

    Args:
        translator: With its guide.
        batches: The images.
        judge: A segmentor that never guided; None to leave consistency out.
        classes: What the labels mean.

    Returns:
        ``steps``, ``seconds_per_image``, ``cpu_seconds_per_image`` (of this process, which other processes do not
        lengthen), ``images_per_second``, ``peak_memory_mib``, ``tflop_per_image``, and with a
        judge ``consistency``: 'mIoU' and its 95 % 'interval', in percent.
    """
    tflop = count_tflop(translator, batches[0])
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    images: list[Tensor] = []
    cpu_before = time.process_time()
    seconds = seconds_of(lambda: images.extend(translate(translator, batches))) / _count(batches)
    figures = dict(
        steps=len(translator.timesteps(translator.start)), seconds_per_image=seconds,
        cpu_seconds_per_image=(time.process_time() - cpu_before) / _count(batches), images_per_second=1 / seconds,
        peak_memory_mib=peak_memory()[1] / 2**20, tflop_per_image=tflop)
    if judge is not None:
        measured = judge_images(judge, images, batches, classes)
        figures['consistency'] = dict(mIoU=measured.miou, interval=measured.interval)
    return figures


def count_tflop(translator: DiffusionTranslator, batch: Batch) -> float:
    """TFLOP an image of denoiser and guide, a multiply-add being two: of the last two steps, times half their number.

    The weights being frozen, a backward pass of the guide costs what its forward pass does.
    """
    states, guided = [], []
    hooks = [module.register_forward_hook(lambda _, inputs, __, into=into: into.append(inputs[0].detach()))
             for module, into in ((translator.denoiser.unet, states), (translator.guide, guided))]
    steps, translator.num_steps = translator.num_steps, 2
    translator.translate(*batch)
    translator.num_steps = steps
    for hook in hooks:
        hook.remove()
    flop = 2 * _flop(lambda: translator.denoiser.predict(states[0][:1], states[0].new_zeros(1, dtype=torch.long)))
    if guided:
        flop += 2 * _flop(lambda: translator.guide(guided[0][:1])) * sum(map(len, guided)) / _count([batch])
    return flop / 1e12 * len(translator.timesteps(translator.start)) / 2


@torch.no_grad()
def _flop(call: Callable[[], object]) -> int:
    with FlopCounterMode(display=False) as counter:
        call()
    return counter.get_total_flops()


def translate(translator: DiffusionTranslator, batches: list[Batch]) -> list[Tensor]:
    """The translated images, each (3, H, W)."""
    return [image for batch in batches for image in translator.translate(*batch).images]


def judge_images(
    judge: BaseSegmentor, images: list[Tensor], batches: list[Batch], classes: list[str]
) -> LabelConsistency:
    """How well a judge finds the labels in translated images, once they are 8 bits deep as files are."""
    labels = [label for _, labels, _ in batches for label in labels]
    samples = UserList()
    samples.metainfo = dict(classes=classes)
    for number, (image, label) in enumerate(zip(images, labels, strict=True)):
        sample = SegDataSample(
            gt_sem_seg=PixelData(data=label[None]),
            metainfo=dict(img_path=str(number), img_shape=label.shape, ori_shape=label.shape))
        pixels = ((image.float().cpu().flip(0) + 1) * 127.5).round().to(torch.uint8)
        samples.append(dict(inputs=pixels, data_samples=sample))
    return label_consistency(judge, samples)


def source_batches(cfg: Config, num: int, batch_size: int) -> tuple[list[Batch], list[str]]:
    """The first images of the config's source set, and its classes."""
    source = DATASETS.build(cfg.source_dataset)
    samples = [source[i] for i in range(min(num, len(source)))]
    batches = []
    for first in range(0, len(samples), batch_size):
        part = samples[first:first + batch_size]
        images = torch.stack([sample['inputs'] for sample in part]).flip(1).float() / 127.5 - 1  # BGR to RGB
        labels = torch.stack([sample['data_samples'].gt_sem_seg.data[0] for sample in part]).long()
        batches.append((images, labels, [sample['data_samples'].img_path for sample in part]))
    return batches, list(source.metainfo['classes'])


def random_batches(size: tuple[int, int], num: int, batch_size: int, num_classes: int) -> list[Batch]:
    """Noise with labels of blocks of 12 classes, or of all if there are fewer."""
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(num, 3, *size, generator=generator) * 2 - 1
    blocks = torch.randint(0, min(num_classes, 12), (num, 1, 8, 16), generator=generator).float()
    labels = torch.nn.functional.interpolate(blocks, size, mode='nearest').long()[:, 0]
    ids = [str(i) for i in range(num)]
    return [(images[i:i + batch_size], labels[i:i + batch_size], ids[i:i + batch_size])
            for i in range(0, num, batch_size)]


def _count(batches: list[Batch]) -> int:
    return sum(len(ids) for *_, ids in batches)


def main(argv: list[str]) -> int:
    """The benchmark's command line."""
    args = _parser().parse_args(argv)
    cfg = load_config(args.config, args.cfg_options)
    init_default_scope(cfg.get('default_scope', 'mmdass'))
    if args.random_init:
        cfg.translator.denoiser = dict(type='mmdass.Denoiser', unet=args.random_init)
    guide = load_segmentor(cfg, args.segmentor) if args.segmentor else MODELS.build(cfg.model)
    judge = load_segmentor(*args.judge, device=get_device()) if args.judge else None
    if args.size:
        batches, classes = random_batches(tuple(args.size), args.images, args.batch_size, guide.num_classes), []
    else:
        batches, classes = source_batches(cfg, args.images, args.batch_size)

    def build(profile: str, **settings) -> DiffusionTranslator:
        set_profile(cfg.translator, profile)
        cfg.merge_from_dict(args.cfg_options or {})
        translator = MODELS.build({**cfg.translator, **settings}).to(get_device())
        translator.guide_with(guide)
        return translator

    figures = dict(
        device=peak_memory()[0], threads=torch.get_num_threads(), images=_count(batches), batch_size=args.batch_size,
        size=list(batches[0][0].shape[2:]))
    print(', '.join(f'{key} {value}' for key, value in figures.items()), flush=True)
    if args.lcg_steps:
        figures['lcg'] = measure_lcg(build('paper'), batches, args.lcg_steps)
        figures['lcg']['float64_difference'] = lcg_difference(
            build('paper', dtype='float64'), batches[0], args.lcg_steps)
        print(format_lcg(figures['lcg']), flush=True)
    figures['profiles'] = {}
    for profile in args.profiles:
        figures['profiles'][profile] = measure_profile(build(profile), batches, judge, classes)
        print(format_profile(profile, figures['profiles'][profile]), flush=True)
        write_result(args.json, 'translate', argv, figures)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog='mmdass benchmark translate', description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='of configs/sgg_ptl: with `translator`, `model` (the guide), `source_dataset`')
    parser.add_argument('--segmentor', metavar='FILE', help="the guide's checkpoint; without, its weights are random")
    parser.add_argument(
        '--judge', nargs=2, metavar=('CONFIG', 'CHECKPOINT'), help='an independent segmentor that measures consistency')
    parser.add_argument(
        '--random-init', metavar='SIZE', help="a denoiser of this size with random weights, not the config's")
    parser.add_argument('--images', type=int, default=64, metavar='N', help='of the source set (%(default)s)')
    parser.add_argument('--size', nargs=2, type=int, metavar=('H', 'W'), help='noise of this size instead')
    parser.add_argument('--batch-size', type=int, default=8, metavar='N', help='images at once (%(default)s)')
    parser.add_argument(
        '--lcg-steps', type=int, default=2, metavar='N', help='reverse steps that LCG is timed over; 0 to leave it out')
    parser.add_argument('--profiles', nargs='*', choices=PROFILES, default=['paper', 'exact_fast', 'fast'])
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE', help='over each profile')
    parser.add_argument('--json', metavar='FILE', help='write the figures there too, after each profile')
    return parser


def format_lcg(figures: dict) -> str:
    """The figures of :func:`measure_lcg` as a line."""
    times = ', '.join(f'{name} {1000 * seconds:.1f}' for name, seconds in figures['seconds'].items())
    return (f'LCG, milliseconds an image and step: {times}; guidance alone {figures["ratio"]:.2f} times as fast in one '
            f'batch, images equal to {figures["float64_difference"]:.1e} in float64')


def format_profile(name: str, figures: dict) -> str:
    """The figures of :func:`measure_profile` as a line."""
    line = (f'{name:10} {figures["steps"]:4} steps {figures["seconds_per_image"]:9.3f} s/image '
            f'({figures["cpu_seconds_per_image"]:.3f} of the CPU) '
            f'{figures["tflop_per_image"]:9.4f} TFLOP/image, peak memory {figures["peak_memory_mib"]:.0f} MiB')
    if 'consistency' not in figures:
        return line
    low, high = figures['consistency']['interval']
    return f'{line}, label consistency {figures["consistency"]["mIoU"]:.1f} mIoU [{low:.1f}, {high:.1f}]'
