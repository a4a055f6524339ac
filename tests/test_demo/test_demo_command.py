"""What `mmdass demo` shows without being told, and what it says when something is missing."""

import sys

import pytest

from mmdass.demo import command
from mmdass.demo.segmentation import DemoSegmentor
from mmdass.demo.translation import DemoTranslator


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(path, text='') -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_it_shows_what_make_demo_left_even_in_a_moved_folder(folder):
    write(folder / 'work_dirs/toy_infrared/last_checkpoint', '/elsewhere/work_dirs/toy_infrared/iter_600.pth')
    first, last = command._models(None).items()
    assert first == ('toy_infrared', ('mmdass::madm/toy_infrared.py', 'work_dirs/toy_infrared/iter_600.pth'))
    assert 'shipped' in last[0]


def test_without_a_training_it_shows_the_shipped_model(folder):
    ((_, model),) = command._models(None).items()
    shown = DemoSegmentor(*model, device='cpu').segment(0, 'event')
    assert (shown.label.numpy() == shown.truth).mean() > 0.5  # the most common class has 37 % of the pixels
    assert shown.palette is not None


def test_the_newest_stage_guides(folder):
    assert command._toy_guide().is_file()  # shipped
    for name in ('stage_1', 'stage_3', 'stage_2'):
        write(folder / f'work_dirs/toy/{name}.pth')
    assert command._toy_guide().name == 'stage_3.pth'


def test_the_shipped_guide_guides():
    translator = DemoTranslator(command._TOY_TRANSLATOR, command._toy_guide())
    free, guided = (translator.walk(0, 100, guided=guided) for guided in (False, True))
    assert guided.guided and not free.guided
    assert 0 < (guided.result - free.result).abs().mean() < 0.1


def test_without_gradio_it_says_what_to_install(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, 'gradio', None)
    assert command.main([]) == 1
    assert "pip install 'mmdass[demo]'" in capsys.readouterr().err


def test_it_answers_this_machine_alone_unless_asked():
    assert command._parser().parse_args([]).host == '127.0.0.1'
