import pytest
import torch

from mmdass.models import LatentPaletteHead

MADM11 = [  # of the paper's tasks, in the order of the classes: sky, building, fence, person, pole, road, sidewalk, ...
    (70, 130, 180), (70, 70, 70), (190, 153, 153), (220, 20, 60), (153, 153, 153), (128, 64, 128), (244, 35, 232),
    (107, 142, 35), (0, 0, 142), (102, 102, 156), (250, 170, 30)]
MADM9 = [MADM11[i] for i in (0, 1, 3, 4, 5, 6, 7, 8, 10)]


@pytest.mark.parametrize(('name', 'palette'), [('madm11', MADM11), ('madm9', MADM9)])
def test_paints_the_released_palette_and_black_elsewhere(name, palette):
    head = LatentPaletteHead(name)
    label = torch.tensor([[*range(len(palette)), len(palette), 200, 255]])[None]
    picture = head.paint(label)
    assert picture.shape == (1, 3, 1, len(palette) + 3)
    expected = (torch.tensor([*palette, *[(0, 0, 0)] * 3]) / 255 - 0.5) / 0.5  # the official normalisation
    torch.testing.assert_close(picture[0, :, 0].T, expected)


def test_paints_uint8_labels_and_other_label_spaces():
    head = LatentPaletteHead(dict(classes=['a', 'b'], palette=[[255, 0, 0], [0, 0, 255]]))
    picture = head.paint(torch.tensor([[[0, 1], [255, 1]]], dtype=torch.uint8))
    assert picture[0].permute(1, 2, 0).tolist() == [[[1, -1, -1], [-1, -1, 1]], [[-1, -1, -1], [-1, -1, 1]]]


def test_has_nothing_to_save():
    assert not LatentPaletteHead('madm11').state_dict()


@pytest.mark.parametrize(('regression', 'distance'), [('l1', 2.0), ('l2', 4.0)])
def test_the_denominator_counts_all_elements(regression, distance):
    """Ignored pixels weigh nothing but count: a quarter ignored, a quarter at half weight."""
    head = LatentPaletteHead('madm11', source_weight=20.0, mix_weight=3.0, regression=regression)
    weight = torch.ones(2, 32, 32)
    weight[:, :16, :16] = 0
    weight[:, 16:, 16:] = 0.5
    latents, painted = torch.full((2, 4, 4, 4), 3.0), torch.full((2, 4, 4, 4), 1.0)
    for branch, scale in dict(source=20.0, mix=3.0).items():
        loss = head.loss(latents, painted, weight, branch)
        assert loss.item() == pytest.approx(scale * distance * (0.5 + 0.25 * 0.5))


def test_weights_are_taken_at_the_nearest_pixel():
    head = LatentPaletteHead('madm11')
    weight = torch.zeros(1, 16, 16)
    weight[:, 0, 8] = 1  # the pixel of the latent in row 0, column 1
    latents = torch.zeros(1, 4, 2, 2)
    latents[..., 0, 1] = 8.0
    assert head.loss(latents, torch.zeros_like(latents), weight, 'source').item() == pytest.approx(8 / 4)


def test_half_precision_latents_are_compared_in_float32():
    head = LatentPaletteHead('madm11')
    latents = torch.ones(1, 4, 2, 2, dtype=torch.bfloat16)
    loss = head.loss(latents, torch.full((1, 4, 2, 2), 1.001), torch.ones(1, 16, 16), 'source')
    assert loss.item() == pytest.approx(0.001, rel=1e-3)


def test_an_unknown_regression_is_refused():
    with pytest.raises(ValueError, match="'l1' or 'l2', not 'huber'"):
        LatentPaletteHead('madm11', regression='huber')
