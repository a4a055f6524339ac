import json
import os

import pytest

from mmdass.apis.report import ReportError, main, newest_pictures, read_scores

PLAIN = {'aAcc': 80.0, 'mIoU': 40.0, 'mAcc': 50.0, 'IoU.road': 70.0, 'IoU.car': 10.0, 'time': 0.1, 'step': 20}
ROLES = {
    'student/mIoU': 45.5, 'student/IoU.road': 69.0, 'student/IoU.car': 22.0,
    'teacher/mIoU': 47.25, 'teacher/IoU.road': 70.5, 'teacher/IoU.car': float('nan'), 'step': 30,
}  # fmt: skip
TRAIN = {'loss': 1.0, 'source.decode.loss_ce': 1.0, 'iter': 20, 'step': 20}


def _run(folder, entries, start='20250101_000000', tail=''):
    file = folder / start / 'vis_data' / 'scalars.json'
    file.parent.mkdir(parents=True)
    file.write_text(''.join(json.dumps(entry) + '\n' for entry in entries) + tail)
    return folder


def _picture(folder, name, age, start='20250101_000000'):
    path = folder / start / 'vis_data' / 'vis_image' / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    os.utime(path, (1000 - age, 1000 - age))
    return path


def test_table_of_runs_and_roles(tmp_path, capsys):
    source_only = _run(tmp_path / 'toy_source_only', [TRAIN, PLAIN | {'mIoU': 1.0, 'step': 10}, PLAIN])
    adapted = _run(tmp_path / 'toy', [TRAIN, ROLES, TRAIN])
    picture = _picture(adapted, 'train_0_1000.png', age=1)
    assert main([str(source_only), str(adapted)]) == 0
    out = capsys.readouterr().out
    lines = {line.split('|')[1].strip(): line.replace('|', ' ').split()[1:] for line in out.splitlines() if '|' in line}
    assert out.splitlines()[1].split('|')[2:5] == [' toy_source_only ', ' toy student ', ' toy teacher ']
    assert lines['road'] == ['70.00', '69.00', '70.50*']
    assert lines['car'] == ['10.00', '22.00*', '-']
    assert lines['mIoU'] == ['40.00', '45.50', '47.25*']
    assert lines['iterations'] == ['20', '30', '30']
    assert list(lines)[-2:] == ['mIoU', 'iterations']
    assert out.splitlines()[-1] == str(picture)


def test_one_column_has_no_best(tmp_path, capsys):
    main([str(_run(tmp_path / 'run', [PLAIN]))])
    assert '*' not in capsys.readouterr().out


def test_hierarchical_logs_are_read(tmp_path):
    run = _run(tmp_path, [{f'val/{key}': value for key, value in PLAIN.items() if key != 'step'} | {'step': 20}])
    (scores,) = read_scores(run)
    assert scores.values == {'mIoU': 40.0, 'road': 70.0, 'car': 10.0} and scores.role == ''


def test_newest_start_with_a_validation_counts(tmp_path):
    _run(tmp_path, [PLAIN], '20250101_000000')
    _run(tmp_path, [TRAIN, ROLES], '20250102_000000', tail='{"loss": 1.')  # killed while writing
    _run(tmp_path, [TRAIN], '20250103_000000')
    assert [scores.role for scores in read_scores(tmp_path)] == ['student', 'teacher']


def test_newest_picture_of_each_series(tmp_path):
    _picture(tmp_path, 'train_0_1000.png', age=9)
    val = _picture(tmp_path, 'val_0_0_1000.png', age=8)
    newest = _picture(tmp_path, 'train_0_500.png', age=2, start='20250102_000000')
    assert newest_pictures(tmp_path) == [val, newest]


@pytest.mark.parametrize(('entries', 'reason'), [(None, 'no run here'), ([TRAIN], 'no validation')])
def test_a_folder_with_nothing_to_report(tmp_path, capsys, entries, reason):
    run = tmp_path / 'run' if entries is None else _run(tmp_path / 'run', entries)
    with pytest.raises(ReportError, match=f'run: {reason}'):
        read_scores(run)
    assert main([str(run)]) == 1
    assert reason in capsys.readouterr().err
