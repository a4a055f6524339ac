"""The walk that the demo page shows."""

import pytest
import torch
from demo_models import write_plain, write_translator
from hostile_uploads import write_hostile
from PIL import Image

from mmdass.demo.safe_image import RefusedImageError
from mmdass.demo.translation import DemoTranslator


@pytest.fixture(scope='module')
def translator(tmp_path_factory):
    folder = tmp_path_factory.mktemp('translator')
    return DemoTranslator(write_translator(folder), write_plain(folder)[1])


def test_the_walk_goes_from_noise_to_the_translation(translator):
    walk = translator.walk(0, 200)
    assert [frame.timestep for frame in walk.frames] == [199, 133, 66, 0] and walk.guided
    far, near = ((frame.noisy - walk.result).abs().mean() for frame in (walk.frames[0], walk.frames[-1]))
    assert far > 3 * near
    assert torch.equal(walk.result, translator.walk(0, 200).result)


def test_guidance_is_what_it_says(translator):
    guided, free = translator.walk(1, 200), translator.walk(1, 200, guided=False)
    assert guided.guided and not free.guided and not torch.equal(guided.result, free.result)


def test_a_file_has_no_label_and_is_not_guided(translator, tmp_path):
    Image.new('RGB', (64, 32), 'teal').save(tmp_path / 'x.png')
    walk = translator.walk(str(tmp_path / 'x.png'), 100)
    assert walk.label is None and not walk.guided and walk.result.isfinite().all()
    with pytest.raises(RefusedImageError):
        translator.walk(str(write_hostile(tmp_path)['svg'][0]), 100)


def test_without_a_guide_it_translates_all_the_same(tmp_path):
    free = DemoTranslator(write_translator(tmp_path))
    assert not free.has_guide and free.start == 100 and not free.walk(0, 50).guided
