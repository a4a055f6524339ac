"""`mmdass benchmark inference CONFIG [CHECKPOINT]`: images a second of `mmdass infer`, whole and by windows.

On random images, without loading and writing: what is timed is `DASegInferencer.forward`, from pixels to labels.
"""

import argparse
import statistics

import torch
from mmengine.config import Config, DictAction
from mmengine.registry import init_default_scope
from mmseg.structures import SegDataSample
from torch import nn

from mmdass.apis.inferencer import DASegInferencer
from mmdass.registry import MODELS
from mmdass.utils.config import load_config
from mmdass.utils.memory import peak_memory

from .clock import seconds_of
from .result import write_result


class UntrainedInferencer(DASegInferencer):
    """One that loads no images, and takes random weights if there is no checkpoint."""

    def _load_model(self, cfg: Config, weights: str | None, device: str) -> nn.Module:
        if weights is not None:
            return super()._load_model(cfg, weights, device)
        init_default_scope(cfg.get('default_scope', 'mmseg'))
        model = MODELS.build(cfg.model)
        model.dataset_meta = None
        return model.requires_grad_(False).to(device).eval()

    def _init_pipeline(self, cfg: Config) -> None:
        return None


def measure(segment: DASegInferencer, size: tuple[int, int], batch_size: int, repeats: int) -> dict:
    """Segment random images as the inferencer's windows say.

    Args:
        segment: The inferencer.
        size: Height and width of the images.
        batch_size: Images at once.
        repeats: Timed batches, after two that warm up.

    Returns:
        ``seconds_per_image`` (of the median batch), ``images_per_second``, and ``peak_memory_mib`` so far: allocated
        tensors on CUDA, resident memory on a CPU.
    """
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (batch_size, 3, *size), generator=generator, dtype=torch.uint8)
    samples = [SegDataSample(metainfo=dict(img_shape=size, ori_shape=size)) for _ in images]
    batch = dict(inputs=list(images), data_samples=samples)

    def call() -> None:
        segment.forward(batch, with_logits=False)

    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    call()
    call()
    seconds = statistics.median(seconds_of(call) for _ in range(repeats)) / batch_size
    return dict(seconds_per_image=seconds, images_per_second=1 / seconds, peak_memory_mib=peak_memory()[1] / 2**20)


def main(argv: list[str]) -> int:
    """The benchmark's command line."""
    parser = argparse.ArgumentParser(
        prog='mmdass benchmark inference', description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config')
    parser.add_argument('checkpoint', nargs='?', help='without: random weights, which are as fast')
    parser.add_argument('--random-init', metavar='SIZE', help="the backbone with random weights: 'sd1', 'sd2', 'tiny'")
    parser.add_argument('--size', nargs=2, type=int, default=(512, 1024), metavar=('H', 'W'), help='(512 1024)')
    parser.add_argument('--window', nargs=2, type=int, metavar=('H', 'W'), help='default: a square of the height')
    parser.add_argument('--overlap', type=int, metavar='N', help='of windows, in pixels (default: a quarter of them)')
    parser.add_argument('--batch-size', type=int, default=1, metavar='N', help='images at once (%(default)s)')
    parser.add_argument('--repeats', type=int, default=5, metavar='N', help='timed batches (%(default)s)')
    parser.add_argument('--device', help="such as 'cuda:1' or 'cpu' (default: the best that there is)")
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE')
    parser.add_argument('--json', metavar='FILE', help='write the figures there too')
    args = parser.parse_args(argv)
    cfg = load_config(args.config, args.cfg_options)
    if args.random_init:
        cfg.model.segmentor.backbone.update(pretrained=None, revision=None, random_init=args.random_init)
    size = tuple(args.size)
    window = tuple(args.window or (size[0], size[0]))
    segment = UntrainedInferencer(cfg, args.checkpoint, device=args.device, window=window, overlap=args.overlap)
    figures = dict(device=peak_memory()[0], size=list(size), window=list(window), overlap=segment.overlap,
                   batch_size=args.batch_size, repeats=args.repeats)
    print(', '.join(f'{key} {value}' for key, value in figures.items()), flush=True)
    for name in ('windows', 'whole'):  # that which needs more memory last, as a process's peak only ever rises
        segment.window = window if name == 'windows' else None
        figures[name] = measure(segment, size, args.batch_size, args.repeats)
        print(format_figures(name, figures[name]), flush=True)
    write_result(args.json, 'inference', argv, figures)
    return 0


def format_figures(name: str, figures: dict) -> str:
    """The figures of :func:`measure` as a line."""
    return (f'{name:8} {figures["seconds_per_image"]:.3f} s an image, {figures["images_per_second"]:.2f} images/s, '
            f'peak memory {figures["peak_memory_mib"]:.0f} MiB')
