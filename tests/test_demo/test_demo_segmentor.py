"""What the demo page shows of a segmentor."""

import numpy as np
import pytest
import torch
from demo_models import write_madm, write_plain
from hostile_uploads import write_hostile
from PIL import Image

from mmdass.demo.safe_image import RefusedImageError
from mmdass.demo.segmentation import DemoSegmentor


@pytest.fixture(scope='module')
def madm(tmp_path_factory):
    return DemoSegmentor(*write_madm(tmp_path_factory.mktemp('madm')), device='cpu')


def test_noise_changes_what_is_predicted_and_regressed(madm):
    clean, noisy = (madm.segment(3, 'event', timestep) for timestep in (0, 600))
    assert (clean.label != noisy.label).any()
    assert not torch.equal(clean.confidence, noisy.confidence) and not torch.equal(clean.palette, noisy.palette)
    assert clean.palette.shape == (3, *clean.label.shape) and noisy.truth.shape == clean.label.shape


def test_a_toy_scene_is_seen_by_each_sensor(madm):
    assert madm.modalities[0] == 'event' and sorted(madm.modalities) == ['depth', 'event', 'infrared', 'rgb']
    pictures = [madm.segment(3, modality, 0).picture for modality in madm.modalities]
    assert len({picture.tobytes() for picture in pictures}) == 4


def test_a_file_says_what_the_same_toy_scene_says(madm, tmp_path):
    scene = madm.segment(5, 'event', 0)
    Image.fromarray(scene.picture).save(tmp_path / 'scene.png')
    found = madm.segment(str(tmp_path / 'scene.png'), 'event', 0)
    assert np.array_equal(found.picture, scene.picture) and torch.equal(found.label, scene.label)
    assert found.truth is None


def test_a_size_that_no_stride_divides_comes_back_whole(madm, tmp_path):
    Image.new('RGB', (90, 70), 'teal').save(tmp_path / 'odd.png')
    found = madm.segment(str(tmp_path / 'odd.png'), 'event', 0)
    assert found.label.shape == (70, 90) and found.palette.shape == (3, 70, 90)


def test_a_hostile_file_is_refused(madm, tmp_path):
    for path, word in write_hostile(tmp_path).values():
        with pytest.raises(RefusedImageError, match=word):
            madm.segment(str(path), 'event', 0)


def test_a_model_without_diffusion_has_no_timestep(tmp_path):
    plain = DemoSegmentor(*write_plain(tmp_path), device='cpu')
    found = plain.segment(0, 'rgb', 0)
    with pytest.raises(ValueError, match="no pictures of 'thermal': upload one"):
        plain.segment(0, 'thermal', 0)
    plain.classes = tuple(reversed(plain.classes))
    assert plain.segment(1, 'rgb', 0).truth is None  # its indices would mean others
    assert plain.last_timestep is None and found.palette is None and found.label.shape == (128, 256)
