import numpy as np
import pytest
import torch

from mmdass.datasets.transforms import PaintLabel
from mmdass.models import LatentPaletteHead

LABEL = np.array([[0, 10], [255, 4]], np.uint8)


def results():
    return dict(img=np.full((2, 2, 3), 7, np.uint8), gt_seg_map=LABEL)


def test_paints_what_lplr_paints():
    painted = PaintLabel('madm11', prob=1.0)(results())['img']
    by_head = LatentPaletteHead(label_space='madm11').paint(torch.from_numpy(LABEL)[None])[0]
    np.testing.assert_allclose(painted[..., ::-1], (by_head.permute(1, 2, 0) + 1) * 127.5, atol=1e-3)
    assert (painted[1, 0] == 0).all()  # ignored


def test_paints_as_often_as_asked():
    np.random.seed(0)
    transform = PaintLabel('madm11', prob=0.3)
    painted = [bool((transform(results())['img'] != 7).any()) for _ in range(400)]
    assert 0.25 < np.mean(painted) < 0.35


def test_an_image_without_a_label_is_no_broken_one():
    with pytest.raises(TypeError, match=r'street\.png has no label. Leave PaintLabel out'):
        PaintLabel('madm11')(dict(img_path='street.png', img=results()['img']))
