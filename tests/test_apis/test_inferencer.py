"""DASegInferencer: MMSeg's interface, our models, windows, roles and timesteps."""

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import init_default_scope
from mmseg.apis import MMSegInferencer
from tiny_madm import madm_cfg

from mmdass.apis import DASegInferencer, inferencer
from mmdass.checkpoints.loader import CheckpointError
from mmdass.registry import DATASETS, MODELS

META = dict(classes=('dark', 'light'), palette=[[0, 0, 0], [255, 0, 0]])


def save(cfg, path, **meta) -> None:
    """Write a checkpoint of random weights that were moved away from their start."""
    init_default_scope(cfg.get('default_scope', 'mmseg'))
    model = MODELS.build(cfg.model)
    for parameter in model.parameters():
        parameter.data += 0.05 * torch.randn_like(parameter)
    torch.save(dict(state_dict=model.state_dict(), meta=meta), path)


@pytest.fixture
def stock(tiny_config, tmp_path):
    """Arguments for an inferencer of a stock segmentor."""
    tiny_config.visualizer = dict(type='SegLocalVisualizer')  # MMSeg's own inferencer finds no other
    save(tiny_config, tmp_path / 'stock.pth', dataset_meta=META)
    return tiny_config, str(tmp_path / 'stock.pth')


@pytest.fixture
def madm(tmp_path):
    """Arguments for an inferencer of a tiny MADM whose teacher differs from its student."""
    picture = np.random.default_rng(1).integers(0, 255, (50, 90, 3), np.uint8)
    cv2.imwrite(str(tmp_path / 'x.png'), picture)
    cv2.imwrite(str(tmp_path / 'y.png'), np.zeros((50, 90), np.uint8))
    dataset = dict(
        type='ModalityDataset', data_root=str(tmp_path), images='x.png', labels=('x', 'y'), label_space='madm11',
        modality='event', pipeline=[
            dict(type='LoadModalityImage'), dict(type='LoadMappedLabel'), dict(type='Resize', scale=(128, 64)),
            dict(type='EvaluateAtCurrentSize'), dict(type='PackModalityInputs')])
    cfg = Config(dict(default_scope='mmdass', model=madm_cfg(), test_dataloader=dict(dataset=dataset)))
    save(cfg, tmp_path / 'madm.pth')
    return cfg, str(tmp_path / 'madm.pth')


def test_it_answers_as_mmsegs_inferencer(stock, tmp_path):
    theirs, ours = MMSegInferencer(*stock, device='cpu'), DASegInferencer(*stock, device='cpu', show_progress=False)
    files = [str(tmp_path / f'data/image/{index}.png') for index in range(3)]
    for inputs in (files[0], files, cv2.imread(files[1]), str(tmp_path / 'data/image')):
        expected, found = (segment(inputs, return_vis=True, batch_size=2) for segment in (theirs, ours))
        assert expected.keys() == found.keys()
        assert np.shape(found['visualization']) == np.shape(expected['visualization'])
        if not isinstance(inputs, str) or inputs.endswith('.png'):  # theirs lists folders in the system's order
            assert np.array_equal(expected['predictions'], found['predictions'])
    expected, found = (segment(files[0], return_datasamples=True) for segment in (theirs, ours))
    torch.testing.assert_close(found.seg_logits.data, expected.seg_logits.data)
    confidence = expected.seg_logits.data.softmax(0).amax(0, keepdim=True)
    torch.testing.assert_close(found.pred_confidence.data, confidence)


def test_it_writes_what_mmsegs_inferencer_writes(stock, tmp_path):
    for name, kind in (('theirs', MMSegInferencer), ('ours', DASegInferencer)):
        kind(*stock, device='cpu')(str(tmp_path / 'data/image/1.png'), out_dir=str(tmp_path / name))
    theirs, ours = ({path.relative_to(tmp_path / name) for path in (tmp_path / name).rglob('*.png')}
                    for name in ('theirs', 'ours'))
    assert len(ours) == 2 and ours == theirs


def test_pictures_keep_their_folders(stock, tmp_path):
    for folder in 'ab':
        (tmp_path / 'seen' / folder).mkdir(parents=True)
        cv2.imwrite(str(tmp_path / 'seen' / folder / '1.png'), np.zeros((32, 64, 3), np.uint8))
    files = [str(tmp_path / 'seen' / folder / '1.png') for folder in 'ab']
    for inputs, out in ((str(tmp_path / 'seen'), tmp_path / 'out'), (files, tmp_path / 'listed')):
        DASegInferencer(*stock, device='cpu')(inputs, out_dir=str(out))
        drawn = sorted(path.relative_to(out / 'vis').as_posix() for path in out.rglob('vis/**/*.png'))
        assert drawn == ['a/1.png', 'b/1.png']


def test_madm_predicts_as_in_testing_but_at_the_size_of_the_file(madm, tmp_path):
    cfg, _ = madm
    segment = DASegInferencer(*madm, device='cpu')
    tested = segment.model.test_step(pseudo_collate([DATASETS.build(cfg.test_dataloader.dataset)[0]]))[0]
    found = segment(str(tmp_path / 'x.png'), return_datasamples=True)
    assert found.pred_sem_seg.shape == (50, 90)
    at_native_size = torch.nn.functional.interpolate(tested.seg_logits.data[None], (50, 90), mode='bilinear')[0]
    torch.testing.assert_close(found.seg_logits.data, at_native_size, atol=1e-4, rtol=1e-4)


def test_role_and_timestep_change_who_looks_and_at_what(madm, tmp_path):
    student, teacher = (DASegInferencer(*madm, device='cpu', role=role) for role in (None, 'teacher'))

    def logits(segment, **options):
        return segment(str(tmp_path / 'x.png'), return_datasamples=True, **options).seg_logits.data

    clean = logits(student)
    assert not torch.allclose(logits(teacher), clean)
    assert not torch.allclose(logits(teacher, timestep=60), logits(teacher))
    assert not torch.allclose(logits(student, timestep=60), clean)
    assert torch.equal(logits(student, timestep=0), clean)
    with pytest.raises(ValueError, match='0 .a clean image. to 999 .noise., not 1000'):
        logits(student, timestep=1000)


def test_options_that_do_not_fit_are_refused(stock, madm):
    with pytest.raises(ValueError, match='no pair of student and teacher'):
        DASegInferencer(*stock, role='teacher')
    with pytest.raises(ValueError, match='StableDiffusionBackbone'):
        DASegInferencer(*stock, device='cpu')(np.zeros((32, 64, 3), np.uint8), timestep=10)
    with pytest.raises(ValueError, match='cannot overlap by 16'):
        DASegInferencer(*stock, window=(16, 32), overlap=16)
    with pytest.raises(ValueError, match='random weights'):
        DASegInferencer(stock[0])
    with pytest.raises(CheckpointError, match='does not fit'):
        DASegInferencer(stock[0], madm[1])


def test_windows_are_the_whole_where_it_fits(stock):
    image = np.random.default_rng(0).integers(0, 255, (40, 72, 3), np.uint8)
    whole, slid = (DASegInferencer(*stock, device='cpu', window=window)(image, return_datasamples=True)
                   for window in (None, (40, 80)))
    assert torch.equal(slid.seg_logits.data, whole.seg_logits.data)


def test_windows_of_the_config_are_taken_over_and_no_seam_is_left(stock):
    """On an image that is everywhere alike a seam would be the only edge."""
    cfg, checkpoint = stock
    cfg.model.test_cfg = dict(mode='slide', crop_size=(32, 48), stride=(24, 24))
    segment = DASegInferencer(cfg, checkpoint, device='cpu')
    assert (segment.window, segment.overlap) == ((32, 48), 24)
    drawn = segment(np.full((128, 200, 3), 120, np.uint8), return_datasamples=True).seg_logits.data
    mmseg = MMSegInferencer(cfg, checkpoint, device='cpu')
    uniform = mmseg(np.full((128, 200, 3), 120, np.uint8), return_datasamples=True).seg_logits.data
    largest_step = [logits.diff(dim=2).abs().max() for logits in (drawn, uniform)]
    assert largest_step[0] < 0.5 * largest_step[1]


def test_an_image_that_would_take_all_memory_is_refused_unless_windows_slide(stock, monkeypatch):
    monkeypatch.setattr(inferencer, 'LARGEST_WHOLE', 1000)
    image = np.zeros((32, 64, 3), np.uint8)
    with pytest.raises(ValueError, match='32 x 64 pixels .* sliding window'):
        DASegInferencer(*stock, device='cpu')(image)
    assert DASegInferencer(*stock, device='cpu', window=(32, 32))(image)['predictions'].shape == (32, 64)


def test_a_model_with_one_channel_has_two_classes(stock, tmp_path):
    cfg, _ = stock
    cfg.model.decode_head.update(
        out_channels=1, threshold=0.4, loss_decode=dict(type='CrossEntropyLoss', use_sigmoid=True))
    save(cfg, tmp_path / 'binary.pth', dataset_meta=META)
    image = str(tmp_path / 'data/image/0.png')
    theirs, ours = (kind(cfg, str(tmp_path / 'binary.pth'), device='cpu')(image, return_datasamples=True)
                    for kind in (MMSegInferencer, DASegInferencer))
    assert torch.equal(ours.pred_sem_seg.data, theirs.pred_sem_seg.data.long())
    probability = theirs.seg_logits.data
    expected = torch.where(probability > 0.4, probability, 1 - probability)
    torch.testing.assert_close(ours.pred_confidence.data, expected)


def test_names_come_from_the_user_the_checkpoint_the_config_or_are_numbers(stock, madm):
    def classes(*arguments, **options):
        return DASegInferencer(*arguments, device='cpu', **options).model.dataset_meta['classes']

    assert classes(*stock) == ('dark', 'light')
    assert classes(*stock, classes=['night', 'day']) == ('night', 'day')
    assert classes(*madm)[0] == 'sky'
    madm[0].test_dataloader.dataset.pop('label_space')
    assert classes(*madm)[:2] == ('class 0', 'class 1')
