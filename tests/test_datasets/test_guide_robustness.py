"""What a guide is shown beside clean images."""

import numpy as np
import pytest
import torch
from diffusers import DDPMScheduler
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample

from mmdass.datasets import ForwardNoise, KeepOneRegion
from mmdass.utils.random import keyed_globals

VALUE = 200


def sample(label) -> dict:
    label = torch.as_tensor(label, dtype=torch.uint8)[None]
    data = SegDataSample()
    data.gt_sem_seg = PixelData(data=label)
    return dict(inputs=torch.full((3, *label.shape[1:]), VALUE, dtype=torch.uint8), data_samples=data)


def test_noise_is_that_of_the_forward_process():
    scheduler = DDPMScheduler(beta_schedule='squaredcos_cap_v2')
    transform = ForwardNoise(1.0, max_steps=400, scheduler=dict(beta_schedule='squaredcos_cap_v2'))
    image = sample(np.zeros((64, 64)))
    for counter in range(5):
        with keyed_globals(0, counter, 'test'):
            steps = np.random.randint(401)
        with keyed_globals(0, counter, 'test'):
            noisy = transform(image)['inputs'] / 127.5 - 1
        kept = scheduler.alphas_cumprod[steps - 1]
        assert noisy.mean() == pytest.approx(float(kept.sqrt() * (VALUE / 127.5 - 1)), abs=0.03)
        assert noisy.std() == pytest.approx(float((1 - kept).sqrt()), rel=0.05)
        assert image['inputs'].dtype == torch.uint8  # the data set's own sample is left alone


def test_noise_has_no_more_than_the_largest_number_of_steps():
    transform = ForwardNoise(1.0, max_steps=1)
    with keyed_globals(0, 0, 'test'):
        images = [transform(sample(np.zeros((32, 32))))['inputs'].float() for _ in range(20)]
    assert {round(float(image.std())) for image in images} == {0, 1}  # 127.5 * sqrt(beta_1) = 1.3


def test_one_region_is_kept():
    label = np.array([[0, 1, 1, 255], [2, 2, 0, 255]])
    kept = set()
    with keyed_globals(0, 0, 'test'):
        for _ in range(20):
            out = KeepOneRegion(1.0)(sample(label))
            left = out['data_samples'].gt_sem_seg.data[0].numpy()
            (chosen,) = set(left.ravel().tolist()) - {255}
            assert np.array_equal(left == chosen, label == chosen)
            expected = np.where(label == chosen, VALUE, 127.5)
            assert np.array_equal(out['inputs'].numpy(), np.broadcast_to(expected, (3, 2, 4)))
            kept.add(chosen)
    assert kept == {0, 1, 2}


def test_a_label_without_classes_is_left_alone():
    whole = sample(np.full((2, 2), 255))
    assert KeepOneRegion(1.0)(whole) is whole


@pytest.mark.parametrize('transform', [ForwardNoise(0.3, 500), KeepOneRegion(0.3)])
def test_share_of_samples(transform):
    with keyed_globals(0, 0, 'test'):
        outputs = [transform(sample([[0, 1]]))['inputs'] for _ in range(500)]
    assert np.mean([output.is_floating_point() for output in outputs]) == pytest.approx(0.3, abs=0.06)
