import json

from mmdass.benchmarks import result
from mmdass.benchmarks.result import write_result

ENVIRONMENT = dict(gpu=None, processor='Intel(R) Xeon(R) @ 2.80GHz', threads=2, date='2026-01-31')


def test_a_folder_is_ordered_by_hardware_and_date(tmp_path, monkeypatch):
    monkeypatch.setattr(result, 'environment', lambda: ENVIRONMENT)
    write_result(str(tmp_path), 'step', ['a config.py', '--steps', '3'], dict(seconds=1))
    assert json.loads((tmp_path / 'intel_r_xeon_r_2.80ghz_2_threads/2026-01-31_step.json').read_text()) == dict(
        benchmark='step', command="mmdass benchmark step 'a config.py' --steps 3", environment=ENVIRONMENT,
        figures=dict(seconds=1))
    monkeypatch.setattr(result, 'environment', lambda: ENVIRONMENT | dict(gpu='NVIDIA H200'))
    write_result(str(tmp_path), 'step', [], {})
    assert (tmp_path / 'nvidia_h200/2026-01-31_step.json').is_file()


def test_a_file_is_a_file_and_none_is_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_result('a.json', 'data', [], dict(b=2))
    write_result(None, 'data', [], dict(b=2))
    assert [path.name for path in tmp_path.iterdir()] == ['a.json']
    found = json.loads((tmp_path / 'a.json').read_text())
    assert found['environment']['processor'] and found['environment']['threads'] >= 1
