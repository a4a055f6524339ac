"""Self-training's gradient is that of one plain joint loss: at once, accumulated, on two ranks, and in bf16.

Augmentation off, a given mask, group norm, and every pseudo-label counted, so that a batch is the sum of its samples.
"""

from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from mmengine.config import ConfigDict
from mmengine.model import MMDistributedDataParallel
from mmengine.optim import OptimWrapper
from mmengine.registry import init_default_scope
from tiny_madm import build_armed, make_batch, total_loss
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, interpolate

from mmdass.engine import AutocastOptimWrapper
from mmdass.models import SelfTraining
from mmdass.registry import MODELS

from .test_self_training import DIFFUSION

GN = dict(type='GN', num_groups=4)
FCN = dict(
    type='EncoderDecoder',
    backbone=dict(type='ResNetV1c', depth=18, stem_channels=8, base_channels=8, norm_cfg=GN),
    decode_head=dict(type='FCNHead', in_channels=64, in_index=3, channels=8, num_convs=1, concat_input=False,
                     num_classes=9, norm_cfg=GN, dropout_ratio=0, loss_decode=dict(type='CrossEntropyLoss')))


class LeftHalf(nn.Module):
    """A mask that depends on nothing."""

    def forward(self, label: Tensor, generator: torch.Generator) -> Tensor:
        mask = torch.zeros_like(label, dtype=torch.bool)
        mask[..., :label.shape[-1] // 2] = True
        return mask


MODELS.register_module(module=LeftHalf, force=True)


def build(segmentor: dict = FCN, **options) -> SelfTraining:
    init_default_scope('mmdass')
    return build_armed(ConfigDict(
        type='SelfTraining', segmentor=segmentor, augmentation=None, mixing=dict(type='LeftHalf'),
        pseudo_labeler=dict(type='ConfidencePseudoLabeler', threshold=0.0), **options))


def sample(index: int) -> tuple[dict, dict]:
    inputs, samples = make_batch()
    return ({name: images[index:index + 1] for name, images in inputs.items()},
            {name: batch[index:index + 1] for name, batch in samples.items()})


def gradients(model: nn.Module) -> dict[str, Tensor]:
    return {name: parameter.grad for name, parameter in model.segmentor.named_parameters()}


@pytest.fixture(scope='module')
def expected() -> dict[str, Tensor]:
    """The plain joint loss on both samples, written down."""
    model = build()
    inputs, samples = make_batch()
    source, target = inputs['source'], inputs['target']
    label = torch.stack([one.gt_sem_seg.data[0] for one in samples['source']])

    def logits(segmentor: nn.Module, images: Tensor) -> Tensor:
        return interpolate(segmentor.decode_head(segmentor.backbone(images)), images.shape[2:], mode='bilinear')

    with torch.no_grad():
        pseudo = logits(model.teacher.segmentor, target).argmax(1)
    mixed, mixed_label = (torch.cat([a[..., :32], b[..., 32:]], -1) for a, b in ((source, target), (label, pseudo)))
    loss = 0
    for images, truth in ((source, label), (mixed, mixed_label)):
        loss = loss + cross_entropy(logits(model.segmentor, images), truth, ignore_index=255, reduction='none').mean()
    loss.backward()
    return gradients(model)


def test_at_once(expected):
    model = build()
    total_loss(model.loss(*make_batch())).backward()
    torch.testing.assert_close(gradients(model), expected)


def test_accumulated(expected):
    model = build()
    wrapper = OptimWrapper(torch.optim.SGD(model.segmentor.parameters(), lr=0.0), accumulative_counts=2)
    wrapper.initialize_count_status(model, 0, 2)
    wrapper.zero_grad = lambda **kwargs: None  # keep what the step used
    for index in range(2):
        with wrapper.optim_context(model):
            loss = total_loss(model.loss(*sample(index)))
        wrapper.update_params(loss)
    torch.testing.assert_close(gradients(model), expected)


def test_in_bf16(expected):
    model = build()
    wrapper = AutocastOptimWrapper(optimizer=torch.optim.SGD(model.segmentor.parameters(), lr=0.0))
    with wrapper.optim_context(model):
        loss = total_loss(model.loss(*make_batch()))
    loss.backward()
    ours, theirs = (torch.cat([gradient.flatten() for gradient in each.values()]) for each in (
        gradients(model), expected))
    assert torch.cosine_similarity(ours, theirs, dim=0) > 0.95  # the teacher's close decisions differ too
    assert ours.norm() == pytest.approx(theirs.norm().item(), rel=0.1)


@pytest.mark.parametrize('autocast', [False, True])
def test_the_unet_learns_beside_a_teacher_that_runs_it(autocast):
    """The teacher's pass, without gradients, must leave autocast no casts of the weights they share."""
    model = build(DIFFUSION, teacher=dict(modules=['decode_head']))
    with torch.autocast('cpu', torch.bfloat16, enabled=autocast):
        loss = total_loss(model.loss(*make_batch()))
    loss.backward()
    trained = [p for p in model.segmentor.backbone.unet.parameters() if p.requires_grad]
    assert trained and all(p.grad is not None for p in trained)
    assert sum(p.grad.abs().sum() for p in trained) > 0


def rank_gradients(rank: int, folder: Path) -> None:
    """The body of a rank: its own sample."""
    torch.set_num_threads(1)
    dist.init_process_group('gloo', init_method=f'file://{folder}/rendezvous', rank=rank, world_size=2)
    model = build()
    wrapped = MMDistributedDataParallel(model, device_ids=None, broadcast_buffers=False, find_unused_parameters=False)
    total_loss(wrapped(*sample(rank), mode='loss')).backward()
    torch.save(gradients(model), folder / f'{rank}.pt')
    dist.destroy_process_group()


@pytest.mark.slow  # two processes import everything anew
def test_on_two_ranks(expected, tmp_path):
    torch.multiprocessing.spawn(rank_gradients, (tmp_path, ), nprocs=2)
    for rank in range(2):
        torch.testing.assert_close(torch.load(tmp_path / f'{rank}.pt'), expected)
