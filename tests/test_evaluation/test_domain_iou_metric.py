import copy
import csv
import math

import numpy as np
import pytest
import torch
import torch.distributed as dist
from mmseg.evaluation import IoUMetric
from PIL import Image
from torchmetrics.classification import MulticlassJaccardIndex

from mmdass.evaluation import DomainIoUMetric

CLASSES = ('sky', 'road', 'person', 'train')


def sample(prediction, label):
    return dict(pred_sem_seg=dict(data=torch.as_tensor(prediction)[None]),
                gt_sem_seg=dict(data=torch.as_tensor(label)[None]))


def evaluate(metric, samples):
    metric.dataset_meta = dict(classes=CLASSES)
    metric.process({}, samples)
    return metric.evaluate(len(samples))


def test_class_ious_by_hand():
    samples = [sample([[0, 0, 1, 1]], [[0, 1, 1, 255]]), sample([[2, 1, 0, 0]], [[1, 1, 0, 0]])]
    metrics = evaluate(DomainIoUMetric(), samples)
    # sky 3 of 4, road 2 of 4, person predicted but never there: 0, train in neither: nan and left out
    assert metrics['IoU.sky'] == 75 and metrics['IoU.road'] == 50 and metrics['IoU.person'] == 0
    assert math.isnan(metrics['IoU.train'])
    assert metrics['mIoU'] == pytest.approx(125 / 3, abs=0.01)


def test_mean_iou_is_that_of_mmseg():
    torch.manual_seed(0)
    samples = [sample(torch.randint(0, 4, (20, 30)), torch.randint(0, 4, (20, 30))) for _ in range(5)]
    ours, theirs = (evaluate(metric(iou_metrics=['mIoU', 'mDice']), samples) for metric in (DomainIoUMetric, IoUMetric))
    assert {key: ours[key] for key in theirs} == theirs
    assert sum(ours[f'IoU.{name}'] for name in CLASSES) / 4 == pytest.approx(theirs['mIoU'], abs=0.01)


def test_copies_for_two_roles_do_not_share_results():
    student = DomainIoUMetric()
    teacher = copy.deepcopy(student)
    right = [sample([[0, 1]], [[0, 1]])]
    wrong = [sample([[1, 0]], [[0, 1]])]
    student.dataset_meta = teacher.dataset_meta = dict(classes=CLASSES)
    student.process({}, right), teacher.process({}, wrong)
    assert student.evaluate(1)['mIoU'] == 100 and teacher.evaluate(1)['mIoU'] == 0
    assert student.results == []


def test_format_only_writes_predictions_and_measures_nothing(tmp_path):
    metric = DomainIoUMetric(format_only=True, output_dir=str(tmp_path))
    assert evaluate(metric, [{**sample([[0, 1]], [[0, 1]]), 'img_path': 'a/frame.png'}]) == {}
    assert (tmp_path / 'frame.png').is_file()


def random_samples():
    generator = torch.Generator().manual_seed(0)
    return [sample(*torch.randint(0, 4, (2, 20, 30), generator=generator)) for _ in range(7)]


def evaluate_share(rank, folder):
    """What a rank's sampler and metric do: every second sample, the last of rank 1 a repeated one."""
    dist.init_process_group('gloo', init_method=f'file://{folder}/rendezvous', rank=rank, world_size=2)
    samples = random_samples()
    metric = DomainIoUMetric()
    metric.dataset_meta = dict(classes=CLASSES)
    metric.process({}, [*samples, samples[0]][rank::2])
    torch.save(metric.evaluate(len(samples)), folder / f'{rank}.pt')
    dist.destroy_process_group()


def test_two_ranks_measure_what_one_does(tmp_path):
    torch.multiprocessing.spawn(evaluate_share, (tmp_path,), nprocs=2)
    expected = evaluate(DomainIoUMetric(), random_samples())
    assert [torch.load(tmp_path / f'{rank}.pt', weights_only=False) for rank in range(2)] == [expected] * 2


def test_mean_iou_is_the_jaccard_index_of_torchmetrics():
    draws = np.random.default_rng(0)
    predictions, labels = draws.integers(0, 3, (2, 5, 20, 30))  # the fourth class is in neither
    labels[draws.random(labels.shape) < 0.2] = 255
    metrics = evaluate(DomainIoUMetric(), list(map(sample, predictions, labels)))
    jaccard = MulticlassJaccardIndex(num_classes=4, average='macro', ignore_index=255)
    expected = 100 * jaccard(torch.from_numpy(predictions), torch.from_numpy(labels)).item()
    assert metrics['mIoU'] == pytest.approx(expected, abs=0.005)


def in_weather(weather, *maps):
    return {**sample(*maps), 'img_path': f'/data/depth/{weather}/test/MAP_0/frame.png'}


def test_groups_are_measured_apart():
    right, wrong = in_weather('fog', [[0, 1]], [[0, 1]]), in_weather('night', [[1, 1]], [[0, 1]])
    metrics = evaluate(DomainIoUMetric(group_by=r'depth/(\w+)/'), [right, wrong, right])
    assert metrics['mIoU.fog'] == 100
    assert metrics['mIoU.night'] == 25  # sky 0 of 1, road 1 of 2
    with pytest.raises(ValueError, match=r"'rgb/\(\.\)', matches nothing in the path '.*/fog/"):
        evaluate(DomainIoUMetric(group_by='rgb/(.)'), [right])


def test_subsets_are_means_of_their_classes():
    samples = [sample([[0, 0, 1, 1]], [[0, 1, 1, 255]]), sample([[2, 1, 0, 0]], [[1, 1, 0, 0]])]
    metrics = evaluate(DomainIoUMetric(subsets=dict(mIoU2=('road', 'sky'), one=('train',))), samples)
    assert metrics['mIoU2'] == 62.5 and math.isnan(metrics['one'])
    assert DomainIoUMetric(subsets=dict(mIoU13='synthia13')).subsets['mIoU13'][:2] == ('road', 'sidewalk')
    with pytest.raises(ValueError, match='cat not in sky, road'):
        evaluate(DomainIoUMetric(subsets=dict(animals=['cat'])), samples)


def test_confusions_are_written_as_table_and_picture(tmp_path):
    metric = DomainIoUMetric(confusion_dir=str(tmp_path))
    metric.role = 'teacher'
    evaluate(metric, [sample([[0, 1, 1]], [[0, 0, 255]]), sample([[2, 1, 1]], [[1, 1, 1]])])
    rows = list(csv.reader((tmp_path / 'teacher/confusion.csv').open()))
    assert rows[0][1:] == list(CLASSES)
    assert [row[1:] for row in rows[1:]] == [['1', '1', '0', '0'], ['0', '2', '1', '0'], ['0'] * 4, ['0'] * 4]
    picture = np.asarray(Image.open(tmp_path / 'teacher/confusion.png'))
    corner = picture.shape[0] - 12 - 4 * 40, picture.shape[1] - 12 - 4 * 40
    cells = picture[corner[0] + 3::40, corner[1] + 3::40][:4, :4]
    assert (cells[0, 0] == cells[0, 1]).all() and (cells[0, 0] != cells[1, 1]).any()
    assert (cells[2:] == 225).all()
    assert sorted(path.name for path in (tmp_path / 'teacher').iterdir()) == ['confusion.csv', 'confusion.png']


def test_predictions_of_one_name_do_not_replace_each_other(tmp_path):
    metric = DomainIoUMetric(output_dir=str(tmp_path))
    metric.dataset_meta = dict(classes=CLASSES)
    first, same, second = (dict(sample([[0, 0]], [[0, 1]]), img_path=f'{folder}/000001.png') for folder in 'aab')
    metric.process({}, [first])
    metric.process({}, [same])  # of another validation
    with pytest.raises(ValueError, match='a/000001.png and b/000001.png would be .* `mmdass infer'):
        metric.process({}, [second])
    assert [path.name for path in tmp_path.iterdir()] == ['000001.png']
