import json

import pytest
from run_folders import ADAPTED, PLAIN, START, TRAIN, write_config, write_panel, write_run

from mmdass.report import read_run, read_runs
from mmdass.report.groups import group_runs


def _notes(folder):
    return ' '.join(read_run(folder, 'run').notes)


def test_hierarchical_logs_are_read(tmp_path):
    run = write_run(tmp_path, [{f'val/{key}': value for key, value in PLAIN.items() if key != 'step'} | {'step': 20}])
    (scores,) = read_run(run, 'run').scores
    assert scores.values == {'mIoU': 40.0, 'road': 70.0, 'car': 10.0} and scores.role == ''


def test_a_resumed_start_takes_over_from_its_first_entry(tmp_path):
    write_run(tmp_path, [TRAIN, PLAIN, TRAIN | {'step': 30}, TRAIN | {'step': 40, 'loss': 9.0}], '20250101_000000')
    write_run(tmp_path, [TRAIN | {'step': 40, 'loss': 0.5}, ADAPTED | {'step': 40}], '20250102_000000')
    run = read_run(tmp_path, 'run')
    assert run.curve('loss') == [(20, 1.0), (30, 1.0), (40, 0.5)]
    assert [scores.role for scores in run.scores] == ['student', 'teacher']
    assert run.score_curve('', 'mIoU') == [(20, 40.0)]


def test_a_restart_from_scratch_leaves_nothing_of_the_run_before(tmp_path):
    write_run(tmp_path, [TRAIN, PLAIN], '20250101_000000')
    write_panel(tmp_path, 'train_0', 20, 'target/image', start='20250101_000000')
    write_run(tmp_path, [TRAIN | {'step': 10}], '20250102_000000')
    run = read_run(tmp_path, 'run')
    assert run.scores == [] and run.iterations == 10 and not run.panels['train_0']


@pytest.mark.parametrize('damage', ['{"loss": 1.', '[1]', '{"loss": 1.0}', '{"step": "x"}', '\x00\ufffd', 'null'])
def test_damaged_lines_are_left_out_and_named(tmp_path, damage):
    write_run(tmp_path, [TRAIN], tail=f'{damage}\n{json.dumps(PLAIN)}\n{{"torn')
    run = read_run(tmp_path, 'run')
    assert run.scores[0].values['mIoU'] == 40.0
    damaged = [note for note in run.notes if 'damaged' in note]
    assert len(damaged) == 2 and 'Line 2 of' in damaged[0] and 'scalars.json' in damaged[0]


def test_every_missing_piece_is_a_sentence(tmp_path):
    assert 'There is no folder' in _notes(tmp_path / 'typo')
    assert 'holds no run' in _notes(tmp_path)
    folder = write_run(tmp_path, [TRAIN])
    assert 'No validation yet' in _notes(folder) and 'config was not kept' in _notes(folder)
    data = folder / '20250101_000000/vis_data'
    (data / 'config.py').write_text('import os')
    (data / 'validation.json').write_text('{"step": 3')
    (data / 'environment.json').write_text('')
    notes = _notes(folder)
    for reason in ('more than names and values', 'last validation', 'environment.json is damaged'):
        assert reason in notes


def test_runs_are_named_after_what_differs(tmp_path):
    folders = [tmp_path / name for name in ('seed_0/event', 'seed_1/event')]
    assert [run.name for run in read_runs(folders)] == ['seed_0/event', 'seed_1/event']


def test_the_config_is_that_of_the_training(tmp_path):
    write_config(write_run(tmp_path, [PLAIN]), seed=1)
    (tmp_path / START / 'vis_data/environment.json').write_text('{}')
    write_run(tmp_path, [], start='20250102_000000')  # `mmdass test` leaves a start, too
    (tmp_path / '20250102_000000/vis_data/config.py').write_text('randomness = dict(seed=42)')
    (run,) = read_runs([tmp_path])
    assert run.config.randomness.seed == 1


def test_runs_of_one_config_are_grouped_over_their_seeds(tmp_path):
    seeds = dict(a=0, b=1, repeated=1)
    for name, seed in seeds.items():
        write_config(write_run(tmp_path / name, [PLAIN]), seed)
    write_config(write_run(tmp_path / 'other', [PLAIN]), seed=2, learning_rate=0.1)
    write_run(tmp_path / 'unknown', [PLAIN])
    groups = group_runs(read_runs([tmp_path / name for name in ('a', 'b', 'other', 'repeated', 'unknown')]))
    assert [group.name for group in groups] == ['a, b', 'other', 'repeated', 'unknown']


def test_mean_and_deviation_over_seeds(tmp_path):
    for seed, (miou, loss) in enumerate([(40.0, 1.0), (46.0, 3.0)]):
        entries = [TRAIN | {'loss': loss}, PLAIN | {'mIoU': miou}]
        write_config(write_run(tmp_path / str(seed), entries + [TRAIN | {'step': 30}] * seed), seed)
    (group,) = group_runs(read_runs([tmp_path / '0', tmp_path / '1']))
    (column,) = group.columns()
    assert column.values['mIoU'] == 43.0 and column.std['mIoU'] == pytest.approx(18**0.5)
    line = group.line('loss', [run.curve('loss') for run in group.runs])
    assert line.points == [(20, 2.0)] and line.spread == [pytest.approx(2**0.5)]
