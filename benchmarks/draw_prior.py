"""Pictures of a prior: losses of its trainings, images and their reconstructions, samples.

    python benchmarks/draw_prior.py   # toy-sd's, for configs/prior/README.md
    python benchmarks/draw_prior.py --config configs/prior/custom_vae.py --vae-run work_dirs/custom_vae \\
        --unet-run work_dirs/custom_unet --model work_dirs/custom_unet/denoiser --out work_dirs/custom_unet
"""

import argparse
import json
from pathlib import Path

import cv2
import matplotlib.pyplot as plt
import numpy as np
import torch
from diffusers import StableDiffusionPipeline
from mmengine.config import Config
from mmengine.registry import init_default_scope

import mmdass  # noqa: F401, first: its shims must run before mmseg is imported
from mmdass.registry import DATASETS
from mmdass.utils.config import load_config

ROOT = Path(__file__).parents[1]
COLUMNS = 8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--config', type=Path, default=ROOT / 'configs/prior/toy_vae.py', help='of the VAE')
    parser.add_argument('--vae-run', type=Path, default=Path('work_dirs/toy_vae'))
    parser.add_argument('--unet-run', type=Path, default=Path('work_dirs/toy_unet'))
    parser.add_argument('--model', type=Path, default=ROOT / 'mmdass/models/weights/toy_sd')
    parser.add_argument('--out', type=Path, default=ROOT / 'docs/images')
    args = parser.parse_args()
    cfg = load_config(args.config)
    args.out.mkdir(parents=True, exist_ok=True)
    draw_losses(args.out / 'prior_losses.png', {
        'VAE: mean absolute error': losses(args.vae_run, 'loss_reconstruction'),
        'U-Net: mean squared error of the noise': losses(args.unet_run, 'loss_noise')})
    pipeline = StableDiffusionPipeline.from_pretrained(args.model, torch_dtype=torch.float32)
    images = training_images(cfg)
    with torch.no_grad():
        restored = pipeline.vae.decode(pipeline.vae.encode(images).latent_dist.mean).sample
    write_rows(args.out / 'prior_reconstructions.png', [images, restored])
    write_rows(args.out / 'prior_samples.png', list(samples(pipeline, images.shape[2:]).split(COLUMNS)))


def losses(run: Path, name: str) -> list[tuple[int, float]]:
    """Iterations and values of a run's log."""
    newest = max(run.glob('*/vis_data/scalars.json'))
    entries = map(json.loads, newest.read_text().splitlines())
    return [(entry['step'], entry[name]) for entry in entries if name in entry]


def draw_losses(file: Path, curves: dict[str, list[tuple[int, float]]]) -> None:
    """One panel a curve."""
    figure, panels = plt.subplots(1, len(curves), figsize=(9, 2.6), layout='constrained')
    for panel, (title, curve) in zip(panels, curves.items(), strict=True):
        panel.plot(*zip(*curve, strict=True), linewidth=1)
        panel.set(title=title, xlabel='iteration', ylim=(0, None))
    figure.savefig(file, dpi=100)


def training_images(cfg: Config) -> torch.Tensor:
    """The first images of the VAE's training (N, 3, H, W), RGB in [-1, 1]."""
    init_default_scope(cfg.default_scope)
    dataset = DATASETS.build(cfg.train_dataloader.dataset)
    dataset.seed = cfg.randomness.seed
    return torch.stack([dataset[index]['inputs'].flip(0) for index in range(COLUMNS)]) / 127.5 - 1


def samples(pipeline: StableDiffusionPipeline, size: tuple[int, int], num: int = 2 * COLUMNS,
            steps: int = 50) -> torch.Tensor:
    """Images (N, 3, H, W), RGB in [-1, 1], from noise."""
    pipeline.set_progress_bar_config(disable=True)
    images = pipeline(
        [''] * num, num_inference_steps=steps, guidance_scale=1, height=size[0], width=size[1], output_type='pt',
        generator=torch.Generator().manual_seed(0)).images
    return images * 2 - 1


def write_rows(file: Path, rows: list[torch.Tensor]) -> None:
    """Write rows of images as one picture."""
    picture = torch.cat([torch.cat(list(row), dim=2) for row in rows], dim=1)
    pixels = ((picture.clamp(-1, 1) + 1) * 127.5).round().byte().permute(1, 2, 0).numpy()
    cv2.imwrite(str(file), np.ascontiguousarray(pixels[..., ::-1]))


if __name__ == '__main__':
    main()
