"""What docs/scaling.md counts: parameters on the meta device, and what follows for memory, communication and speed.

python benchmarks/scaling.py   # writes benchmarks/results/scaling.json and the tables of docs/scaling.md
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from peft import LoraConfig

from mmdass.models.backbones.stable_diffusion_sizes import STABLE_DIFFUSION_SIZES

ROOT = Path(__file__).parents[1]
RESULT, PAGE = ROOT / 'benchmarks/results/scaling.json', ROOT / 'docs/scaling.md'
BLOCK = re.compile(r'(<!-- table (\w+) -->\n).*?(<!-- end -->)', re.DOTALL)
GPUS, NODE = (1, 8, 64), 8

# stabilityai/stable-diffusion-xl-base-1.0
SDXL = dict(
    sample_size=128, block_out_channels=(320, 640, 1280), cross_attention_dim=2048, attention_head_dim=(5, 10, 20),
    transformer_layers_per_block=(1, 2, 10), use_linear_projection=True, addition_embed_type='text_time',
    addition_time_embed_dim=256, projection_class_embeddings_input_dim=2816,
    down_block_types=('DownBlock2D', 'CrossAttnDownBlock2D', 'CrossAttnDownBlock2D'),
    up_block_types=('CrossAttnUpBlock2D', 'CrossAttnUpBlock2D', 'UpBlock2D'))
TAIL = 12_164  # of the UNet, frozen as in MADM's code
HEADS = 2_245_888 + 3_874_059 + 179_968  # neck, head and conditioning of configs/madm/event.py; the teacher has copies

# Assumptions, none of them measured here.
SECONDS_PER_SAMPLE = {'SD 1.x': 0.08, 'SDXL': 0.24}  # the aim for SD 1.x; SDXL by its FLOPs, about three times as many
NVLINK, NETWORK = 300e9, 40e9  # bytes a second that a GPU sends: in a node of 8, and through its own 400 Gb/s card
OVERLAP = 0.5  # of a step, its backward pass, hides communication


def count_parameters() -> dict[str, dict[str, int]]:
    """Trained and frozen parameters by model and way of training."""
    counts = {}
    for model, size in {'SD 1.x': STABLE_DIFFUSION_SIZES['sd1']['unet'], 'SDXL': SDXL}.items():
        with torch.device('meta'):
            unet = UNet2DConditionModel(**size)
            vae = AutoencoderKL(**STABLE_DIFFUSION_SIZES['sd1']['vae'])
            whole, encoder = _count(unet), _count(vae)
            unet.add_adapter(LoraConfig(r=16, target_modules=['to_q', 'to_k', 'to_v', 'to_out.0']))
        adapters = _count(unet) - whole
        counts[f'{model}, full'] = dict(trained=whole - TAIL + HEADS, frozen=TAIL + encoder + HEADS)
        counts[f'{model}, LoRA 16'] = dict(trained=adapters + HEADS, frozen=whole + encoder + HEADS)
    return counts


def _count(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def memory(trained: int, frozen: int, gpus: int) -> dict[str, float]:
    """GB a GPU of weights, gradients and AdamW's states in float32, by strategy; activations come on top."""
    weights, gradients, states = 4 * (trained + frozen), 4 * trained, 8 * trained
    buckets = gradients if gpus > 1 else 0  # DDP's copies, which are sent
    return {
        'DDP': (weights + gradients + buckets + states) / 1e9,
        'DDP, ZeRO-1': (weights + gradients + buckets + states / gpus) / 1e9,
        'DeepSpeed ZeRO-2': (weights + (gradients + states) / gpus) / 1e9,
        'FSDP': (weights + gradients + states) / gpus / 1e9}


def sent(trained: int, gpus: int) -> dict[str, float]:
    """GB that a GPU sends a step; frozen parameters stay where they are, but FSDP gathers those too."""
    once = 4 * trained * (gpus - 1) / gpus / 1e9
    return {'DDP, ZeRO': 2 * once, 'FSDP': 3 * once}


def seconds_sent(trained: int, gpus: int) -> float:
    """Seconds of DDP's all-reduce: first within nodes, then each GPU its eighth between them."""
    nodes, inside = max(gpus // NODE, 1), min(gpus, NODE)
    size = 4 * trained
    return 2 * size * ((inside - 1) / inside / NVLINK + (nodes - 1) / nodes / inside / NETWORK)


def samples_per_second(seconds: float, trained: int, gpus: int) -> float:
    """Pairs a second of all GPUs together under DDP, one pair each a step."""
    return gpus / (seconds + max(0.0, seconds_sent(trained, gpus) - OVERLAP * seconds))


def tables(counts: Mapping[str, Mapping[str, int]]) -> dict[str, str]:
    """The page's tables by name, in Markdown."""
    rows: dict[str, list[list[str]]] = dict(
        parameters=[['', 'trained', 'frozen']],
        communication=[['GB sent by a GPU a step', *(f'{name}, {n} GPUs' for n in GPUS[1:] for name in sent(1, n))]],
        memory=[['GB a GPU, without activations', '1 GPU',
                 *(f'{name}, {n}' for n in GPUS[1:] for name in memory(1, 1, n))]],
        throughput=[['pairs a second, expected', *(f'{n} GPU{"s" if n > 1 else ""}' for n in GPUS)]])
    for name, count in counts.items():
        seconds = SECONDS_PER_SAMPLE[name.split(',')[0]]
        rows['parameters'].append([name, *(f'{count[kind] / 1e6:.1f} M' for kind in ('trained', 'frozen'))])
        traffic = [sent(count['trained'], n).values() for n in GPUS[1:]]
        rows['communication'].append([name, *(f'{size:.2f}' for sizes in traffic for size in sizes)])
        needed = [memory(**count, gpus=n).values() for n in GPUS[1:]]
        alone = memory(**count, gpus=1)['DDP']
        rows['memory'].append([name, f'{alone:.1f}', *(f'{size:.1f}' for sizes in needed for size in sizes)])
        rows['throughput'].append(
            [name, *(f'{samples_per_second(seconds, count["trained"], n):.3g}' for n in GPUS)])
    return {name: '\n'.join([_row(lines[0]), _row(['---'] * len(lines[0])), *map(_row, lines[1:])])
            for name, lines in rows.items()}


def _row(cells: list[str]) -> str:
    return f'| {" | ".join(cells)} |'


def fill(page: str, counts: Mapping[str, Mapping[str, int]]) -> str:
    """The page with its tables made anew."""
    made = tables(counts)
    return BLOCK.sub(lambda block: f'{block[1]}{made[block[2]]}\n{block[3]}', page)


if __name__ == '__main__':
    RESULT.write_text(json.dumps(count_parameters(), indent=2) + '\n')
    PAGE.write_text(fill(PAGE.read_text(), json.loads(RESULT.read_text())))
