import json
from pathlib import Path

import cv2
import pytest

VAL_LOOP = dict(type='TeacherStudentValLoop')


def _pictures(runner):
    return sorted(path.name for path in Path(runner.work_dir).glob('*/vis_data/vis_image/*.png'))


def test_training_and_validation_pictures(make_runner, uda_segmentor):
    hook = dict(type='DomainVisualizationHook', interval=2, val_interval=3)
    runner = make_runner(uda_segmentor, hooks=[hook], val_cfg=VAL_LOOP)
    runner.train()
    assert _pictures(runner) == ['train_0_2.png', 'train_0_4.png', 'val_0_0_4.png', 'val_3_0_4.png']
    assert uda_segmentor.panels == {} and not uda_segmentor.panels_wanted
    folder = next(Path(runner.work_dir).glob('*/vis_data/vis_image'))
    # Two rows of panels (source, target) against one row of four: image, ground truth, student, teacher.
    train, val = cv2.imread(str(folder / 'train_0_2.png')), cv2.imread(str(folder / 'val_0_0_4.png'))
    assert train.shape[0] > 1.5 * val.shape[0]
    assert val.shape[1] == 2 * train.shape[1] - 12


def test_panels_are_files_and_shares_of_pseudo_labels_scalars(make_runner, uda_segmentor):
    runner = make_runner(uda_segmentor, hooks=[dict(type='DomainVisualizationHook', interval=4)])
    runner.train()
    data = next(Path(runner.work_dir).glob('*/vis_data'))
    files = sorted(str(path.relative_to(data / 'panels')) for path in data.glob('panels/train_0/**/*.png'))
    names = ('source/image', 'source/label', 'target/confidence', 'target/pseudo_label')
    assert files == [f'train_0/4/{name}.png' for name in names]
    label = cv2.imread(str(data / 'panels/train_0/4/target/pseudo_label.png'))[..., ::-1]
    assert label.shape == (8, 16, 3) and label[0, 1].tolist() == [0, 0, 142]
    entries = [json.loads(line) for line in (data / 'scalars.json').read_text().splitlines()]
    (shares,) = [entry for entry in entries if 'pseudo/share.car' in entry]
    assert shares['step'] == 4 and shares['pseudo/share.sky'] == 0
    assert shares['pseudo/share.car'] == pytest.approx(200 / 3)


def test_validation_shows_the_input_and_the_predictions(make_runner, uda_segmentor, monkeypatch):
    runner = make_runner(uda_segmentor, hooks=[dict(type='DomainVisualizationHook')], val_cfg=VAL_LOOP)
    drawn = []
    monkeypatch.setattr(type(runner.visualizer), 'draw_panels', lambda self, panels: drawn.append(panels))
    monkeypatch.setattr(type(runner.visualizer), 'add_image', lambda self, name, image, step: None)
    runner.val()
    (panels,) = drawn
    assert list(panels) == ['val/image', 'val/ground_truth', 'val/student', 'val/teacher']
    loaded = runner.val_dataloader.dataset[0]
    assert ((panels['val/image'] + 1) * 127.5).round().int().flip(0).equal(loaded['inputs'].int())
    assert panels['val/ground_truth'].equal(loaded['data_samples'].gt_sem_seg.data[0])
    assert (panels['val/teacher'] == 2).all()


def test_a_plain_segmentor_gets_validation_pictures_only(make_runner, segmentor):
    runner = make_runner(segmentor, hooks=[dict(type='DomainVisualizationHook', interval=1)])
    runner.train()
    assert _pictures(runner) == ['val_0_0_4.png']


def test_other_ranks_draw_nothing(make_runner, uda_segmentor, monkeypatch):
    monkeypatch.setattr('mmdass.engine.hooks.domain_visualization_hook.is_main_process', lambda: False)
    runner = make_runner(uda_segmentor, hooks=[dict(type='DomainVisualizationHook', interval=1)], val_cfg=VAL_LOOP)
    runner.train()
    assert _pictures(runner) == []


def test_refuses_another_visualizer(make_runner, uda_segmentor):
    visualizer = dict(type='SegLocalVisualizer', vis_backends=[])
    runner = make_runner(uda_segmentor, hooks=[dict(type='DomainVisualizationHook')], visualizer=visualizer)
    with pytest.raises(TypeError, match='mmdass.DomainVisualizer'):
        runner.train()


def test_tensorboard_gets_the_pictures_too(make_runner, uda_segmentor):
    pytest.importorskip('tensorboard')
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    visualizer = dict(type='DomainVisualizer', vis_backends=[dict(type='TensorboardVisBackend')])
    runner = make_runner(
        uda_segmentor, hooks=[dict(type='DomainVisualizationHook', interval=2)], visualizer=visualizer
    )
    runner.train()
    events = EventAccumulator(str(next(Path(runner.work_dir).glob('*/vis_data'))))
    events.Reload()
    assert 'train_0' in events.Tags()['images']


def test_pseudo_label_values_are_in_the_log_line(make_runner, uda_segmentor):
    runner = make_runner(uda_segmentor)
    runner.train()
    log = next(Path(runner.work_dir).glob('*/*.log')).read_text()
    line = next(line for line in log.splitlines() if 'Iter(train)' in line)
    assert 'pseudo/confident: 0.8100' in line and 'pseudo/timestep: 40.0000' in line and 'eta:' in line
