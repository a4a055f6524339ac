import math
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.registry import init_default_scope
from mmseg.structures import SegDataSample
from tiny_madm import build_armed, madm_cfg, make_batch, official_state_dict, save_stable_diffusion, total_loss
from torch import nn

from mmdass.apis.parity import Row, array_row, label_row, main, scalar_row
from mmdass.models import MADM
from mmdass.models.segmentors.self_training import label_samples

GOLDEN = Path(__file__).parents[3] / 'shared/golden/madm'
SIDE, CLASSES, ITERATION = 128, 9, 500
LOSSES = {'source_loss': 'source.decode.loss_ce', 'target_loss': 'mix.decode.loss_ce',
          'vae_decoder_source_loss': 'source.loss_latent', 'vae_decoder_target_loss': 'mix.loss_latent'}


class Paste(nn.Module):
    """Mixes by a fixed mask."""

    def __init__(self, mask):
        super().__init__()
        self.mask = mask

    def forward(self, label, generator):
        return self.mask


@pytest.fixture(scope='module')
def folder(tmp_path_factory) -> Path:
    """A folder of golden numbers, of our own making and at 128 x 128."""
    init_default_scope('mmdass')
    folder = tmp_path_factory.mktemp('golden')
    model = build_armed(config(save_stable_diffusion(folder / 'stable-diffusion')))
    torch.save(dict(model=official_state_dict(model)), folder / 'official_infrared.pth')
    np.savez(folder / 'infrared.npz', **measure(model))
    return folder


def config(stable_diffusion: Path) -> ConfigDict:
    """The tiny infrared model at the norm groups that the shipped config has, without any draws."""
    cfg = madm_cfg('infrared')
    backbone = cfg.segmentor.backbone
    backbone.update(pretrained=str(stable_diffusion), random_init=None, noise_size=(64, 64))
    cfg.segmentor.neck.update(out_channels=[32] * 4, channels=32, norm_cfg=dict(type='GN', num_groups=32))
    cfg.segmentor.decode_head.in_channels = [32] * 4
    cfg.pseudo_labeler.update(threshold=0.2, start_timestep=(50, 50))
    cfg.augmentation = None
    return cfg


def measure(model: MADM) -> dict[str, np.ndarray]:
    """What the golden README lists, from a model whose weights were never converted."""
    inputs, samples = make_batch(1, CLASSES, SIDE, SIDE)
    pixels = {name: ((images + 1) * 127.5).round().byte() for name, images in inputs.items()}
    inputs = {name: images.float() / 127.5 - 1 for name, images in pixels.items()}
    label = samples['source'][0].gt_sem_seg.data
    mask = torch.zeros(1, SIDE, SIDE, dtype=torch.bool)
    mask[:, 20:90, 30:70] = True
    student = model.segmentor.eval()
    with torch.no_grad():
        output = student.backbone.forward_latents(student.backbone.encode(inputs['target']))
        levels = student.neck(output.features)
        logits = student.decode_head(levels)
    golden = dict(
        src=pixels['source'], tgt=pixels['target'], lab=label[None].byte(), mix=mask.byte(), iter=ITERATION,
        eval_unet_out=output.latents, eval_decoded_thumb=nn.functional.avg_pool2d(output.decoded.clamp(-1, 1), 8),
        eval_s0_32x=levels[0][..., ::32, ::32], eval_s3_4x=levels[1][..., ::4, ::4], eval_s5=levels[3],
        eval_logits_8x=logits[..., ::8, ::8], eval_pred_4x=logits.argmax(1)[..., ::4, ::4])

    model.train()
    model.teacher.steps.value = ITERATION - 1
    model.teacher.update()  # alpha = 1 - 1 / 501
    model.iterations.value, model.mixing, model.panels_wanted = ITERATION, Paste(mask), True
    losses = model.loss(inputs, dict(source=label_samples(label), target=[SegDataSample()]))
    total_loss(losses).backward()
    teacher = model.teacher.segmentor
    golden |= dict(
        noise_timestep=46, pseudo_label=model.panels['target/pseudo_label'], pseudo_weight=losses['pseudo/confident'],
        losses=[losses[name].item() for name in LOSSES.values()], loss_names=list(LOSSES),
        grad_total_norm=torch.nn.utils.get_total_norm([p.grad for p in model.parameters() if p.grad is not None]),
        grad_conv_in=model.segmentor.backbone.unet.conv_in.weight.grad.norm(),
        ema_conv_seg_after=teacher.decode_head.conv_seg.weight.detach(),
        ema_prompt_after=teacher.backbone.conditioning.prompt_embed.detach())
    return {name: np.asarray(value) for name, value in golden.items()}


def changed(folder: Path, target: Path, **arrays: np.ndarray) -> Path:
    """A copy of the folder with other numbers."""
    shutil.copytree(folder, target)
    golden = dict(np.load(target / 'infrared.npz'))
    np.savez(target / 'infrared.npz', **golden | arrays)
    return target


def rows(printed: str) -> dict[str, str]:
    """Verdict of each quantity."""
    return {line[:28].strip(): line.split()[-1] for line in printed.splitlines() if line.endswith((' ok', ' DIFFERS'))}


def test_any_folder_of_that_form_works(folder, capsys):
    assert main([str(folder)]) == 0
    printed = capsys.readouterr().out
    assert 'all quantities within tolerance' in printed
    verdicts = rows(printed)
    assert len(verdicts) == 18 and set(verdicts.values()) == {'ok'}
    assert set(LOSSES) < set(verdicts)


def test_one_perturbed_number_is_found(folder, tmp_path, capsys):
    golden = dict(np.load(folder / 'infrared.npz'))
    teacher, losses = golden['ema_prompt_after'].copy(), golden['losses'].copy()
    teacher[0, 5, 3] += 1e-3 * np.ptp(teacher)
    losses[1] *= 1 + 5e-5
    perturbed = changed(folder, tmp_path / 'perturbed', ema_prompt_after=teacher, losses=losses, grad_conv_in=math.nan)
    assert main([str(perturbed), '--tasks', 'infrared']) == 1
    printed = capsys.readouterr().out
    differing = {name for name, verdict in rows(printed).items() if verdict == 'DIFFERS'}
    assert differing == {'teacher prompt', 'target_loss', 'gradient norm of conv_in'}
    assert '3 quantities out of tolerance' in printed


def test_an_incomplete_folder_is_refused_with_a_sentence(folder, tmp_path, capsys):
    assert main([str(tmp_path)]) == 1
    assert f'no official_<task>.pth in {tmp_path}' in capsys.readouterr().err
    assert main([str(folder), '--tasks', 'depth']) == 1
    assert 'depth.npz is missing' in capsys.readouterr().err
    bare = tmp_path / 'bare'
    shutil.copytree(folder, bare, ignore=lambda *_: ['stable-diffusion'])
    assert main([str(bare)]) == 1
    assert 'no Stable Diffusion folder' in capsys.readouterr().err
    torch.save(dict(model=dict(weight=torch.zeros(1))), bare / 'official_infrared.pth')
    assert main([str(bare)]) == 1
    assert 'no key begins with' in capsys.readouterr().err


def test_arrays_differ_by_the_largest_over_their_range():
    reference = np.array([-1.0, 0.0, 3.0], np.float32)
    row = array_row('x', reference, torch.tensor([-1.0, 2e-4, 3.0]))
    assert row.passed and row.absolute == pytest.approx(2e-4) and row.relative == pytest.approx(5e-5)
    assert not array_row('x', reference, torch.tensor([-1.0, 0.0, 3.001])).passed
    with pytest.raises(ValueError, match=r'shape \(3,\), ours \(2,\)'):
        array_row('x', reference, torch.zeros(2))


def test_labels_differ_by_their_share():
    reference = np.zeros((100, 100), np.uint8)
    ours = torch.zeros(100, 100, dtype=torch.int64)
    ours[0, 0] = 7
    assert label_row('x', reference, ours).passed  # one in 10 000
    ours[0, 1] = 1
    row = label_row('x', reference, ours)
    assert not row.passed and row.relative == 2e-4


def test_scalars_differ_relatively():
    assert scalar_row('x', 200.0, torch.tensor(200.1), 1e-3).passed
    row = scalar_row('x', -200.0, torch.tensor(-200.1), 1e-4)
    assert not row.passed and row.relative == pytest.approx(5e-4, rel=1e-3)
    assert scalar_row('x', 0.0, torch.tensor(0.0), 0).passed
    assert not scalar_row('x', 0.0, torch.tensor(1e-3), 1e-4).passed


@pytest.mark.parametrize(('reference', 'ours'), [(1.0, math.nan), (math.nan, 1.0), (math.nan, math.nan)])
def test_nan_does_not_pass(reference, ours):
    assert not scalar_row('x', reference, torch.tensor(ours), 1.0).passed
    assert not array_row('x', np.array([reference, 1.0]), torch.tensor([ours, 1.0]), 1.0).passed


def test_a_row_says_whether_it_passed():
    assert str(Row('logits', 1.5, 1.25, 0.25, 0.5, 1.0)).endswith('2.5e-01   5.0e-01   1.0e+00  ok')
    assert str(Row('logits', 1.5, 1.25, 0.25, 0.5, 0.1)).endswith('DIFFERS')


@pytest.mark.slow
@pytest.mark.skipif(not GOLDEN.is_dir(), reason='the golden files of the official implementation are not here')
@pytest.mark.parametrize('task', ['event', 'infrared'])
def test_agrees_with_the_official_implementation(task):
    assert main([str(GOLDEN), '--tasks', task]) == 0
