import pytest
import torch
from mmengine.config import ConfigDict
from mmseg.models import EncoderDecoder
from mmseg.registry import MODELS
from tiny_madm import sample
from torch import nn

from mmdass.models.utils import pixel_weights


@MODELS.register_module()
class _Pyramid(nn.Module):
    """Two levels of one convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 1)

    def forward(self, x):
        return self.conv(x), self.conv(x)


def head(index: int, **options) -> dict:
    return dict(type='FCNHead', in_channels=4, in_index=index, channels=4, num_convs=0, concat_input=False,
                num_classes=2, dropout_ratio=0, loss_decode=dict(type='CrossEntropyLoss')) | options


@pytest.fixture(params=['alone', 'one auxiliary', 'two auxiliaries'])
def segmentor(request) -> EncoderDecoder:
    torch.manual_seed(0)
    auxiliary = {'alone': None, 'one auxiliary': head(1), 'two auxiliaries': [head(0), head(1)]}[request.param]
    return EncoderDecoder(backbone=dict(type='_Pyramid'), decode_head=head(0), auxiliary_head=auxiliary,
                          test_cfg=ConfigDict(mode='whole'))


def losses(segmentor: EncoderDecoder, label: torch.Tensor) -> torch.Tensor:
    result = segmentor.loss(torch.linspace(-1, 1, 2 * 3 * 64).view(2, 3, 8, 8), [sample('', one) for one in label])
    return torch.stack([value for name, value in result.items() if 'loss' in name])


def test_weights_multiply_the_losses_of_all_heads(segmentor):
    label = torch.randint(0, 2, (2, 1, 8, 8))
    full = losses(segmentor, label)
    for weight in (0, 0.5, 1):
        with pixel_weights(segmentor, torch.full((2, 8, 8), float(weight))):
            torch.testing.assert_close(losses(segmentor, label), weight * full)


def test_weights_are_those_of_their_pixels(segmentor):
    """The mean is over all pixels: weighing half of them by 0 is the mean of the others, halved."""
    label = torch.randint(0, 2, (2, 1, 8, 8))
    ignored = label.clone()
    ignored[1] = 255
    weight = torch.ones(2, 8, 8)
    weight[1] = 0
    with pixel_weights(segmentor, weight):
        torch.testing.assert_close(losses(segmentor, label), losses(segmentor, ignored))


def test_the_heads_are_as_before_afterwards(segmentor):
    segmentor.decode_head.sampler = before = object()
    with pytest.raises(KeyboardInterrupt), pixel_weights(segmentor, torch.ones(2, 8, 8)):
        assert segmentor.decode_head.sampler is not before
        raise KeyboardInterrupt
    assert segmentor.decode_head.sampler is before
    if segmentor.with_auxiliary_head:
        auxiliary = segmentor.auxiliary_head
        assert all(one.sampler is None for one in (auxiliary if isinstance(auxiliary, nn.ModuleList) else [auxiliary]))


def test_a_sampler_of_the_heads_own_still_chooses():
    """OHEM picks the hardest pixels; the weights multiply what it picked."""
    torch.manual_seed(0)
    ohem = dict(type='OHEMPixelSampler', min_kept=20)
    segmentor = EncoderDecoder(backbone=dict(type='_Pyramid'), decode_head=head(0, sampler=ohem),
                               test_cfg=ConfigDict(mode='whole'))
    label = torch.randint(0, 2, (2, 1, 8, 8))
    hardest = losses(segmentor, label)
    plain = EncoderDecoder(backbone=dict(type='_Pyramid'), decode_head=head(0), test_cfg=ConfigDict(mode='whole'))
    plain.load_state_dict(segmentor.state_dict())
    assert 0 < hardest < losses(plain, label)
    with pixel_weights(segmentor, torch.full((2, 8, 8), 0.5)):
        torch.testing.assert_close(losses(segmentor, label), hardest / 2)
    weight = torch.rand(2, 8, 8)
    logits = nn.functional.interpolate(
        segmentor.decode_head(segmentor.backbone(torch.linspace(-1, 1, 2 * 3 * 64).view(2, 3, 8, 8))), (8, 8))
    each = nn.functional.cross_entropy(logits, label[:, 0], reduction='none')
    kept = each >= each.flatten().topk(40).values[-1]  # min_kept an image
    with pixel_weights(segmentor, weight):
        torch.testing.assert_close(losses(segmentor, label)[0], (each * kept * weight).mean())
