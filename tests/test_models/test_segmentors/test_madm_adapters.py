"""MADM in adapters: the batch's modality chooses one, it alone is trained, and the teacher averages it."""

import pytest
import torch
from mmengine.config import ConfigDict
from tiny_madm import build_armed, madm_cfg, make_batch, total_loss

from mmdass.models import MADM
from mmdass.registry import MODELS

ADAPTERS = 'backbone.unet.*.lora_[AB]'


def cfg(*modalities: str, **lora) -> ConfigDict:
    result = madm_cfg('depth')
    result.segmentor.backbone.lora = dict(rank=2, modalities=modalities, **lora)
    result.teacher.modules.append(ADAPTERS)
    return result


def batch(*modalities: str) -> tuple[dict, dict]:
    inputs, samples = make_batch()
    for sample, modality in zip(samples['target'], modalities, strict=True):
        sample.set_metainfo(dict(modality=modality))
    return inputs, samples


def build(*modalities: str, **lora) -> MADM:
    """With adapters that do something, in student and teacher."""
    model = build_armed(cfg(*modalities, **lora))
    generator = torch.Generator().manual_seed(1)
    for name, parameter in model.named_parameters():
        if 'lora_' in name:
            parameter.data = 0.3 * torch.randn(parameter.shape, generator=generator)
    return model


def test_the_modality_chooses_the_adapter_and_it_alone_is_trained():
    both = build('depth', 'event')
    alone = build_armed(cfg('event'))
    alone.load_state_dict(both.state_dict(), strict=False)
    expected = alone.loss(*make_batch())
    both.loss(*batch('depth', 'depth'))  # no matter what was before
    both.iterations.value = 0
    losses = both.loss(*batch('event', 'event'))
    torch.testing.assert_close(losses, expected, rtol=0, atol=0)
    total_loss(losses).backward()
    moved = {name for name, value in both.named_parameters() if value.grad is not None}
    expected = {name for name, value in both.named_parameters() if value.requires_grad and '.depth.' not in name}
    assert moved == expected
    assert {name.split('.')[1] for name in moved if 'lora_' not in name} == {'neck', 'decode_head', 'backbone'}
    assert not any('.base_layer.' in name for name in moved)


def test_predictions_go_through_the_adapter_of_their_modality():
    model = build('depth', 'event').eval()
    inputs, samples = batch('event', 'event')
    for sample in samples['target']:
        sample.set_metainfo(dict(img_shape=(64, 64), ori_shape=(64, 64)))
    for role in ('student', 'teacher'):
        model.predict_role = role
        logits = {}
        for modality in ('event', 'depth'):
            for sample in samples['target']:
                sample.set_metainfo(dict(modality=modality))
            with torch.no_grad():
                predicted = model.predict(inputs['target'], samples['target'])
                backbone = model.predictor.backbone
                assert backbone.adapter == modality
                again = model.encode_decode(inputs['target'], [sample.metainfo for sample in samples['target']])
            logits[modality] = torch.stack([one.seg_logits.data for one in predicted])
            torch.testing.assert_close(logits[modality], again)
        assert (logits['event'] - logits['depth']).abs().mean() > 1e-4


@pytest.mark.parametrize(('modalities', 'message'), [
    (('depth', 'event'), 'a batch has images of depth, event.*batch_size=1'),
    ((None, 'event'), "do not say their modality.*type='PackModalityInputs'"),
    (('infrared', 'infrared'), "no adapter for 'infrared', but for depth, event"),
])
def test_batches_that_no_adapter_can_see_are_refused(modalities, message):
    with pytest.raises(ValueError, match=message):
        build('depth', 'event').loss(*batch(*modalities))


def test_the_teacher_averages_adapters_and_shares_the_frozen_unet():
    model = build('depth', 'event', frozen=('depth',))
    student, teacher = model.segmentor.backbone.unet, model.teacher.segmentor.backbone.unet
    layer = 'up_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q'
    ours, theirs = student.get_submodule(layer), teacher.get_submodule(layer)
    assert theirs.base_layer is ours.base_layer and theirs.lora_A is not ours.lora_A
    before = theirs.lora_B['event'].weight.clone()
    model.teacher.steps.value = 3
    model.teacher.update()
    expected = 0.8 * before + 0.2 * ours.lora_B['event'].weight  # 1 - 1 / (4 + 1)
    torch.testing.assert_close(theirs.lora_B['event'].weight, expected)
    names = {name for name in model.state_dict() if name.startswith('teacher.averaged.backbone_unet')}
    assert len(names) == 2 * 2 * 4 * 2 * 16 and all('lora_' in name for name in names)


@pytest.mark.parametrize('modules', [None, ['neck', 'decode_head', 'backbone.unet']])
def test_a_teacher_of_its_own_unet_switches_too(modules):
    config = cfg('depth', 'event')
    config.teacher.modules = modules
    model = build_armed(config)
    for modality in ('event', 'depth'):
        model.loss(*batch(modality, modality))
        teacher = model.teacher.segmentor.backbone
        assert teacher.unet is not model.segmentor.backbone.unet
        assert teacher.adapter == modality and teacher.unet.active_adapters() == [modality]


def test_a_pattern_that_fits_nothing_is_refused():
    config = madm_cfg('depth')
    config.teacher.modules.append(ADAPTERS)
    with pytest.raises(ValueError, match=r"cannot average 'backbone.unet.*lora_\[AB\]': the segmentor has no such"):
        MODELS.build(config)
