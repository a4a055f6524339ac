"""The pictures of docs/methods.md, from models that were trained in the toy world.

    python benchmarks/draw_methods.py madm --run work_dirs/toy_infrared
    python benchmarks/draw_methods.py ptl --run work_dirs/toy
"""

import argparse
from pathlib import Path

import torch
from mmengine.dataset import pseudo_collate
from PIL import Image
from torch import Tensor

import mmdass  # noqa: F401, first: its shims must run before mmseg is imported
from mmdass.apis.load_segmentor import load_segmentor
from mmdass.datasets.label_space import LabelSpace
from mmdass.models import DiffusionTranslator
from mmdass.registry import DATASETS, MODELS
from mmdass.utils.config import load_config
from mmdass.visualization import DomainVisualizer

ROOT = Path(__file__).parents[1]
SAMPLE = 3
TIMESTEPS = (0, 50, 200, 500)
STEPS = (0, 7, 13, 19)  # of the 20 that the profile 'fast' takes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('method', choices=['madm', 'ptl'])
    parser.add_argument('--run', type=Path, required=True, help='work dir of the toy training')
    args = parser.parse_args()
    space = LabelSpace.get('madm11')
    panels = dict(madm=pseudo_labelling, ptl=translation)[args.method](args.run)
    picture = DomainVisualizer().draw_panels(panels, space.classes, space.palette)
    Image.fromarray(picture).save(ROOT / f'docs/images/{args.method}.jpg', quality=85)


@torch.no_grad()
def pseudo_labelling(run: Path) -> dict[str, Tensor]:
    """DPLG and LPLR: what the teacher sees, says and paints of one infrared image at several timesteps."""
    config = ROOT / 'configs/madm/toy_infrared.py'
    model = load_segmentor(config, run / 'iter_600.pth')
    sample = DATASETS.build(load_config(config).val_dataloader.dataset)[SAMPLE]
    image = model.data_preprocessor(pseudo_collate([sample]), False)['inputs']
    panels = {'target/image': image[0], 'target/ground_truth': sample['data_samples'].gt_sem_seg.data[0]}
    model.panels_wanted, backbone = True, model.teacher.segmentor.backbone
    latents = backbone.encode(image)
    for timestep in TIMESTEPS:
        pseudo = model.pseudo_label_latents(latents, timestep)
        noisy = backbone.scheduler.add_noise(latents, backbone._noise_like(latents), torch.tensor([timestep]))
        panels |= {
            f't={timestep}/image': backbone.decode(noisy)[0],
            f't={timestep}/pseudo_label': pseudo.label[0],
            f't={timestep}/LPLR': model.panels['target/palette'][0],
            f't={timestep}/confidence': pseudo.confidence[0]}
    return panels


def translation(run: Path) -> dict[str, Tensor]:
    """SGG and PTL: the way back with and without guidance, and what each stage makes of the image with its own g."""
    cfg = load_config(ROOT / 'configs/sgg_ptl/toy.py')
    guides = [load_segmentor(cfg, run / f'{name}.pth') for name in ('source_only', 'stage_1', 'stage_2')]
    translator = MODELS.build(cfg.translator)
    sample = DATASETS.build(cfg.source_dataset)[SAMPLE]
    image = sample['inputs'][None].flip(1) / 127.5 - 1
    label = sample['data_samples'].gt_sem_seg.data
    panels = {'source/image': image[0], 'source/label': label[0]}
    stages = {}
    for stage, (start, guide) in enumerate(zip(cfg.train_cfg.stages, guides, strict=True), start=1):
        translator.guide_with(guide)
        guided, stages[f'PTL/stage_{stage}_(n_=_{start})'] = walk(translator, image, label, stage, start)
    translator.sgg_hooks = []
    unguided, _ = walk(translator, image, label, stage, start)
    for i in STEPS:
        x, step = unguided[i]
        panels[f'state/n_=_{step.timestep + 1}'] = x[0]
    for row, states in (('unguided', unguided), ('guided', guided)):
        for i in STEPS:
            x, step = states[i]
            panels[f'{row}/n_=_{step.timestep + 1}'] = step.to_image(step.clean(x))[0]
    return panels | stages


def walk(translator: DiffusionTranslator, image: Tensor, label: Tensor, stage: int, start: int) -> tuple[list, Tensor]:
    """The states before each reverse step, with the steps, and the translated image (3, H, W)."""
    states = []
    output = translator.translate(
        image, label, ['figure'], stage, start, watch=lambda x, step: states.append((x.clone(), step)))
    return states, output.images[0]


if __name__ == '__main__':
    main()
