"""The tables in the documentation are what the stored results say."""

import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture
def tables():
    return runpy.run_path(str(ROOT / 'benchmarks/tables.py'))


def test_page_agrees_with_the_stored_results(tables):
    page = tables['PAGE'].read_text()
    blocks = tables['BLOCK'].findall(page)
    assert {name for _, name, _ in blocks} == set(tables['TABLES'])
    assert tables['fill'](page) == page, 'run `python benchmarks/tables.py`'


def test_a_changed_number_is_noticed(tables):
    page = tables['PAGE'].read_text()
    spread = next(line for line in page.splitlines() if line.startswith('|') and '±' in line)
    assert tables['fill'](page.replace(spread, spread.replace('±', '+'))) == page
