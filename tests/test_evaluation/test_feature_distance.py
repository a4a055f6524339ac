import numpy as np
import pytest
import torch
from mmengine.registry import init_default_scope
from scipy.linalg import sqrtm
from torch.nn import functional as F
from torchmetrics.image.kid import poly_mmd

from mmdass.evaluation import (
    InceptionFeatures,
    RandomFeatures,
    SegmentorFeatures,
    extract_features,
    frechet_distance,
    kernel_distance,
)
from mmdass.evaluation.metrics.feature_distance import squared_discrepancy
from mmdass.registry import MODELS


def features(count, channels=6, seed=0, shift=0.0):
    return np.random.default_rng(seed).normal(shift, 1, (count, channels))


def pictures(count, seed):
    """Smooth random colours with texture, (3, 32, 48) uint8 each."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(count, 3, 4, 6, generator=generator)
    fine = torch.rand(count, 3, 32, 48, generator=generator)
    images = F.interpolate(coarse, (32, 48), mode='bilinear') * 180 + fine * 60
    return images.round()


def samples(images):
    return [dict(inputs=image) for image in images.clamp(0, 255).round().byte()]


def test_squared_discrepancy_is_that_of_torchmetrics():
    a, b = features(10), features(10, seed=1, shift=0.3)
    expected = poly_mmd(torch.from_numpy(a), torch.from_numpy(b)).item()
    assert squared_discrepancy(a, b) == pytest.approx(expected)


def test_kernel_distance_is_unbiased():
    same = [kernel_distance(features(12, seed=2 * i), features(12, seed=2 * i + 1), num_subsets=4).mean
            for i in range(400)]
    error = np.std(same) / 20
    assert abs(np.mean(same)) < 4 * error
    far = [kernel_distance(features(n, seed=2 * i), features(n, seed=2 * i + 1, shift=0.5), num_subsets=4).mean
           for n in (8, 60) for i in range(200)]
    few, many = np.split(np.array(far), 2)
    assert abs(few.mean() - many.mean()) < 4 * np.hypot(few.std(), many.std()) / 200**0.5
    assert many.mean() > 10 * error


def test_kernel_distance_repeats():
    a, b = features(40), features(30, seed=1)
    assert kernel_distance(a, b) == kernel_distance(a, b) != kernel_distance(a, b, seed=1)


@pytest.mark.parametrize('count', [200, 5])  # more images than features, and fewer
def test_frechet_distance_is_the_formula(count):
    a, b = features(count), features(count + 3, seed=1, shift=0.5) * np.arange(1, 7)
    covariances = [np.cov(x, rowvar=False) for x in (a, b)]
    root = sqrtm(covariances[0] @ covariances[1])
    means = np.sum((a.mean(0) - b.mean(0)) ** 2)
    expected = means + np.trace(covariances[0]) + np.trace(covariances[1]) - 2 * np.trace(root).real
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-5)
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-9)


def test_sets_that_cannot_be_compared_are_refused():
    for distance in (kernel_distance, frechet_distance):
        with pytest.raises(ValueError, match='3 and 9 images means nothing'):
            distance(features(3), features(9))
        with pytest.raises(ValueError, match='take one network for both'):
            distance(features(9), features(9, channels=5))


DISTORTIONS = dict(
    blur=((1, 2, 4), lambda x, k: F.avg_pool2d(F.pad(x, [k] * 4, mode='reflect'), 2 * k + 1, 1)),
    noise=((10, 20, 40), lambda x, k: x + k * torch.randn(x.shape, generator=torch.Generator().manual_seed(9))),
    red=((15, 30, 60), lambda x, k: x + torch.tensor([0, 0, k]).view(3, 1, 1)),
    contrast=((0.9, 0.7, 0.5), lambda x, k: (x - 128) * k + 128))


def test_distances_grow_with_distortions():
    network, images = RandomFeatures(), pictures(60, seed=1)
    reference = extract_features(network, samples(pictures(60, seed=0)))
    clean = extract_features(network, samples(images))
    noise_floor = kernel_distance(reference, clean)
    assert abs(noise_floor.mean) < 3 * noise_floor.std
    for name, (strengths, distort) in DISTORTIONS.items():
        distorted = [extract_features(network, samples(distort(images, strength))) for strength in strengths]
        for distance in (lambda a, b: kernel_distance(a, b).mean, frechet_distance):
            values = [distance(reference, one) for one in (clean, *distorted)]
            assert values == sorted(values), name
            assert values[-1] > 2 * abs(values[0]), name


def test_features_do_not_depend_on_batches_and_see_rgb():
    network, images = RandomFeatures(), samples(pictures(5, seed=0))
    one, three = extract_features(network, images, 1), extract_features(network, images, 3)
    np.testing.assert_allclose(one, three, rtol=1e-5)
    mixed = [*images, *samples(pictures(2, seed=1)[..., :40])]
    np.testing.assert_allclose(extract_features(network, mixed, 4)[:5], one, rtol=1e-5)

    class FirstChannel(torch.nn.Linear):
        def forward(self, images):
            return images[:, :1].float().mean((2, 3))

    red = dict(inputs=torch.tensor([0, 0, 200], dtype=torch.uint8).view(3, 1, 1).expand(3, 4, 4))  # BGR
    assert extract_features(FirstChannel(1, 1), [red] * 2).tolist() == [[200]] * 2


def test_a_segmentors_backbone_gives_features():
    init_default_scope('mmdass')
    backbone = dict(type='ResNetV1c', depth=18, stem_channels=8, base_channels=8, norm_cfg=dict(type='BN'))
    head = dict(type='FCNHead', in_channels=64, in_index=3, channels=8, num_classes=2, norm_cfg=dict(type='BN'))
    segmentor = MODELS.build(dict(
        type='EncoderDecoder', backbone=backbone, decode_head=head,
        data_preprocessor=dict(type='SegDataPreProcessor', mean=[127.5] * 3, std=[127.5] * 3, bgr_to_rgb=True)))
    images = samples(pictures(3, seed=0))
    found = extract_features(SegmentorFeatures(segmentor), images)
    rgb = torch.stack([one['inputs'] for one in images]).flip(1) / 127.5 - 1
    with torch.no_grad():
        expected = segmentor.extract_feat(rgb)[-1].mean((2, 3))
    assert found.shape == (3, 8 + 16 + 32 + 64)
    np.testing.assert_allclose(found[:, -64:], expected, rtol=1e-4, atol=1e-6)


class Scripted(torch.nn.Module):
    """With the interface of the published Inception file."""

    def __init__(self):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(1))

    def forward(self, x, return_features: bool = False):
        means = self.scale * x.float().mean((2, 3))
        return means if return_features else means[:, :1]


def test_inception_weights_from_a_file(tmp_path):
    path = tmp_path / 'inception.pt'
    torch.jit.script(Scripted()).save(path)
    images = samples(pictures(4, seed=0))
    found = extract_features(InceptionFeatures(path), images)
    expected = torch.stack([one['inputs'] for one in images]).flip(1).float().mean((2, 3))
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    with pytest.raises(FileNotFoundError, match='no Inception weights .*absent.pt'):
        InceptionFeatures(tmp_path / 'absent.pt')
    torch.save({}, path)
    with pytest.raises(ValueError, match='inception.pt is no TorchScript'):
        InceptionFeatures(path)
