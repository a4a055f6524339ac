"""Fuzzing: whatever a damaged file leads to, it is read, or refused with a sentence that names it."""

from pathlib import Path

import pytest
from damage import damaged, read_or_refuse
from entries import ENTRIES, Entry
from hypothesis import HealthCheck, given, settings

NAMES = {'manifest': 'manifest.jsonl', 'manifest head': 'manifest.json'}


def fuzz(entry: Entry, folder: Path, examples: int, **options) -> None:
    whole = folder / 'whole'
    whole.mkdir()
    files = entry.files(whole)
    path = folder / NAMES.get(entry.name, f'damaged{entry.suffix}')

    @settings(max_examples=examples, database=None, suppress_health_check=list(HealthCheck), **options)
    @given(content=damaged(files))
    def check(content: bytes) -> None:
        path.write_bytes(content)
        read_or_refuse(entry.read, path)

    check()


@pytest.mark.parametrize('entry', ENTRIES, ids=lambda entry: entry.name)
def test_a_damaged_file_is_read_or_refused(entry, tmp_path):
    fuzz(entry, tmp_path, examples=40)


@pytest.mark.slow
@pytest.mark.parametrize('entry', ENTRIES, ids=lambda entry: entry.name)
def test_thousands_of_damaged_files_are_read_or_refused(entry, tmp_path):
    fuzz(entry, tmp_path, examples=1500)
