"""One OpenMMLab family: a sentence for none, for both, and for halves."""

import importlib.metadata

import pytest

from mmdass.family import check_family

ONEDL = {'onedl-mmengine', 'onedl-mmcv', 'onedl-mmsegmentation'}
CLASSIC = {'mmengine', 'mmcv-lite', 'mmsegmentation'}


@pytest.fixture
def installed(monkeypatch):
    names = set()

    def version(name: str) -> str:
        if name not in names:
            raise importlib.metadata.PackageNotFoundError(name)
        return '1.0'

    monkeypatch.setattr(importlib.metadata, 'version', version)
    return names


@pytest.mark.parametrize('family', [ONEDL, CLASSIC, {'mmengine', 'mmcv', 'mmsegmentation'}])
def test_one_family_passes(installed, family):
    installed |= family
    check_family()


def test_neither_names_both_extras(installed):
    with pytest.raises(ImportError, match=r"no mmengine, mmcv, mmseg: pip install 'mmdass\[onedl\]'.*\[openmmlab\]"):
        check_family()


def test_part_of_a_family_names_the_missing_part(installed):
    installed |= {'mmengine', 'mmcv'}
    with pytest.raises(ImportError, match='finds no mmseg: pip install'):
        check_family()


def test_both_families_are_all_uninstalled(installed):
    installed |= ONEDL | CLASSIC
    with pytest.raises(ImportError) as caught:
        check_family()
    message = str(caught.value)
    assert 'onedl-mmcv and mmcv-lite' in message
    assert "&& pip install 'mmdass[onedl]'" in message
    command = message.partition('pip uninstall -y ')[2].partition(' &&')[0]
    assert set(command.split()) == ONEDL | CLASSIC


def test_one_doubled_package_is_enough(installed):
    installed |= CLASSIC | {'onedl-mmengine'}
    with pytest.raises(ImportError, match='onedl-mmengine and mmengine'):
        check_family()
