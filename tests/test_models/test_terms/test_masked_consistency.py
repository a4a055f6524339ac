import pytest
import torch
from mmengine.config import ConfigDict
from tiny_madm import build_armed, madm_cfg, make_batch, total_loss

from mmdass.models import MaskedConsistency, SelfTraining

FCN = dict(
    type='EncoderDecoder',
    data_preprocessor=dict(type='SegDataPreProcessor', mean=[127.5] * 3, std=[127.5] * 3, size=(64, 64)),
    backbone=dict(type='ResNetV1c', depth=18, stem_channels=8, base_channels=8, norm_cfg=dict(type='BN')),
    decode_head=dict(type='FCNHead', in_channels=64, in_index=3, channels=8, num_convs=1, concat_input=False,
                     num_classes=9, norm_cfg=dict(type='BN'), loss_decode=dict(type='CrossEntropyLoss'),
                     dropout_ratio=0),
    test_cfg=dict(mode='whole'))
BLOCKS = dict(type='BlockMask', block_size=16)


def build(**term) -> SelfTraining:
    model = build_armed(ConfigDict(
        type='SelfTraining', segmentor=FCN, terms=dict(masked=dict(type='MaskedConsistency', mask=BLOCKS) | term),
        pseudo_labeler=dict(type='ConfidencePseudoLabeler', threshold=0.195)))
    model.panels_wanted = True
    return model


def test_the_masked_branch_by_hand():
    """Golden: hide blocks by a loop, and take the weighted cross entropy of MMSeg's logits."""
    model = build(augmented=False)
    inputs, samples = make_batch()
    result = model.loss(inputs, samples)
    panels = model.panels
    draws = torch.rand(2, 1, 4, 4, generator=model_generator(model, 'masked/mask'))
    for sample in range(2):
        for row in range(4):
            for column in range(4):
                block = (sample, slice(None), slice(16 * row, 16 * row + 16), slice(16 * column, 16 * column + 16))
                hidden = draws[sample, 0, row, column] <= 0.7
                assert torch.equal(panels['masked/image'][block], inputs['target'][block] * (not hidden))
    assert torch.equal(panels['masked/label'], panels['target/pseudo_label'])
    share = result['pseudo/confident']
    assert 0 < share < 1 and (panels['masked/weight'] == share).all()
    logits = model.segmentor.decode_head(model.segmentor.backbone(panels['masked/image']))
    logits = torch.nn.functional.interpolate(logits, (64, 64), mode='bilinear')
    loss = torch.nn.functional.cross_entropy(logits, panels['target/pseudo_label'])
    torch.testing.assert_close(result['masked.decode.loss_ce'], share * loss)


def model_generator(model: SelfTraining, purpose: str) -> torch.Generator:
    """The generator of the iteration that just ended."""
    model.iterations.value -= 1
    generator = model.generator(purpose)
    model.iterations.value += 1
    return generator


def test_the_weight_is_of_the_losses_and_only_of_these():
    one, half = build().loss(*make_batch()), build(loss_weight=0.5).loss(*make_batch())
    assert {name for name in one if not torch.equal(one[name], half[name])} == {'masked.decode.loss_ce'}
    torch.testing.assert_close(half['masked.decode.loss_ce'], one['masked.decode.loss_ce'] / 2)


def test_the_image_is_augmented_by_draws_of_its_own():
    plain, augmented = build(augmented=False), build()
    inputs, samples = make_batch()
    for model in (plain, augmented):
        model.loss(inputs, samples)
    images = plain.panels['masked/image'], augmented.panels['masked/image']
    assert torch.equal(images[0] == 0, images[1] == 0) and not torch.equal(*images)  # the same blocks
    assert torch.equal(plain.panels['mix/image'], augmented.panels['mix/image'])  # whose draws stay what they are


def test_both_domains():
    model = build(domains='both', augmented=False)
    model.loss(*make_batch())
    panels = model.panels
    expected = torch.stack([panels['source/label'][0], panels['target/pseudo_label'][0]])
    assert torch.equal(panels['masked/label'], expected)
    assert (panels['masked/weight'][0] == 1).all() and (panels['masked/weight'][1] < 1).all()
    with pytest.raises(ValueError, match="'target' or 'both', not 'source'"):
        MaskedConsistency(domains='source')
    with pytest.raises(ValueError, match='batch_size to 2'):
        model.loss(*make_batch(size=1))


def test_official_values():
    term = MaskedConsistency()
    assert (term.mask.block_size, term.mask.ratio, term.loss_weight) == (64, 0.7, 1)
    assert (term.domains, term.augmented) == ('target', True)


def test_madm_takes_it_in_one_line():
    cfg = madm_cfg('event')
    cfg.terms = dict(masked=dict(type='MaskedConsistency'))
    model = build_armed(cfg)
    result = model.loss(*make_batch())
    assert 'masked.decode.loss_ce' in result and 'masked.loss_latent' not in result
    total_loss({name: value for name, value in result.items() if name.startswith('masked')}).backward()
    assert any(p.grad.abs().sum() > 0 for p in model.segmentor.backbone.unet.parameters() if p.grad is not None)
