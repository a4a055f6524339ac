"""The tables in the documentation are what the stored results say."""

import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture
def tables():
    return runpy.run_path(str(ROOT / 'benchmarks/tables.py'))


def test_pages_agree_with_the_stored_results(tables):
    pages = [page.read_text() for page in tables['PAGES']]
    named = [name for page in pages for _, name, _ in tables['BLOCK'].findall(page)]
    assert sorted(named) == sorted(tables['TABLES'])
    for page in pages:
        assert tables['fill'](page) == page, 'run `python benchmarks/tables.py`'


def test_a_changed_number_is_noticed(tables):
    page = tables['PAGES'][0].read_text()
    spread = next(line for line in page.splitlines() if line.startswith('|') and '±' in line)
    assert tables['fill'](page.replace(spread, spread.replace('±', '+'))) == page
