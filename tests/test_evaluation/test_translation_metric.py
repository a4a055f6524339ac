import copy
import math

import numpy as np
import pytest
import torch
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from mmengine.structures import PixelData
from mmseg.models import SegDataPreProcessor
from mmseg.models.segmentors import BaseSegmentor
from mmseg.structures import SegDataSample

from mmdass.apis.load_segmentor import load_segmentor
from mmdass.checkpoints.loader import CheckpointError
from mmdass.evaluation import DomainIoUMetric, label_consistency
from mmdass.registry import DATASETS

CLASSES = ('sky', 'road', 'person', 'train')


class ReadsRed(BaseSegmentor):
    """A judge that sees class k where red is k."""

    dataset_meta = dict(classes=CLASSES)
    num_classes, out_channels, align_corners = 4, 4, False

    def __init__(self):
        super().__init__(SegDataPreProcessor(bgr_to_rgb=True))

    def predict(self, inputs, data_samples=None):
        logits = torch.stack([inputs[:, 0] == k for k in range(4)], dim=1).float()
        return self.postprocess_result(logits, data_samples)

    extract_feat = encode_decode = loss = _forward = None


def sample(red, label, path='a.png'):
    image = torch.zeros(3, *np.shape(red), dtype=torch.uint8)
    image[2] = torch.as_tensor(red)  # BGR
    data_sample = SegDataSample(metainfo=dict(img_path=path, img_shape=np.shape(red), ori_shape=(999, 999)))
    data_sample.gt_sem_seg = PixelData(data=torch.as_tensor(label, dtype=torch.uint8)[None])
    return dict(inputs=image, data_samples=data_sample)


SAMPLES = [sample([[0, 0, 1, 1]], [[0, 1, 1, 255]], 'a.png'), sample([[2, 1, 0, 0]], [[1, 1, 0, 0]], 'b.png')]


def random_samples(count, error=0.3, size=(8, 10), seed=0):
    draws = np.random.default_rng(seed)
    labels = draws.integers(0, 3, (count, *size))
    wrong = draws.random(labels.shape) < error * draws.random((count, 1, 1))
    red = np.where(wrong, (labels + 1) % 3, labels)
    return [sample(red[index], labels[index], f'{index}.png') for index in range(count)]


def test_consistency_by_hand():
    consistency = label_consistency(ReadsRed(), SAMPLES)
    # sky 3 of 4, road 2 of 4, person predicted but never there: 0, train in neither: nan and not in the mean
    assert consistency.miou == pytest.approx(125 / 3)
    assert list(consistency.per_class.values())[:3] == [75, 50, 0] and math.isnan(consistency.per_class['train'])
    # of an image, the mean over the classes in its label: sky 1/2, road 1/2; road 1/2, sky 1
    assert consistency.per_image == {'a.png': 50, 'b.png': 75}


def test_images_under_a_threshold_are_listed_worst_first():
    void = sample([[0, 1]], [[255, 255]], 'void.png')
    wrong = sample([[0, 1]], [[1, 0]], 'wrong.png')
    consistency = label_consistency(ReadsRed(), [*SAMPLES, void, wrong])
    assert math.isnan(consistency.per_image['void.png'])
    assert consistency.below(60) == ['wrong.png', 'a.png']
    assert consistency.below(50) == ['wrong.png']


def test_it_is_the_iou_metric_of_the_same_predictions():
    samples, judge = random_samples(5), ReadsRed()
    metric = DomainIoUMetric()
    metric.dataset_meta = dict(classes=CLASSES)
    for one in copy.deepcopy(samples):
        one['data_samples'].set_metainfo(dict(ori_shape=(8, 10)))
        metric.process({}, [judge.test_step({key: [value] for key, value in one.items()})[0].to_dict()])
    expected, consistency = metric.evaluate(5), label_consistency(judge, samples)
    assert consistency.miou == pytest.approx(expected['mIoU'], abs=0.005)
    assert consistency.per_class['road'] == pytest.approx(expected['IoU.road'], abs=0.005)


def test_batches_and_sizes_do_not_matter():
    samples = random_samples(3) + random_samples(2, size=(4, 6), seed=1) + random_samples(2, seed=2)
    for index, one in enumerate(samples):
        one['data_samples'].set_metainfo(dict(img_path=f'{index}.png'))
    one, three = (label_consistency(ReadsRed(), samples, batch_size) for batch_size in (1, 3))
    assert (one.miou, one.per_image, one.interval) == (three.miou, three.per_image, three.interval)


def test_labels_of_the_native_size_are_compared_at_that_size():
    label = np.kron([[0, 1], [2, 3]], np.ones((4, 4), dtype=int))
    consistency = label_consistency(ReadsRed(), [sample([[0, 1], [2, 3]], label)])
    assert consistency.miou > 70  # bilinear logits blur the borders
    assert consistency == label_consistency(ReadsRed(), [sample([[0, 1], [2, 3]], label)])


def test_interval_over_images():
    few, many = (label_consistency(ReadsRed(), random_samples(count)) for count in (10, 160))
    widths = [high - low for low, high in (few.interval, many.interval)]
    assert few.interval[0] < few.miou < few.interval[1] and many.interval[0] < many.miou < many.interval[1]
    assert widths[0] / widths[1] == pytest.approx(4, rel=0.5)  # as one over the root of the number of images
    same = label_consistency(ReadsRed(), [SAMPLES[0]] * 5)
    assert same.interval == pytest.approx((same.miou, same.miou))


def test_bad_input_is_refused():
    judge = ReadsRed()
    with pytest.raises(ValueError, match='of no image'):
        label_consistency(judge, [])
    with pytest.raises(ValueError, match='label of b.png holds 7, but the judge has 4 classes'):
        label_consistency(judge, [SAMPLES[0], sample([[0, 1]], [[0, 7]], 'b.png')])
    toy = DATASETS.build(dict(type='ToyStreetDataset', num_images=1, size=(64, 32)))
    with pytest.raises(ValueError, match='judge predicts sky, road, person, train, but the labels mean sky, building'):
        label_consistency(judge, toy)
    judge.dataset_meta = None
    with pytest.raises(ValueError, match='neither the judge'):
        label_consistency(judge, SAMPLES)


def test_a_checkpoint_judges_a_data_set(tiny_config, tmp_path):
    """The function, and ``tools/test.py`` with the metric, say the same of one judge and data set."""
    tiny_config.test_evaluator = dict(type='LabelConsistencyMetric', threshold=101)
    runner = Runner.from_cfg(tiny_config)
    runner.train()
    metrics = runner.test()
    judge = load_segmentor(tiny_config, tmp_path / 'work/iter_2.pth')
    assert not judge.training and not any(parameter.requires_grad for parameter in judge.parameters())
    assert judge.dataset_meta['classes'] == ('dark', 'light')
    consistency = label_consistency(judge, runner.test_dataloader.dataset, batch_size=3)
    assert metrics['mIoU'] == pytest.approx(consistency.miou, abs=0.005)
    assert metrics['IoU.light'] == consistency.per_class['light'] and metrics['below'] == 4
    assert (metrics['mIoU.low'], metrics['mIoU.high']) == pytest.approx(consistency.interval)


def test_another_models_checkpoint_is_refused(tiny_config, tmp_path):
    init_default_scope('mmdass')
    torch.save(dict(state_dict={'backbone.weight': torch.zeros(1)}), tmp_path / 'other.pth')
    with pytest.raises(CheckpointError, match='other.pth does not fit the model of .*tiny.py'):
        load_segmentor(tiny_config, tmp_path / 'other.pth')
