import torch

from mmdass.structures import LabelRegions

LABEL = torch.tensor([[[3, 3, 255], [0, 3, 255]], [[255, 255, 255], [255, 255, 255]], [[255, 1, 1], [1, 1, 3]]])


def test_class_regions_are_those_that_an_image_shows():
    regions = LabelRegions.of_classes(LABEL)
    assert regions.images.tolist() == [0, 0, 2, 2]
    assert regions.rows == [[0, 1], [], [2, 3]]
    for row, (image, value) in enumerate([(0, 0), (0, 3), (2, 1), (2, 3)]):
        assert torch.equal(regions.masks[row], LABEL[image] == value)
        assert torch.equal(regions.masks[row], regions.index[image] == row)
    assert torch.equal(regions.index == 4, LABEL == 255)


def test_class_regions_without_void_or_without_anything_else():
    assert LabelRegions.of_classes(LABEL[:1, :, :2]).index.tolist() == [[[1, 1], [0, 1]]]
    nothing = LabelRegions.of_classes(LABEL[1:2])
    assert nothing.masks.shape == (0, 2, 3)
    assert nothing.index.eq(0).all()


def test_scenes_have_all_pixels_of_the_images_that_have_a_label():
    scenes = LabelRegions.of_scenes(LABEL)
    assert scenes.images.tolist() == [0, 2]
    assert scenes.rows == [[0], [], [1]]
    assert torch.equal(scenes.masks, LABEL[[0, 2]] != 255)
    assert scenes.index[:, 0, 0].tolist() == [0, 2, 1]
    assert scenes.index.shape == LABEL.shape
