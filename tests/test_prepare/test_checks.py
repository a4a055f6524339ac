"""DELIVER and FMB: checked, nothing written but the journal."""

import numpy as np
import pytest
import trees

from mmdass.cli import main
from mmdass.prepare.journal import FOLDER


@pytest.fixture(params=['deliver', 'fmb'])
def data_set(request, tmp_path) -> tuple[str, object]:
    root = getattr(trees, request.param)(tmp_path)
    # the trees of the training tests hold labels of the test split only
    for image in [*root.glob('depth/*/train/*/*.png'), *root.glob('train/Infrared/*.png')]:
        name = image.relative_to(root).as_posix().replace('depth', 'semantic').replace('Infrared', 'Label')
        trees.write_png(root / name, np.ones((64, 64) if request.param == 'deliver' else (60, 80), np.uint8))
    return request.param, root


def prepare(*argv) -> int:
    return main(['prepare', *map(str, argv), '--workers', '1'])


def files(root) -> set:
    return {path for path in root.rglob('*') if path.is_file() and FOLDER not in path.parts}


def test_checked_once_and_nothing_is_written(data_set, capsys):
    name, root = data_set
    before = files(root)
    assert prepare(name, root) == 0
    assert prepare(name, root) == 0
    count = dict(deliver=20, fmb=3)[name]
    assert f'{name}: 0 done, {count} done before, 0 failed.' in capsys.readouterr().out
    assert files(root) == before


def test_wrong_files_are_named(data_set, capsys):
    name, root = data_set
    labels = sorted([*root.glob('semantic/*/*/*/*.png'), *root.glob('*/Label/*.png')])
    trees.write_png(labels[0], np.full((64, 64) if name == 'deliver' else (60, 80), 77, np.uint8))
    trees.write_png(labels[1], np.ones((5, 6), np.uint8))
    labels[2].unlink()
    assert prepare(name, root) == 1
    errors = capsys.readouterr().err
    assert '3 failed' in errors
    assert f'{labels[0]} holds the ids 77' in errors
    assert 'expected 6 x 5' in errors
    assert f'{labels[2]} does not exist' in errors


def test_label_without_image(data_set, capsys):
    name, root = data_set
    image = sorted([*root.glob('depth/*/*/*/*.png'), *root.glob('*/Infrared/*.png')])[0]
    image.unlink()
    assert prepare(name, root) == 1
    assert f'{image} does not exist' in capsys.readouterr().err


def test_a_changed_label_is_checked_again(data_set, capsys):
    name, root = data_set
    assert prepare(name, root) == 0
    label = next(iter([*root.glob('semantic/*/*/*/*.png'), *root.glob('*/Label/*.png')]))
    label.write_bytes(label.read_bytes()[:60])
    assert prepare(name, root) == 1
    assert str(label) in capsys.readouterr().err
