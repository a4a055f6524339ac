"""MADM under DDP on two gloo ranks, as `tools/dist_train.sh` trains it."""

from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from mmengine.config import ConfigDict
from mmengine.model import MMDistributedDataParallel
from mmengine.registry import init_default_scope
from tiny_madm import build_armed, madm_cfg, make_batch, total_loss

pytestmark = pytest.mark.slow  # two processes import everything anew
RANKS = 2
VARIANTS = ('both branches regressed', 'no regression', 'checkpointed', 'an adapter each')


def config(variant: str) -> ConfigDict:
    cfg = madm_cfg('depth')
    if variant == 'no regression':
        cfg.latent_palette_head = None
    cfg.segmentor.backbone.with_cp = variant == 'checkpointed'
    if variant == 'an adapter each':
        cfg.segmentor.backbone.lora = dict(rank=2, modalities=['depth', 'event'])
    return cfg


def train(rank: int, folder: Path) -> None:
    """The body of a rank: each variant in turn; writes what came of it."""
    torch.set_num_threads(1)
    init_default_scope('mmdass')
    dist.init_process_group('gloo', init_method=f'file://{folder}/rendezvous', rank=rank, world_size=RANKS)
    torch.save({variant: two_steps(config(variant), rank) for variant in VARIANTS}, folder / f'{rank}.pt')
    dist.destroy_process_group()


def two_steps(cfg: ConfigDict, rank: int) -> dict:
    """Two steps on a sample of the rank's own: losses, the last gradients, and the final weights."""
    model = build_armed(cfg, seed=rank)  # ranks start differently; DDP makes them agree
    adapters = 'lora' in cfg.segmentor.backbone  # of which a rank uses one
    wrapped = MMDistributedDataParallel(
        model, device_ids=None, broadcast_buffers=False, find_unused_parameters=adapters)
    model.teacher.arm()
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.01)
    inputs, samples = make_batch()
    inputs = {name: images[rank:rank + 1] for name, images in inputs.items()}
    samples = {name: batch[rank:rank + 1] for name, batch in samples.items()}
    for sample in samples['target']:
        sample.set_metainfo(dict(modality=('depth', 'event')[rank]))
    history = []
    for _ in range(2):
        losses = wrapped(inputs, samples, mode='loss')
        history.append(total_loss(losses).item())
        optimizer.zero_grad()
        total_loss(losses).backward()
        optimizer.step()
        model.teacher.update()
    return dict(
        losses=history,
        gradients={name: p.grad for name, p in model.named_parameters() if p.requires_grad},
        parameters={name: p.detach() for name, p in model.named_parameters()})


@pytest.fixture(scope='module')
def ranks(tmp_path_factory) -> list[dict]:
    folder = tmp_path_factory.mktemp('ranks')
    torch.multiprocessing.spawn(train, (folder, ), nprocs=RANKS)
    return [torch.load(folder / f'{rank}.pt') for rank in range(RANKS)]


@pytest.mark.parametrize('variant', VARIANTS)
def test_ranks_stay_together(ranks, variant):
    first, second = (result[variant] for result in ranks)
    assert first['losses'] != second['losses']  # each of a sample and draws of its own
    assert all(gradient is not None for gradient in first['gradients'].values())
    assert variant != 'an adapter each' or all(
        gradient.abs().sum() > 0 for name, gradient in first['gradients'].items() if '.lora_B.' in name)
    torch.testing.assert_close(second['gradients'], first['gradients'])
    torch.testing.assert_close(second['parameters'], first['parameters'])  # student and teacher
