import pytest
from run_folders import ADAPTED, PLAIN, TRAIN, write_config, write_run

from mmdass.report.command import main


def test_table_of_runs_and_roles(tmp_path, capsys):
    source_only = write_run(tmp_path / 'toy_source_only', [TRAIN, PLAIN | {'mIoU': 1.0, 'step': 10}, PLAIN])
    adapted = write_run(tmp_path / 'toy', [TRAIN, ADAPTED, TRAIN])
    assert main([str(source_only), str(adapted)]) == 0
    out = capsys.readouterr().out
    lines = {line.split('|')[1].strip(): line.replace('|', ' ').split()[1:] for line in out.splitlines() if '|' in line}
    assert out.splitlines()[1].split('|')[2:5] == [' toy_source_only ', ' toy student ', ' toy teacher ']
    assert lines['road'] == ['70.00', '69.00', '70.50*']
    assert lines['car'] == ['10.00', '22.00*', '-']
    assert lines['mIoU'] == ['40.00', '45.50', '47.25*']
    assert lines['iterations'] == ['20', '30', '30']
    assert list(lines)[-2:] == ['mIoU', 'iterations']
    assert out.splitlines()[-1] == str(tmp_path / 'report.html')


def test_one_column_has_no_best(tmp_path, capsys):
    assert main([str(write_run(tmp_path / 'run', [PLAIN]))]) == 0
    assert '*' not in capsys.readouterr().out
    assert (tmp_path / 'run/report.html').is_file()


def test_mean_over_seeds(tmp_path, capsys):
    runs = [write_run(tmp_path / str(seed), [PLAIN | {'mIoU': 40.0 + 2 * seed}]) for seed in (0, 1)]
    for seed, run in enumerate(runs):
        write_config(run, seed)
    main([str(run) for run in runs])
    assert 'mIoU 41.00 ± 1.41 over 2 seeds' in capsys.readouterr().out


@pytest.mark.parametrize(('entries', 'reason'), [(None, 'holds no run'), ([TRAIN], 'No validation yet')])
def test_a_run_with_nothing_to_tabulate_is_a_sentence(tmp_path, capsys, entries, reason):
    run, good = tmp_path / 'run', write_run(tmp_path / 'good', [PLAIN])
    run.mkdir()
    if entries:
        write_run(run, entries)
    assert main([str(run), str(good)]) == 1
    captured = capsys.readouterr()
    assert f'run: {reason}' in captured.err.replace(str(tmp_path) + '/', '').replace('run: run', 'run:')
    assert '40.00' in captured.out
    assert reason in (tmp_path / 'report.html').read_text()


def test_no_folder_at_all(tmp_path, capsys):
    assert main([str(tmp_path / 'typo')]) == 1
    assert 'there is no folder' in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_page_that_cannot_be_written_is_a_sentence(tmp_path, capsys):
    (tmp_path / 'file').touch()
    assert main([str(write_run(tmp_path / 'run', [PLAIN])), '--out', str(tmp_path / 'file/report.html')]) == 1
    assert '--out' in capsys.readouterr().err
