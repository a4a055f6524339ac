"""Pictures of the toy models' prior for configs/prior/README.md: losses, reconstructions, samples.

    python benchmarks/draw_prior.py --vae-run work_dirs/toy_vae --unet-run work_dirs/toy_unet
"""

import argparse
import json
from pathlib import Path

import cv2
import matplotlib.pyplot as plt
import numpy as np
import torch
from diffusers import StableDiffusionPipeline
from mmengine.registry import init_default_scope

import mmdass  # noqa: F401, first: its shims must run before mmseg is imported
from mmdass.registry import DATASETS
from mmdass.utils.config import load_config

ROOT = Path(__file__).parents[1]
IMAGES = ROOT / 'docs/images'
COLUMNS = 8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--vae-run', type=Path, default=Path('work_dirs/toy_vae'))
    parser.add_argument('--unet-run', type=Path, default=Path('work_dirs/toy_unet'))
    args = parser.parse_args()
    draw_losses({'VAE: mean absolute error': losses(args.vae_run, 'loss_reconstruction'),
                 'U-Net: mean squared error of the noise': losses(args.unet_run, 'loss_noise')})
    pipeline = StableDiffusionPipeline.from_pretrained(ROOT / 'mmdass/models/weights/toy_sd', torch_dtype=torch.float32)
    images = training_images()
    with torch.no_grad():
        restored = pipeline.vae.decode(pipeline.vae.encode(images).latent_dist.mean).sample
    write_rows('toy_vae.png', [images, restored])
    write_rows('toy_unet.png', list(samples(pipeline).split(COLUMNS)))


def losses(run: Path, name: str) -> list[tuple[int, float]]:
    """Iterations and values of a run's log."""
    newest = max(run.glob('*/vis_data/scalars.json'))
    entries = map(json.loads, newest.read_text().splitlines())
    return [(entry['step'], entry[name]) for entry in entries if name in entry]


def draw_losses(curves: dict[str, list[tuple[int, float]]]) -> None:
    """One panel a curve."""
    figure, panels = plt.subplots(1, len(curves), figsize=(9, 2.6), layout='constrained')
    for panel, (title, curve) in zip(panels, curves.items(), strict=True):
        panel.plot(*zip(*curve, strict=True), linewidth=1)
        panel.set(title=title, xlabel='iteration', ylim=(0, None))
    figure.savefig(IMAGES / 'toy_prior_losses.png', dpi=100)


def training_images() -> torch.Tensor:
    """The first of toy_vae.py's images (N, 3, 128, 128), RGB in [-1, 1]."""
    cfg = load_config(ROOT / 'configs/prior/toy_vae.py')
    init_default_scope(cfg.default_scope)
    dataset = DATASETS.build(cfg.train_dataloader.dataset)
    dataset.seed = cfg.randomness.seed
    return torch.stack([dataset[index]['inputs'].flip(0) for index in range(COLUMNS)]) / 127.5 - 1


def samples(pipeline: StableDiffusionPipeline, num: int = 2 * COLUMNS, steps: int = 50) -> torch.Tensor:
    """Images (N, 3, 128, 128), RGB in [-1, 1], from noise."""
    pipeline.set_progress_bar_config(disable=True)
    images = pipeline(
        [''] * num, num_inference_steps=steps, guidance_scale=1, height=128, width=128, output_type='pt',
        generator=torch.Generator().manual_seed(0)).images
    return images * 2 - 1


def write_rows(name: str, rows: list[torch.Tensor]) -> None:
    """Write rows of images as one picture."""
    picture = torch.cat([torch.cat(list(row), dim=2) for row in rows], dim=1)
    pixels = ((picture.clamp(-1, 1) + 1) * 127.5).round().byte().permute(1, 2, 0).numpy()
    cv2.imwrite(str(IMAGES / name), np.ascontiguousarray(pixels[..., ::-1]))


if __name__ == '__main__':
    main()
