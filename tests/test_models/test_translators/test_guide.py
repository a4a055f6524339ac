import pytest
import torch
from tiny_translator import make_segmentor, seeded

from mmdass.models import Guide, SelfTraining

PIXELS = torch.randint(0, 256, (2, 3, 16, 24), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)  # BGR
IMAGES = PIXELS.flip(1) / 127.5 - 1


def own_logits(segmentor, preprocessor) -> torch.Tensor:
    """What the segmentor says of image files."""
    inputs = preprocessor(dict(inputs=list(PIXELS)))['inputs']
    return segmentor.eval().encode_decode(inputs, [dict(img_shape=PIXELS.shape[2:])] * 2)


@pytest.mark.parametrize('preprocessing', [
    dict(), dict(bgr_to_rgb=False), dict(mean=None, std=None), dict(mean=None, std=None, bgr_to_rgb=False)])
def test_sees_images_as_the_segmentor_sees_files(preprocessing):
    segmentor = make_segmentor(**preprocessing)
    logits = Guide(segmentor)(IMAGES)
    assert logits.shape == (2, 5, 16, 24)
    torch.testing.assert_close(logits, own_logits(segmentor, segmentor.data_preprocessor), rtol=1e-4, atol=1e-4)


def test_of_a_domain_adaptation_model_it_is_the_one_that_predicts():
    inner = make_segmentor()
    cfg = dict(
        type='EncoderDecoder', backbone=dict(type='mmseg.ResNetV1c', depth=18, stem_channels=4, base_channels=4),
        decode_head=dict(type='FCNHead', in_channels=32, channels=4, num_classes=5, num_convs=1))
    target = dict(type='SegDataPreProcessor', mean=[9., 99., 199.], std=[7., 77., 177.])
    model = seeded(lambda: SelfTraining(
        segmentor=cfg, data_preprocessor=dict(type='DomainPairDataPreprocessor', source=target | dict(bgr_to_rgb=True),
                                              target=target)))
    model.segmentor = inner
    guide = Guide(model)
    assert guide.num_classes == 5
    expected = own_logits(inner, model.data_preprocessor.domains['target'])
    torch.testing.assert_close(guide(IMAGES), expected, rtol=1e-4, atol=1e-4)


def test_only_images_have_gradients_and_the_original_trains_on():
    segmentor = make_segmentor().train()
    guide = Guide(segmentor)
    before = guide(IMAGES)
    images = IMAGES.clone().requires_grad_()
    guide(images).sum().backward()
    assert images.grad.abs().sum() > 0
    assert not any(parameter.requires_grad for parameter in guide.parameters())
    assert segmentor.training and all(parameter.requires_grad for parameter in segmentor.parameters())
    with torch.no_grad():
        for parameter in segmentor.parameters():
            parameter.add_(1)
    assert torch.equal(guide(IMAGES), before)


def test_refuses_a_single_logit_for_two_classes():
    segmentor = make_segmentor(classes=2)
    segmentor.decode_head.out_channels = segmentor.out_channels = 1
    with pytest.raises(ValueError, match='1 logits for 2 classes'):
        Guide(segmentor)
