import json
from pathlib import Path

import pytest
import torch

from mmdass.report.validation import image_score, read_validation

LOOP = dict(type='TeacherStudentValLoop')
HOOKS = [dict(type='DomainVisualizationHook', interval=2), dict(type='ReportHook', num_examples=1)]


def _data(runner):
    return next(Path(runner.work_dir).glob('*/vis_data'))


def test_a_training_ends_with_a_page_of_all_it_kept(make_runner, uda_segmentor):
    runner = make_runner(uda_segmentor, hooks=HOOKS, val_cfg=LOOP)
    runner.train()
    page = Path(runner.work_dir, 'report.html').read_text()
    for part in ('Confusions', 'Best images', 'Worst images', 'Training over time', 'Environment', 'mIoU'):
        assert part in page
    assert page.split('class="notes"')[1].count('<li>The config was not kept.') == 1  # a Runner made without one
    environment = json.loads((_data(runner) / 'environment.json').read_text())
    assert environment['seed'] == '7' and {'PyTorch', 'mmdass', 'MMEngine', 'MMSegmentation'} <= set(environment)


def test_confusions_and_examples_of_each_role(make_runner, uda_segmentor):
    runner = make_runner(uda_segmentor, hooks=HOOKS, val_cfg=LOOP)
    runner.val()
    validation = read_validation(_data(runner))
    assert validation.classes == ['road', 'sky', 'car'] and validation.num_images == 4
    # Four images of 8 x 16; the teacher says 'car' everywhere.
    assert validation.confusions['teacher'].tolist() == [[0, 0, 192], [0, 0, 160], [0, 0, 160]]
    assert validation.confusions['student'].sum(axis=1).tolist() == [192, 160, 160]
    (best,), (worst,) = validation.best, validation.worst
    assert best.score > worst.score and best.path != worst.path
    assert list(best.pictures) == ['val/image', 'val/ground_truth', 'val/student', 'val/teacher']
    assert all(path.is_file() for path in best.pictures.values())


def test_the_best_and_worst_of_many_are_found(make_runner, segmentor, monkeypatch):
    scores = iter([50.0, 10.0, 90.0, 50.0, 70.0, float('nan'), 20.0, 95.0, 0.0, 0.0])
    monkeypatch.setattr('mmdass.engine.hooks.report_hook.image_score', lambda counts: next(scores))
    ten = type(make_runner(segmentor).val_dataloader.dataset)(length=10)
    loader = dict(batch_size=1, num_workers=0, dataset=ten, sampler=dict(type='DefaultSampler', shuffle=False))
    runner = make_runner(segmentor, hooks=[dict(type='ReportHook', num_examples=2)], val_dataloader=loader)
    runner.val()
    validation = read_validation(_data(runner))
    assert [example.score for example in validation.best] == [95.0, 90.0]
    assert [example.score for example in validation.worst] == [0.0, 0.0]
    assert validation.num_images == 10


def test_a_later_validation_replaces_the_one_before(make_runner, segmentor):
    runner = make_runner(segmentor, hooks=HOOKS, train_cfg=dict(type='IterBasedTrainLoop', max_iters=4, val_interval=2))
    runner.train()
    validation = read_validation(_data(runner))
    assert validation.step == 4 and validation.num_images == 4


def test_nothing_that_goes_wrong_ends_a_run(make_runner, uda_segmentor, monkeypatch):
    def fail(*args, **kwargs):
        raise ZeroDivisionError('broken')

    for name in ('collect_env', 'count_confusions', 'write_page'):
        monkeypatch.setattr(f'mmdass.engine.hooks.report_hook.{name}', fail)
    runner = make_runner(uda_segmentor, hooks=HOOKS, val_cfg=LOOP)
    runner.train()
    log = next(Path(runner.work_dir).glob('*/*.log')).read_text()
    for method in ('before_train', 'after_val_iter', 'after_train'):
        assert log.count(f'lacks what {method} gives: ZeroDivisionError: broken') == 1
    assert not Path(runner.work_dir, 'report.html').exists()


def test_data_without_labels_have_no_confusions(make_runner, segmentor, monkeypatch):
    runner = make_runner(segmentor, hooks=HOOKS)
    item = type(runner.val_dataloader.dataset)._item

    def unlabelled(index, domain):
        sample = item(index, domain)
        del sample['data_samples'].gt_sem_seg
        return sample

    monkeypatch.setattr(runner.val_dataloader.dataset, '_item', unlabelled)
    runner.val()
    assert read_validation(_data(runner)) is None


def test_other_ranks_write_nothing(make_runner, segmentor, monkeypatch):
    monkeypatch.setattr('mmdass.engine.hooks.report_hook.is_main_process', lambda: False)
    monkeypatch.setattr('mmdass.engine.hooks.report_hook.collect_results', lambda images, size, device: None)
    runner = make_runner(segmentor, hooks=[dict(type='ReportHook')])
    runner.train()
    assert not (_data(runner) / 'validation.json').exists() and not Path(runner.work_dir, 'report.html').exists()


@pytest.mark.parametrize(('confusions', 'score'), [
    ([[3, 1, 0], [0, 0, 0], [0, 0, 4]], 100 * (3 / 4 + 1) / 2),  # the second class is only predicted
    ([[0, 0], [0, 0]], float('nan')),
])
def test_score_of_an_image(confusions, score):
    assert image_score(torch.tensor(confusions)) == pytest.approx(score, nan_ok=True)
