"""`mmdass parity FOLDER`: our MADM against numbers of the official implementation, one row per quantity.

FOLDER holds a Stable Diffusion folder (any sub-folder with a ``model_index.json``) and, for each task,
``official_<task>.pth`` and ``<task>.npz``. Each task is built from the shipped ``configs/madm/<task>.py``, at the sizes
that the checkpoint's tensors have.
"""

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.structures import SegDataSample
from torch import Tensor, nn

from mmdass.checkpoints.convert import StateDict, find_state_dict
from mmdass.checkpoints.loader import CheckpointError, load_checkpoint_file
from mmdass.checkpoints.madm import convert
from mmdass.datasets.events.unpacking import load_npz
from mmdass.models.segmentors.madm import MADM
from mmdass.models.segmentors.self_training import label_samples
from mmdass.registry import MODELS
from mmdass.utils.paths import shipped_folder

# Under which the numbers were taken.
THRESHOLD = 0.2
_LOSSES = {
    'source_loss': 'source.decode.loss_ce',
    'target_loss': 'mix.decode.loss_ce',
    'vae_decoder_source_loss': 'source.loss_latent',
    'vae_decoder_target_loss': 'mix.loss_latent',
}


@dataclass
class Row:
    """One compared quantity.

    Attributes:
        name: What it is.
        reference: The official value; of an array, the largest magnitude.
        ours: Our value, likewise.
        absolute: The largest absolute difference; for labels, the share of pixels that differ.
        relative: That over the reference's range (arrays) or magnitude (scalars).
        tolerance: What ``relative`` may be.
    """

    name: str
    reference: float
    ours: float
    absolute: float
    relative: float
    tolerance: float

    @property
    def passed(self) -> bool:
        """Whether the difference is within tolerance; NaN is not."""
        return self.relative <= self.tolerance

    def __str__(self) -> str:
        numbers = f'{self.reference:13.6g} {self.ours:13.6g} {self.absolute:9.1e} {self.relative:9.1e}'
        return f'{self.name:28} {numbers} {self.tolerance:9.1e}  {"ok" if self.passed else "DIFFERS"}'


def compare_task(folder: Path, task: str) -> list[Row]:
    """Compare one task.

    Args:
        folder: The folder of golden numbers.
        task: 'event', 'depth', 'infrared', or another with a config of that name.

    Raises:
        FileNotFoundError: A file of the task is missing.
        CheckpointError: The checkpoint is not an official one.
    """
    golden = load_npz(_required(folder / f'{task}.npz'))
    report = convert(find_state_dict(load_checkpoint_file(_required(folder / f'official_{task}.pth'))))
    stable_diffusion = next((path.parent for path in sorted(folder.glob('*/model_index.json'))), None)
    if stable_diffusion is None:
        raise FileNotFoundError(f'{folder} holds no Stable Diffusion folder: no */model_index.json')
    model = build_model(task, stable_diffusion, report.state_dict)
    # Evaluation first: a training step updates the batch norm's running statistics.
    return [*compare_evaluation(model, golden), *compare_training_step(model, golden)]


def build_model(task: str, stable_diffusion: Path, state_dict: StateDict) -> MADM:
    """The shipped config's model at the sizes of a converted checkpoint, with its weights.

    Dropout, augmentation and the random start of DPLG are off, as in the golden runs.
    """
    model = Config.fromfile(shipped_folder('configs') / 'madm' / f'{task}.py').model
    student = {k.removeprefix('segmentor.'): v for k, v in state_dict.items() if k.startswith('segmentor.')}
    levels = [f'neck.projections.{level}' for level in range(4)]
    outputs = [student[f'{level}.conv3.conv.weight'].shape[0] for level in levels]
    embed = student['decode_head.embed_layers.0.proj.weight'].shape[0]
    classes, channels = student['decode_head.conv_seg.weight'].shape[:2]
    model.segmentor.backbone.update(pretrained=str(stable_diffusion), revision=None)
    model.segmentor.neck.update(
        in_channels=[student[f'{level}.conv1.conv.weight'].shape[1] for level in levels],
        out_channels=outputs,
        channels=student['neck.projections.0.conv1.conv.weight'].shape[0],
    )
    model.segmentor.decode_head.update(
        in_channels=outputs, channels=channels, embed_dims=embed, num_classes=classes, dropout_ratio=0.0
    )
    start = model.pseudo_labeler.start_timestep[0]
    model.pseudo_labeler.update(threshold=THRESHOLD, start_timestep=(start, start))
    model.augmentation = None
    built = MODELS.build(model)
    missing, unexpected = built.load_state_dict(state_dict, strict=False)
    wrong = [name for name in missing if not name.endswith('_extra_state')] + unexpected
    if wrong:
        names = ', '.join(wrong[:8])
        raise CheckpointError(f'the checkpoint does not fit the model of configs/madm/{task}.py: {names}')
    return built


@torch.no_grad()
def compare_evaluation(model: MADM, golden: dict[str, np.ndarray]) -> Iterator[Row]:
    """Features, logits and prediction of the first target image, in eval mode at timestep 0."""
    model.eval()
    student = model.segmentor
    image = to_images(golden['tgt'])[:1]
    output = student.backbone.forward_latents(student.backbone.encode(image))
    s0, s3, _, s5 = student.neck(output.features)
    logits = student.decode_head([s0, s3, _, s5])
    thumb = nn.functional.avg_pool2d(output.decoded.clamp(-1, 1), 8)
    yield array_row('UNet output', golden['eval_unet_out'], output.latents)
    yield array_row('decoded picture (8x8 mean)', golden['eval_decoded_thumb'], thumb)
    yield array_row('feature s0', golden['eval_s0_32x'], s0[..., ::32, ::32])
    yield array_row('feature s3', golden['eval_s3_4x'], s3[..., ::4, ::4])
    yield array_row('feature s5', golden['eval_s5'], s5)
    yield array_row('logits', golden['eval_logits_8x'], logits[..., ::8, ::8])
    yield label_row('prediction', golden['eval_pred_4x'], logits.argmax(1)[..., ::4, ::4])


def compare_training_step(model: MADM, golden: dict[str, np.ndarray]) -> Iterator[Row]:
    """Teacher, losses and gradients of one training step."""
    model.train()
    updated = 'ema_prompt_after' in golden
    iteration = int(golden['iter'])
    model.iterations.value = iteration
    # The official step begins with the update of the step before.
    model.teacher.steps.value = iteration - 1
    model.teacher.armed = True
    if updated:
        model.teacher.update()
    mask = torch.from_numpy(golden['mix']).bool()
    model.mixing = _GivenMask(mask if mask.dim() == 3 else mask[None])
    model.panels_wanted = True

    label = torch.from_numpy(golden['lab']).reshape(-1, *golden['lab'].shape[-2:])
    inputs = {branch: to_images(golden[key]) for branch, key in dict(source='src', target='tgt').items()}
    samples = dict(source=label_samples(label), target=[SegDataSample() for _ in label])
    losses = model.loss(inputs, samples)
    sum(value for name, value in losses.items() if 'loss' in name).backward()

    yield scalar_row('timestep', golden['noise_timestep'], losses['pseudo/timestep'], 0)
    yield label_row('pseudo-label', golden['pseudo_label'], model.panels['target/pseudo_label'])
    yield scalar_row('pseudo-label weight', golden['pseudo_weight'], losses['pseudo/confident'], 1e-4)
    for name, value in zip(golden['loss_names'], golden['losses'], strict=True):
        # One pixel of the pseudo-label that flips moves the mixed label's latent loss by 1e-5.
        yield scalar_row(name, value, losses[_LOSSES[name]], 5e-5 if name == 'vae_decoder_target_loss' else 1e-5)
    # The L1 loss flips signs at rounding level, so gradients agree less closely.
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    total = torch.nn.utils.get_total_norm(gradients)
    yield scalar_row('gradient norm', golden['grad_total_norm'], total, 1e-3)
    conv_in = model.segmentor.backbone.unet.conv_in.weight.grad.norm()
    yield scalar_row('gradient norm of conv_in', golden['grad_conv_in'], conv_in, 5e-3)
    if updated:
        teacher = model.teacher.segmentor
        yield array_row('teacher conv_seg', golden['ema_conv_seg_after'], teacher.decode_head.conv_seg.weight)
        yield array_row('teacher prompt', golden['ema_prompt_after'], teacher.backbone.conditioning.prompt_embed)


def to_images(pixels: np.ndarray) -> Tensor:
    """uint8 RGB ([N,] 3, H, W) to (N, 3, H, W) in [-1, 1]."""
    return torch.from_numpy(pixels.reshape(-1, *pixels.shape[-3:])).float() / 127.5 - 1


def array_row(name: str, reference: np.ndarray, ours: Tensor, tolerance: float = 1e-4) -> Row:
    """Compare arrays by their largest difference over the reference's range."""
    ours = ours.detach().cpu().numpy()
    if reference.shape != ours.shape:
        raise ValueError(f'{name}: the reference has shape {reference.shape}, ours {ours.shape}')
    absolute = float(np.abs(reference - ours).max())
    span = float(np.ptp(reference)) or 1.0
    return Row(name, np.abs(reference).max(), np.abs(ours).max(), absolute, absolute / span, tolerance)


def label_row(name: str, reference: np.ndarray, ours: Tensor) -> Row:
    """Compare label maps by the share of pixels that differ; the values shown are the labels' means."""
    ours = ours.cpu().numpy()
    differ = float((reference != ours).mean())
    return Row(f'{name} (share differing)', reference.mean(), ours.mean(), differ, differ, 1e-4)


def scalar_row(name: str, reference: float, ours: Tensor, tolerance: float) -> Row:
    """Compare numbers by their relative difference."""
    reference, ours = float(reference), ours.item()
    absolute = abs(reference - ours)
    return Row(name, reference, ours, absolute, absolute / (abs(reference) or 1.0), tolerance)


class _GivenMask(nn.Module):
    """Mixes by a given mask (N, H, W)."""

    def __init__(self, mask: Tensor) -> None:
        super().__init__()
        self.mask = mask

    def forward(self, label: Tensor, generator: torch.Generator) -> Tensor:
        return self.mask


def _required(path: Path) -> Path:
    if not path.is_file():
        raise FileNotFoundError(f'{path} is missing; a task needs official_<task>.pth and <task>.npz')
    return path


def main(argv: list[str]) -> int:
    """The verb; exit status 1 when a quantity is out of tolerance."""
    parser = argparse.ArgumentParser(prog='mmdass parity', description=__doc__)
    parser.add_argument('folder', type=Path)
    parser.add_argument('--tasks', nargs='+', help='default: all that the folder holds')
    args = parser.parse_args(argv)
    init_default_scope('mmdass')
    tasks = args.tasks or sorted(p.stem.removeprefix('official_') for p in args.folder.glob('official_*.pth'))
    if not tasks:
        print(f'mmdass parity: no official_<task>.pth in {args.folder}', file=sys.stderr)
        return 1
    failed = 0
    for task in tasks:
        try:
            rows = compare_task(args.folder, task)
        except (FileNotFoundError, ValueError, KeyError) as error:  # a missing array or loss name is a KeyError
            print(f'mmdass parity: {task}: {error}', file=sys.stderr)
            return 1
        print(f'\n{task:28} {"reference":>13} {"ours":>13} {"absolute":>9} {"relative":>9} {"tolerance":>9}')
        print('\n'.join(map(str, rows)))
        failed += sum(not row.passed for row in rows)
    print(f'\n{failed} quantities out of tolerance' if failed else '\nall quantities within tolerance')
    return 1 if failed else 0
