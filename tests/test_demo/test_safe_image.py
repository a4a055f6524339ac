"""What is dropped on the demo page is decoded only if it is a picture of a size that was looked at before."""

import numpy as np
import pytest
from hostile_uploads import write_hostile
from PIL import Image, ImageFile

from mmdass.demo import safe_image
from mmdass.demo.safe_image import RefusedImageError, require_image


@pytest.mark.parametrize('kind', ['empty', 'text', 'bomb', 'svg', 'half', 'large'])
def test_a_hostile_file_is_refused_in_a_sentence(kind, tmp_path):
    path, word = write_hostile(tmp_path)[kind]
    with pytest.raises(RefusedImageError, match=word) as refused:
        require_image(path)
    assert str(path) not in str(refused.value)


def test_a_large_picture_is_refused_before_its_pixels_are_decoded(tmp_path, monkeypatch):
    path, word = write_hostile(tmp_path)['large']
    monkeypatch.setattr(ImageFile.ImageFile, 'load', lambda self: pytest.fail('decoded'))
    with pytest.raises(RefusedImageError, match=word):
        require_image(path)


def test_too_many_bytes_are_refused_unread(tmp_path, monkeypatch):
    monkeypatch.setattr(safe_image, 'MAX_BYTES', 99)
    monkeypatch.setattr(Image, 'open', lambda *args, **kwargs: pytest.fail('opened'))
    (tmp_path / 'x.png').write_bytes(bytes(100))
    with pytest.raises(RefusedImageError, match='MiB'):
        require_image(tmp_path / 'x.png')


@pytest.mark.parametrize('kind', ['png', 'jpeg', 'webp', 'bmp'])
def test_a_picture_is_taken_whatever_its_name_says(kind, tmp_path):
    Image.fromarray(np.arange(768, dtype=np.uint8).reshape(16, 16, 3)).save(tmp_path / 'x.txt', format=kind)
    require_image(tmp_path / 'x.txt')


def test_other_decoders_of_pillow_are_out_of_reach(tmp_path):
    Image.new('L', (8, 8)).save(tmp_path / 'x.png', format='gif')
    with pytest.raises(RefusedImageError, match='is no PNG'):
        require_image(tmp_path / 'x.png')
