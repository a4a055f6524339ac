import re
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image
from run_folders import ADAPTED, PLAIN, TRAIN, write_config, write_panel, write_run

from mmdass.report import read_runs, write_page
from mmdass.report.plot import Line, Plot
from mmdass.report.validation import MeasuredImage, write_validation

HOSTILE = '<script>alert("x")</script>&'
META = dict(classes=('road', HOSTILE), palette=[[128, 64, 128], [0, 0, 142]])
VOID = ('meta', 'img', 'br', 'line', 'circle', 'polyline', 'polygon')


class _Page(HTMLParser):
    """Elements with their attributes; fails on one that is closed by another's end."""

    def __init__(self, text):
        super().__init__()
        self.elements, self._open, self.text = [], [], text
        self.feed(text)
        assert self._open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture
def full_run(tmp_path):
    """A run with everything, and with markup wherever a user writes a name."""
    run = write_run(tmp_path / f'run {HOSTILE.replace("/", "")}', [TRAIN, PLAIN, TRAIN | {'step': 30}, ADAPTED | {
        f'student/IoU.{HOSTILE}': 3.0, f'pseudo/share.{HOSTILE}': 1.0}])
    write_config(run, 0, name=HOSTILE)
    for step in (10, 20, 30):
        for name in ('target/image', 'target/palette', 'target/pseudo_label'):
            write_panel(run, 'train_0', step, name, colour=step)
        write_panel(run, 'val_0_0', step, 'val/ground_truth')
    pictures = {'val/image': np.zeros((8, 16, 3), np.uint8)}
    images = [MeasuredImage(f'{HOSTILE}/{i}.png', dict(student=np.array([[3, 1], [0, 0]])), float(i), pictures)
              for i in range(4)]
    data = next(run.glob('*/vis_data'))
    write_validation(data, images, META, 30, num_examples=1)
    (data / 'environment.json').write_text('{"GPU 0": "<b>H200</b>"}')
    return run


def _write(runs, tmp_path):
    path = tmp_path / 'page.html'
    write_page(runs, path)
    return _Page(path.read_text())


def test_the_page_asks_nothing_of_any_server_and_runs_nothing(full_run, tmp_path):
    page = _write([full_run], tmp_path)
    assert not page.all('script') and not page.all('link') and not page.all('iframe')
    assert all(image['src'].startswith('data:image/webp;base64,') for image in page.all('img')) and page.all('img')
    assert not re.findall(r'(?:https?:)?//[a-z]|@import|url\(', page.text.replace('</', ''))
    assert page.all('meta')[1]['content'].startswith("default-src 'none'")


def test_what_users_name_is_escaped(full_run, tmp_path):
    page = _write([full_run, tmp_path / HOSTILE], tmp_path)
    assert not page.all('script') and not page.all('b')
    assert '&lt;script&gt;' in page.text


def test_it_can_be_read_by_those_who_do_not_see_it(full_run, tmp_path):
    page = _write([full_run], tmp_path)
    assert all(image['alt'] for image in page.all('img'))
    assert all(header['scope'] in ('row', 'col') for header in page.all('th'))
    assert len(page.all('caption')) == len(page.all('table')) > 4
    plots = [svg for svg in page.all('svg') if svg.get('role') == 'img']
    assert 'student ends at 45.5; teacher ends at 47.25' in plots[0]['aria-label']
    assert page.all('html')[0]['lang'] == 'en'


def test_scores_confusions_and_figures_are_on_it(full_run, tmp_path):
    text = _write([full_run], tmp_path).text
    assert '>45.50</td>' in text and '>47.25</td>' in text
    assert '>75</td>' in text and '>25</td>' in text  # shares of the confusions; the other class has no pixel
    assert '<td title="no pixel">–</td>' in text
    for part in ('t = 40, 25 % confident', 'Best images', '3.0 %', 'Worst images', '0.0 %', 'GPU 0', 'iteration 30'):
        assert part in text


def test_runs_side_by_side(full_run, tmp_path):
    other = write_run(tmp_path / 'depth', [TRAIN | {'pseudo/timestep': 0.0}, PLAIN])
    for name in ('target/image', 'target/palette', 'target/pseudo_label'):
        write_panel(other, 'train_0', 20, name, colour=99)
    write_panel(other, 'val_0_0', 20, 'val/ground_truth')
    text = _write([full_run, other], tmp_path).text
    comparison = text.split('<section')[0]
    for part in ('Pseudo-labels over iterations and timesteps', 't = 0, 25 % confident',
                 'Regression against classification', 'Predictions and ground truth', 'depth'):
        assert part in comparison


@pytest.mark.parametrize('damage', ['empty', 'torn', 'text', 'gone'])
def test_a_damaged_picture_is_said_to_be_so(full_run, tmp_path, damage, monkeypatch):
    path = next(full_run.glob('*/vis_data/panels/train_0/30/target/image.png'))
    whole = path.read_bytes()
    path.write_bytes({'empty': b'', 'torn': whole[:40], 'text': b'hello', 'gone': whole}[damage])
    if damage == 'gone':  # after it was found
        path.unlink()
        path.symlink_to(tmp_path / 'nowhere')
    assert 'damaged picture' in _write([full_run], tmp_path).text


def test_runs_without_anything_still_make_a_page(tmp_path):
    (tmp_path / 'empty').mkdir()
    page = _write([tmp_path / 'empty', tmp_path / 'typo'], tmp_path)
    assert 'holds no run' in page.text and 'There is no folder' in page.text


def test_a_plot_leaves_out_what_is_not_finite_and_fits_the_rest():
    plot = Plot('loss', [Line('a', [(0, 1.0), (50, float('nan')), (100, 3.0)]), Line('b', [(100, float('inf'))])])
    assert [line.name for line in plot.lines] == ['a']
    (x0, y0), (x1, y1) = (tuple(map(float, point.split(','))) for point in plot.path(plot.lines[0]).split())
    assert x0 == plot.left and x1 == plot.right and y0 > y1 > 0
    assert {label for _, label in plot.x_ticks} >= {'0', '100'}


@pytest.mark.parametrize('value', [0.0, 5.0, -1e-9])
def test_a_constant_is_a_level_line(value):
    plot = Plot('t', [Line('a', [(1, value), (2, value)], [0.0, 0.0])])
    assert len({point.split(',')[1] for point in plot.band(plot.lines[0]).split()}) == 1


def test_names_of_runs_in_one_folder_and_of_one_run(tmp_path):
    assert [run.name for run in read_runs([tmp_path / 'a'])] == ['a']


def test_it_shows_what_each_stage_of_ptl_translated(tmp_path):
    run = write_run(tmp_path / 'run', [PLAIN])
    for stage in (10, 2, 1):
        sheet = run / f'stage_{stage}/contact_sheet.png'
        sheet.parent.mkdir()
        Image.fromarray(np.zeros((8, 16, 3), np.uint8)).save(sheet)
    (run / 'stage_2/contact_sheet.png').write_bytes(b'torn')
    page = _write([run], tmp_path)
    alts = [image['alt'] for image in page.all('img') if image.get('class') == 'sheet']
    assert [alt.split('what ')[1] for alt in alts] == ['stage 1 made of them', 'stage 10 made of them']
    assert 'damaged picture' in page.text
