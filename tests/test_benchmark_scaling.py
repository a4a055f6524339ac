"""docs/scaling.md: its tables are what the stored counts give, and the arithmetic holds at its ends."""

import json
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope='module')
def scaling():
    return runpy.run_path(str(ROOT / 'benchmarks/scaling.py'))


def test_page_agrees_with_the_stored_counts(scaling):
    counts = json.loads(scaling['RESULT'].read_text())
    page = scaling['PAGE'].read_text()
    assert len(scaling['BLOCK'].findall(page)) == 4
    assert scaling['fill'](page, counts) == page, 'run `python benchmarks/scaling.py`'


def test_counts_are_those_of_the_models(scaling):
    counts = json.loads(scaling['RESULT'].read_text())
    assert counts['SD 1.x, full']['trained'] == 865_808_715  # as tests/test_models/test_parameter_counts.py has it
    assert counts['SD 1.x, LoRA 16']['trained'] == 3_188_736 + scaling['HEADS']
    assert counts['SDXL, full']['trained'] == 2_567_463_684 - scaling['TAIL'] + scaling['HEADS']


def test_arithmetic(scaling):
    trained = 10**9
    assert scaling['sent'](trained, 1) == {'DDP, ZeRO': 0, 'FSDP': 0}
    assert scaling['sent'](trained, 8)['DDP, ZeRO'] == pytest.approx(7.0)
    one, eight = (scaling['memory'](trained, 0, gpus) for gpus in (1, 8))
    assert one == dict.fromkeys(one, 16.0)
    assert eight == {'DDP': 20.0, 'DDP, ZeRO-1': 13.0, 'DeepSpeed ZeRO-2': 5.5, 'FSDP': 2.0}
    assert scaling['samples_per_second'](0.1, trained, 1) == 10
    assert 0 < scaling['samples_per_second'](0.01, trained, 8) < 800  # communication that cannot be hidden costs
