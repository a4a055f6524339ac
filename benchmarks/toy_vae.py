"""What toy-sd's VAE makes of each kind of picture, as JSON: errors, colours, and the spread of its latents.

    python benchmarks/toy_vae.py
    python benchmarks/tables.py   # docs/results.md, configs/prior/README.md

Of pictures that it was not trained on. Nothing is trained.
"""

import argparse
from pathlib import Path

import torch
from mmengine.registry import init_default_scope
from rows import write_row
from torch import Tensor, nn
from toy_adaptation import nearest_class

from mmdass.datasets.label_space import LabelSpace
from mmdass.models import LatentPaletteHead
from mmdass.registry import DATASETS, MODELS

KINDS = {  # of pictures: what ToyStreetDataset renders
    'rgb, real look': dict(modality='rgb', look='real'), 'rgb, synthetic look': dict(modality='rgb', look='synthetic'),
    'depth': dict(modality='depth'), 'infrared': dict(modality='infrared'), 'event': dict(modality='event')}
NUM_IMAGES = 50
SEED = 31  # of the streets: the prior's training has 7


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--json', type=Path, default=Path('benchmarks/results/toy_vae.json'))
    args = parser.parse_args()
    init_default_scope('mmdass')
    vae = MODELS.build(dict(type='StableDiffusionBackbone', pretrained='toy')).vae
    rows = {kind: measure(vae, streets(**dataset)[0]) for kind, dataset in KINDS.items()}
    labels = streets(modality='rgb', look='real')[1]
    painter = LatentPaletteHead('madm11')
    painted = painter.paint(labels)
    rows['painted labels'] = measure(vae, painted)
    write_row(
        args.json, command='python benchmarks/toy_vae.py', num_images=NUM_IMAGES, rows=rows,
        classes_kept=classes_kept(painter, through(vae, painted)[1], labels))


def streets(**dataset: str) -> tuple[Tensor, Tensor]:
    """Images (N, 3, H, W), RGB in [-1, 1], and labels (N, H, W)."""
    scenes = DATASETS.build(dict(
        type='ToyStreetDataset', num_images=NUM_IMAGES, seed=SEED, pipeline=[dict(type='RenderToyScene')], **dataset))
    scenes = [scenes[index] for index in range(NUM_IMAGES)]
    images = torch.stack([torch.from_numpy(scene['img'][..., ::-1].copy()) for scene in scenes])
    labels = torch.stack([torch.from_numpy(scene['gt_seg_map']).long() for scene in scenes])
    return images.permute(0, 3, 1, 2).float() / 127.5 - 1, labels


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
