import numpy as np
import pytest
from mmseg.datasets.transforms import PackSegInputs, RandomFlip, Resize
from PIL import Image
from trees import noise, write_png

from mmdass.datasets import (
    EvaluateAtCurrentSize,
    LabelSpace,
    LoadMappedLabel,
    LoadModalityImage,
    PackModalityInputs,
    RareClassCrop,
)
from mmdass.datasets.label_space import lookup_table
from mmdass.datasets.rare_class import RareClass


def load(path):
    return LoadModalityImage()(dict(img_path=str(path)))


def label_info(path, space='madm11', channel=None, **more):
    space = LabelSpace.get(space)
    return dict(seg_map_path=str(path), class_lut=lookup_table(space, space), label_ids=space.describe_ids(),
                label_channel=channel, seg_fields=[], **more)


@pytest.mark.parametrize('channels', [(), (3,), (4,)])
def test_every_channel_count_becomes_bgr(tmp_path, channels):
    pixels = noise(5, 7, *channels)
    img = load(write_png(tmp_path / 'a.png', pixels))['img']
    assert img.shape == (5, 7, 3) and img.dtype == np.uint8
    rgb = np.repeat(pixels[..., None], 3, -1) if pixels.ndim == 2 else pixels[..., :3]
    np.testing.assert_array_equal(img[..., ::-1], rgb)


def test_grey_jpeg_and_palette_png(tmp_path):
    grey = Image.new('L', (8, 6), 77)
    grey.save(tmp_path / 'a.jpg')
    assert (load(tmp_path / 'a.jpg')['img'] == 77).all()
    colour = Image.new('RGB', (8, 6), (10, 20, 30)).convert('P', palette=Image.Palette.ADAPTIVE)
    colour.save(tmp_path / 'b.png')
    assert load(tmp_path / 'b.png')['img'][0, 0].tolist() == [30, 20, 10]


def test_sixteen_bit_grey_is_refused(tmp_path):
    path = write_png(tmp_path / 'depth.png', np.full((4, 4), 1000, np.uint16))
    with pytest.raises(ValueError, match=r'depth\.png has more than 8 bits.*Convert it to uint8'):
        load(path)


def test_sixteen_bit_colour_is_refused(tmp_path):
    # Pillow cannot write one, and reads it as 8 bits without a word.
    import cv2
    path = tmp_path / 'colour.png'
    cv2.imwrite(str(path), np.full((4, 4, 3), 1000, np.uint16))
    assert Image.open(path).mode == 'RGB'
    with pytest.raises(ValueError, match=r'colour\.png has more than 8 bits'):
        load(path)


@pytest.mark.parametrize('kept', [0, 40, 0.6])
def test_truncated_png_is_an_error_that_names_the_file(tmp_path, kept):
    path = write_png(tmp_path / 'broken.png', noise(64, 64, 3))
    data = path.read_bytes()
    path.write_bytes(data[:int(kept * len(data)) if kept < 1 else kept])
    with pytest.raises(OSError, match=r'broken\.png \(\d+ bytes\) cannot be read.*truncated or corrupt'):
        load(path)


def test_missing_image_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'nowhere\.png does not exist'):
        load(tmp_path / 'nowhere.png')


def test_label_is_mapped_and_palette_files_give_indices(tmp_path):
    ids = noise(6, 8, high=11)
    image = Image.fromarray(ids)
    image.putpalette(list(np.random.default_rng(1).integers(0, 256, 768)))
    image.save(tmp_path / 'label.png')
    assert Image.open(tmp_path / 'label.png').mode == 'P'
    results = LoadMappedLabel()(label_info(tmp_path / 'label.png'))
    np.testing.assert_array_equal(results['gt_seg_map'], ids)
    assert results['seg_fields'] == ['gt_seg_map']


def test_one_bit_label_holds_the_ids_0_and_1(tmp_path):
    path = write_png(tmp_path / 'label.png', noise(6, 8, high=2).astype(bool))
    assert set(np.unique(LoadMappedLabel()(label_info(path))['gt_seg_map'])) == {0, 1}


def test_channel_of_a_colour_label_must_be_chosen(tmp_path):
    rgba = noise(6, 8, 4, high=11)
    path = write_png(tmp_path / 'label.png', rgba)
    with pytest.raises(ValueError, match=r'label\.png has 4 channels.*label_channel'):
        LoadMappedLabel()(label_info(path))
    label = LoadMappedLabel()(label_info(path, channel=0))['gt_seg_map']
    np.testing.assert_array_equal(label, rgba[..., 0])


def test_ids_outside_the_label_space_are_refused(tmp_path):
    ids = noise(6, 8, high=11)
    ids[0, :2] = 11, 40
    path = write_png(tmp_path / 'label.png', ids)
    with pytest.raises(ValueError, match=r'label\.png holds the ids 11, 40, outside .*0 to 10, and 255 for no class'):
        LoadMappedLabel()(label_info(path))


def test_image_and_label_of_different_size_are_refused(tmp_path):
    results = load(write_png(tmp_path / 'image.png', noise(6, 8)))
    path = write_png(tmp_path / 'label.png', noise(6, 9, high=11))
    with pytest.raises(ValueError, match=r'image\.png is 6 x 8, .*label\.png is 6 x 9'):
        LoadMappedLabel()({**results, **label_info(path)})


def test_label_without_a_path_is_refused():
    with pytest.raises(ValueError, match='has no label'):
        LoadMappedLabel()(dict(img_path='a.png'))


def test_stock_resize_with_pillow_is_the_official_one(tmp_path):
    image, label = noise(44, 64, 3), noise(44, 64, high=11)
    results = load(write_png(tmp_path / 'image.png', image))
    results.update(label_info(write_png(tmp_path / 'label.png', label)))
    results = Resize(scale=(26, 21), backend='pillow')(LoadMappedLabel()(results))
    expected = Image.fromarray(image).resize((26, 21), Image.Resampling.BILINEAR)
    np.testing.assert_array_equal(results['img'][..., ::-1], np.asarray(expected))
    expected = Image.fromarray(label).resize((26, 21), Image.Resampling.NEAREST)
    np.testing.assert_array_equal(results['gt_seg_map'], np.asarray(expected))


def test_official_test_protocol_measures_at_the_squashed_size(tmp_path):
    results = load(write_png(tmp_path / 'image.png', noise(44, 64)))
    results.update(label_info(write_png(tmp_path / 'label.png', noise(44, 64, high=11))))
    for transform in (LoadMappedLabel(), Resize(scale=(32, 32), backend='pillow'), EvaluateAtCurrentSize(),
                      PackSegInputs()):
        results = transform(results)
    sample = results['data_samples']
    assert results['inputs'].shape == (3, 32, 32)
    assert sample.ori_shape == sample.gt_sem_seg.shape == (32, 32)


def test_packed_samples_say_their_modality(tmp_path):
    results = load(write_png(tmp_path / 'image.png', noise(8, 8)))
    metainfo = PackModalityInputs()(results | dict(modality='event'))['data_samples'].metainfo
    assert metainfo == PackSegInputs()(results)['data_samples'].metainfo | dict(modality='event')


def rare_results(ids, rare):
    return dict(img=np.zeros((*ids.shape, 3), np.uint8), gt_seg_map=np.zeros_like(ids), raw_seg_map=ids,
                seg_fields=['gt_seg_map', 'raw_seg_map'], rare_class=rare)


@pytest.mark.parametrize('min_pixels', [16, 0.25])
def test_crop_is_drawn_again_until_it_holds_enough_of_the_class(min_pixels):
    ids = np.zeros((8, 400), np.uint8)
    ids[:, 180:240] = 5
    np.random.seed(0)
    crop, rare = RareClassCrop(8, max_redraws=200), RareClass(5, min_pixels, min_crop_ratio=0.5)
    counts = [(crop(rare_results(ids, rare))['raw_seg_map'] == 5).sum() for _ in range(50)]
    assert min(counts) > 8


def test_last_crop_is_taken_after_the_redraws():
    ids = np.zeros((8, 400), np.uint8)
    np.random.seed(0)
    drawn = []
    crop = RareClassCrop(8, max_redraws=10)
    original = crop.crop
    crop.crop = lambda img, bbox: drawn.append(bbox) or original(img, bbox)
    results = crop(rare_results(ids, RareClass(5, 16, 0.5)))
    # ten judged crops that fail, then the image and the two label maps cut with the eleventh
    assert len(set(drawn[:10])) > 5 and drawn[10] == drawn[11] == drawn[12] and len(drawn) == 13
    assert results['img'].shape == (8, 8, 3)


def test_raw_ids_follow_the_image_for_rare_samples_only(tmp_path):
    path = write_png(tmp_path / 'label.png', noise(6, 8, high=19))
    info = label_info(path, 'cityscapes19')
    info['class_lut'] = lookup_table(LabelSpace.get('cityscapes19'), LabelSpace.get('madm11'), 'cityscapes_to_madm11')
    assert 'raw_seg_map' not in LoadMappedLabel()({**info, 'seg_fields': []})
    results = LoadMappedLabel()({**info, 'seg_fields': [], 'rare_class': RareClass(6, 1, 0.5), 'img': noise(6, 8, 3)})
    results = RandomFlip(prob=1.0)(results)
    np.testing.assert_array_equal(results['gt_seg_map'], info['class_lut'][results['raw_seg_map']])
