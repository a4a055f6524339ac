import pytest
import torch
from torch.nn import functional as F

from mmdass.models import BottleneckProjection


@pytest.fixture
def neck() -> BottleneckProjection:
    torch.manual_seed(0)
    neck = BottleneckProjection([3, 8], [8, 12], channels=4, norm_cfg=dict(type='GN', num_groups=2))
    for parameter in neck.parameters():
        torch.nn.init.normal_(parameter)
    return neck


def test_by_hand(neck):
    """1x1, 3x3, 1x1 with a norm each and a normalised shortcut; the last ReLU comes after the sum."""
    features = [torch.randn(2, 3, 16, 8), torch.randn(2, 8, 4, 4)]
    weights = neck.state_dict()

    def layer(x, name):
        kernel = weights[f'{name}.conv.weight']
        x = F.conv2d(x, kernel, padding=kernel.shape[-1] // 2)
        return F.group_norm(x, 2, weights[f'{name}.gn.weight'], weights[f'{name}.gn.bias'])

    for i, (x, projected) in enumerate(zip(features, neck(features), strict=True)):
        name = f'projections.{i}'
        y = layer(layer(layer(x, f'{name}.conv1').relu(), f'{name}.conv2').relu(), f'{name}.conv3')
        torch.testing.assert_close(projected, (y + layer(x, f'{name}.shortcut')).relu())
    assert not [name for name in weights if 'conv.bias' in name]


def test_levels_must_match(neck):
    with pytest.raises(ValueError, match='shorter'):
        neck([torch.zeros(1, 3, 4, 4)])
    with pytest.raises(ValueError, match='shorter'):
        BottleneckProjection([3, 8], [32])
