import torch
from mmseg.models import SegDataPreProcessor
from tiny_madm import sample

from mmdass.models import DomainPairDataPreprocessor
from mmdass.registry import MODELS

HALF = dict(type='SegDataPreProcessor', mean=[127.5] * 3, std=[127.5] * 3, bgr_to_rgb=True, size=(4, 4),
            test_cfg=dict(size_divisor=4))


def inputs(value: int, size: int = 4) -> list[torch.Tensor]:
    """Two BGR images whose blue is ``value``."""
    image = torch.zeros(3, size, size, dtype=torch.uint8)
    image[0] = value
    return [image, image]


def batch() -> dict:
    samples = [sample('', torch.zeros(1, 4, 4)) for _ in range(2)]
    return dict(source=dict(inputs=inputs(255), data_samples=samples),
                target=dict(inputs=inputs(51), data_samples=[sample(''), sample('')]))


def test_a_pair_of_domains():
    data = DomainPairDataPreprocessor(HALF, HALF | dict(bgr_to_rgb=False))(batch(), training=True)
    assert set(data) == {'inputs', 'data_samples'}
    source, target = data['inputs']['source'], data['inputs']['target']
    assert source.shape == target.shape == (2, 3, 4, 4)
    assert source[:, :, 0, 0].tolist() == [[-1, -1, 1]] * 2  # RGB in [-1, 1]
    torch.testing.assert_close(target[0, :, 0, 0], torch.tensor([51 / 127.5 - 1, -1, -1]))
    assert 'gt_sem_seg' in data['data_samples']['source'][1] and 'gt_sem_seg' not in data['data_samples']['target'][1]


def test_one_preprocessor_does_for_both():
    data = DomainPairDataPreprocessor(HALF)(batch(), training=True)
    assert data['inputs']['target'][0, 2, 0, 0] == 51 / 127.5 - 1


def test_a_batch_of_one_domain_is_the_target_s():
    preprocessor = DomainPairDataPreprocessor(HALF | dict(bgr_to_rgb=False), HALF)
    data = preprocessor(dict(inputs=inputs(255, 6), data_samples=[sample(''), sample('')]), training=False)
    assert data['inputs'].shape == (2, 3, 8, 8)  # padded to the divisor
    assert data['inputs'][:, :, 0, 0].tolist() == [[-1, -1, 1]] * 2


def test_moves_with_the_model(tiny_madm_cfg):

    model = MODELS.build(tiny_madm_cfg).to('meta')
    preprocessors = [m for m in model.modules() if isinstance(m, SegDataPreProcessor)]
    assert len(preprocessors) == 2 and {str(m.device) for m in preprocessors} == {'meta'}
