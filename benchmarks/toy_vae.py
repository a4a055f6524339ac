"""What toy-sd's VAE makes of each kind of picture, as JSON: errors, colours, and the spread of its latents.

    python benchmarks/toy_vae.py
    python benchmarks/tables.py   # docs/results.md

Of pictures that it was not trained on. Nothing is trained.
"""

import argparse
from pathlib import Path

import torch
from mmengine.registry import init_default_scope
from rows import write_row
from torch import Tensor, nn
from toy_adaptation import nearest_class
from toy_latents import streets

from mmdass.datasets.label_space import LabelSpace
from mmdass.models import LatentPaletteHead
from mmdass.registry import MODELS

STREETS = dict(seed=31, number=50)  # the prior's training has seed 7
KINDS = {
    'rgb, real look': dict(modality='rgb'), 'rgb, synthetic look': dict(modality='rgb', look='synthetic'),
    'depth': dict(modality='depth'), 'infrared': dict(modality='infrared'), 'event': dict(modality='event')}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--json', type=Path, default=Path('benchmarks/results/toy_vae.json'))
    args = parser.parse_args()
    init_default_scope('mmdass')
    vae = MODELS.build(dict(type='StableDiffusionBackbone', pretrained='toy')).vae
    rows = {name: measure(vae, streets(**STREETS, **kind)[0]) for name, kind in KINDS.items()}
    labels = streets('rgb', **STREETS)[1]
    painter = LatentPaletteHead('madm11')
    painted = painter.paint(labels)
    rows['painted labels'] = measure(vae, painted)
    write_row(
        args.json, command='python benchmarks/toy_vae.py', num_images=STREETS['number'], rows=rows,
        classes_kept=classes_kept(painter, through(vae, painted)[1], labels))


def measure(vae: nn.Module, images: Tensor) -> dict[str, float]:
    """Errors and saturations in grey levels of 255; the latents' deviation, and what share of them colours change."""
    latents, restored = through(vae, images)
    grey = through(vae, images.mean(1, keepdim=True).expand_as(images))[0]
    return dict(
        error=127.5 * (restored - images).abs().mean().item(), saturation=saturation(images),
        restored_saturation=saturation(restored), latents_std=latents.std().item(),
        changed_by_grey=((latents - grey).norm() / latents.norm()).item())


@torch.no_grad()
def through(vae: nn.Module, images: Tensor) -> tuple[Tensor, Tensor]:
    """Scaled latents (N, 4, H/8, W/8), and what they are decoded to (N, 3, H, W) in [-1, 1]."""
    latents = torch.cat([vae.encode(batch).latent_dist.mean for batch in images.split(10)])
    restored = torch.cat([vae.decode(batch).sample for batch in latents.split(10)])
    return latents * vae.config.scaling_factor, restored.clamp(-1, 1)


def saturation(images: Tensor) -> float:
    """The mean difference of a pixel's largest and smallest channel, in grey levels."""
    return 127.5 * (images.amax(1) - images.amin(1)).mean().item()


def classes_kept(painter: LatentPaletteHead, restored: Tensor, labels: Tensor) -> dict[str, float]:
    """Of each class's pixels the share in percent to whose restored colour the class's own is still the nearest."""
    found = nearest_class(restored, painter)
    return {name: 100 * (found[labels == index] == index).float().mean().item()
            for index, name in enumerate(LabelSpace.get('madm11').classes) if (labels == index).any()}


if __name__ == '__main__':
    main()
