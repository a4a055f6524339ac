"""A training step never waits for the device: on meta tensors, which have no values, any such read is an error."""

from contextlib import nullcontext

import pytest
import torch
from tiny_madm import build_armed, madm_cfg, make_batch, total_loss


@pytest.fixture
def on_meta(monkeypatch):
    """Leave out what knows no meta device, and what is MMSeg's: its accuracy picks pixels by a mask."""
    monkeypatch.setattr('torch.autocast', lambda *args, **kwargs: nullcontext())
    monkeypatch.setattr('mmseg.models.decode_heads.decode_head.accuracy', lambda *args, **kwargs: torch.zeros(1))
    # On a GPU the flags are copied without waiting; here there is nothing to copy.
    monkeypatch.setattr('mmdass.models.utils.finite_check.FiniteCheck.__call__', lambda *args, **kwargs: None)


def test_a_step_of_madm_reads_nothing_from_the_device(on_meta):
    cfg = madm_cfg('depth')  # LPLR on both branches
    cfg.augmentation.update(jitter_threshold=0.0, blur_threshold=0.0)  # both happen
    cfg.mixing.update(mix_ignored=False)
    model = build_armed(cfg).to('meta')
    images, samples = make_batch()
    images = {branch: batch.to('meta') for branch, batch in images.items()}
    samples = {branch: [sample.to('meta') for sample in batch] for branch, batch in samples.items()}
    losses = model.loss(images, samples)
    total_loss(losses).backward()
    model.teacher.update()
    assert losses['mix.loss_latent'].is_meta
    with pytest.raises(RuntimeError):
        losses['mix.loss_latent'].item()
