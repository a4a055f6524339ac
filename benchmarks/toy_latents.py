"""What the latents of toy-sd's VAE keep of a street: segmentation from them and from pixels, as JSON.

    python benchmarks/toy_latents.py

The same network of stride 8 is trained on labelled images of one modality at a time, once on their latents, once on the
pixels behind three strided convolutions. What latents lose no diffusion backbone on top of them can know.
"""

import argparse
import json
from pathlib import Path

import torch
from mmengine.registry import init_default_scope
from mmengine.runner import set_random_seed
from torch import Tensor, nn
from torch.nn import functional as F

from mmdass.benchmarks.result import environment
from mmdass.registry import DATASETS, MODELS

MODALITIES = ('rgb', 'depth', 'infrared', 'event')
NUM_CLASSES = 11
CHANNELS = 64


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--iterations', type=int, default=700)
    parser.add_argument('--seeds', type=int, nargs='+', default=[0, 1, 2])
    parser.add_argument('--json', type=Path, default=Path('benchmarks/results/toy_latents.json'))
    args = parser.parse_args()
    init_default_scope('mmdass')
    rows = [measure(modality, args.iterations, args.seeds) for modality in MODALITIES]
    seeds = ' '.join(map(str, args.seeds))
    args.json.write_text(json.dumps(dict(
        command=f'python benchmarks/toy_latents.py --iterations {args.iterations} --seeds {seeds}', rows=rows,
        environment=environment()), indent=1) + '\n')


def measure(modality: str, iterations: int, seeds: list[int]) -> dict:
    """mIoU in percent from pixels and from latents, for each seed."""
    images, labels = streets(modality, seed=1, number=600)
    unseen, truth = streets(modality, seed=31, number=60)
    vae = MODELS.build(dict(type='StableDiffusionBackbone', pretrained='toy')).vae
    scores = dict(pixels=[], latents=[])
    for seed in seeds:
        set_random_seed(seed)
        scores['pixels'].append(score(train(from_pixels(), images, labels, iterations), unseen, truth))
        model = train(from_latents(), encode(vae, images), labels, iterations)
        scores['latents'].append(score(model, encode(vae, unseen), truth))
    return dict(modality=modality, **scores)


def streets(modality: str, seed: int, number: int, look: str = 'real') -> tuple[Tensor, Tensor]:
    """Images (N, 3, 128, 256), RGB in [-1, 1], and labels (N, 128, 256)."""
    looks = dict(look=look) if modality == 'rgb' else {}
    dataset = DATASETS.build(dict(
        type='ToyStreetDataset', modality=modality, num_images=number, seed=seed,
        pipeline=[dict(type='RenderToyScene')], **looks))
    scenes = [dataset[index] for index in range(number)]
    images = torch.stack([torch.from_numpy(scene['img'][..., ::-1].copy()) for scene in scenes])
    labels = torch.stack([torch.from_numpy(scene['gt_seg_map']).long() for scene in scenes])
    return images.permute(0, 3, 1, 2).float() / 127.5 - 1, labels


@torch.no_grad()
def encode(vae: nn.Module, images: Tensor) -> Tensor:
    """Scaled latents (N, 4, 16, 32)."""
    means = [vae.encode(batch).latent_dist.mean for batch in images.split(8)]
    return torch.cat(means) * vae.config.scaling_factor


class Residual(nn.Module):
    """Two convolutions beside the input."""

    def __init__(self, dilation: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.GroupNorm(8, CHANNELS), nn.SiLU(),
            nn.Conv2d(CHANNELS, CHANNELS, 3, padding=dilation, dilation=dilation),
            nn.GroupNorm(8, CHANNELS), nn.SiLU(), nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x)


def from_latents() -> nn.Module:
    """The network on latents."""
    return nn.Sequential(nn.Conv2d(4, CHANNELS, 3, padding=1), *trunk())


def from_pixels() -> nn.Module:
    """The same network on pixels."""
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, stride=2, padding=1), nn.SiLU(),
        nn.Conv2d(16, 32, 3, stride=2, padding=1), nn.GroupNorm(8, 32), nn.SiLU(),
        nn.Conv2d(32, CHANNELS, 3, stride=2, padding=1), *trunk())


def trunk() -> list[nn.Module]:
    return [*(Residual(dilation) for dilation in (1, 2, 4, 1, 2, 4)), nn.GroupNorm(8, CHANNELS), nn.SiLU(),
            nn.Conv2d(CHANNELS, NUM_CLASSES, 1)]


def train(model: nn.Module, inputs: Tensor, labels: Tensor, iterations: int, batch_size: int = 8) -> nn.Module:
    """AdamW with a warm-up and polynomial decay, on random whole images, half of the batches mirrored."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda i: min(1, (i + 1) / 30) * (1 - i / iterations) ** 0.9)
    for _ in range(iterations):
        index = torch.randint(len(inputs), (batch_size,))
        x, label = inputs[index], labels[index]
        if torch.rand(()) < 0.5:
            x, label = x.flip(-1), label.flip(-1)
        loss = F.cross_entropy(enlarge(model(x), label), label, ignore_index=255)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return model


def enlarge(logits: Tensor, label: Tensor) -> Tensor:
    return F.interpolate(logits, size=label.shape[1:], mode='bilinear')


@torch.no_grad()
def score(model: nn.Module, inputs: Tensor, labels: Tensor) -> float:
    """mIoU in percent."""
    found = torch.cat([enlarge(model(x), y).argmax(1)
                       for x, y in zip(inputs.split(8), labels.split(8), strict=True)])
    known = labels != 255
    confusion = torch.bincount((labels * NUM_CLASSES + found)[known], minlength=NUM_CLASSES**2)
    confusion = confusion.view(NUM_CLASSES, NUM_CLASSES).double()
    iou = confusion.diag() / (confusion.sum(0) + confusion.sum(1) - confusion.diag())
    return 100 * iou.mean().item()


if __name__ == '__main__':
    main()
