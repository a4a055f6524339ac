"""The demo page in a real browser: pictures are dropped, sliders moved, and hostile files survived."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from demo_models import write_madm, write_plain, write_translator
from hostile_uploads import write_hostile
from PIL import Image

from mmdass.datasets.toy import ToyStreet

pytestmark = pytest.mark.slow
pytest.importorskip('gradio', reason="the page needs Gradio: pip install 'mmdass[demo]'")
sync_api = pytest.importorskip('playwright.sync_api', reason='it drives the browser: pip install playwright')
CHROMIUM = shutil.which('chromium')
if CHROMIUM is None:
    pytest.skip('there is no browser: apt-get install chromium', allow_module_level=True)

FLAGS = ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking',
         '--disable-component-update', '--disable-sync']
PATIENCE = 120_000  # milliseconds; a busy machine is not a failure
DROP = """([selector, name, bytes]) => {
    const data = new DataTransfer();
    data.items.add(new File([new Uint8Array(bytes)], name));
    const area = document.querySelector(selector + ' button');
    for (const kind of ['dragenter', 'dragover', 'drop'])
        area.dispatchEvent(new DragEvent(kind, {dataTransfer: data, bubbles: true, cancelable: true}));
}"""


@pytest.fixture(scope='module')
def address(tmp_path_factory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp('demo')
    (_, guide), models = write_plain(folder), (write_madm(folder), write_plain(folder))
    arguments = [word for model in models for word in ('--model', *model)]
    server = subprocess.Popen(
        [sys.executable, '-m', 'mmdass', 'demo', *arguments, '--translator', write_translator(folder),
         '--segmentor', guide], cwd=folder, stdout=subprocess.PIPE, text=True,
        env=dict(os.environ, OMP_NUM_THREADS='1', PYTHONPATH=str(Path(__file__).parents[2])))
    found = next((match[0] for line in server.stdout if (match := re.search(r'http://\S+', line))), None)
    assert found and found.startswith('http://127.0.0.1:'), 'the page did not start'
    try:
        yield found
    finally:
        server.terminate()
        server.wait()


@pytest.fixture
def page(address) -> Iterator:
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(viewport=dict(width=1280, height=900))
        page.set_default_timeout(PATIENCE)
        requests: list[str] = []
        page.on('request', lambda request: requests.append(request.url))
        page.goto(address)
        yield page
        browser.close()
    assert not [url for url in requests if not url.startswith((address, 'data:', 'blob:'))]  # nothing from elsewhere


def picture(page, name: str) -> str:
    return page.locator(f'#{name} img').get_attribute('src')


def await_change(page, name: str, before: str) -> None:
    sync_api.expect(page.locator(f'#{name} img')).not_to_have_attribute('src', before, timeout=PATIENCE)


def move(page, slider: str, value: int) -> None:
    page.locator(f'#{slider} input[type=number]').fill(str(value))
    page.locator(f'#{slider} input[type=number]').press('Enter')


def drop(page, area: str, path: Path) -> None:
    page.evaluate(DROP, [f'#{area}', path.name, list(path.read_bytes())])


def test_a_dropped_picture_is_segmented_and_noise_changes_it(page, tmp_path):
    page.get_by_text('Mean confidence').wait_for()
    scene = picture(page, 'picture')
    Image.fromarray(ToyStreet(seed=5).scene(1).event_image()).save(tmp_path / 'street.png')
    drop(page, 'segment-upload', tmp_path / 'street.png')
    await_change(page, 'picture', scene)
    before = picture(page, 'prediction'), picture(page, 'decoded-lplr')
    move(page, 'timestep', 500)
    page.get_by_text('the noise of timestep 500 changed').wait_for()
    for name, old in zip(('prediction', 'decoded-lplr'), before, strict=True):
        await_change(page, name, old)


def test_a_model_and_a_modality_are_chosen(page):
    page.get_by_text('Mean confidence').wait_for()
    events = picture(page, 'picture')
    page.locator('#modality').get_by_text('depth').click()
    await_change(page, 'picture', events)
    page.locator('#model input').click()
    page.get_by_role('option', name='plain.pth').click()
    sync_api.expect(page.locator('#timestep input[type=number]')).to_be_disabled(timeout=PATIENCE)
    sync_api.expect(page.locator('#decoded-lplr img')).to_have_count(0, timeout=PATIENCE)


def test_a_translation_is_walked_through(page):
    page.get_by_role('tab', name='Translate').click()
    page.locator('#translate').click()
    page.get_by_text('guided by the label').wait_for()
    page.get_by_text('Timestep 99').wait_for()
    first = picture(page, 'state')
    move(page, 'step', 3)
    page.get_by_text('Timestep 0').wait_for()
    await_change(page, 'state', first)


def test_a_hostile_file_is_not_translated_either(page, tmp_path):
    page.get_by_role('tab', name='Translate').click()
    path, word = write_hostile(tmp_path)['bomb']
    drop(page, 'translate-upload', path)
    page.locator('#translate-upload').get_by_text('bomb').wait_for()
    page.locator('#translate').click()
    page.locator('#translate-status').get_by_text(word).wait_for()


@pytest.mark.parametrize('kind', ['empty', 'text', 'bomb', 'svg', 'half', 'large'])
def test_a_hostile_file_becomes_a_sentence_and_the_page_lives_on(kind, page, tmp_path):
    page.get_by_text('Mean confidence').wait_for()
    path, word = write_hostile(tmp_path)[kind]
    drop(page, 'segment-upload', path)
    page.locator('#segment-status').get_by_text(word).wait_for()
    assert str(tmp_path) not in page.content() and 'mmdass_demo_' not in page.locator('#segment-status').inner_text()
    page.locator('#segment-upload').get_by_label('Clear').click()
    page.get_by_text('Mean confidence').wait_for()


def test_too_large_a_file_is_refused_while_it_arrives(page, tmp_path):
    page.get_by_text('Mean confidence').wait_for()
    (tmp_path / 'huge.png').write_bytes(bytes(21 * 2**20))
    page.locator('#segment-upload input[type=file]').set_input_files(tmp_path / 'huge.png')
    page.get_by_text('exceed').first.wait_for()
    move(page, 'scene', 7)
    page.get_by_text('Mean confidence').wait_for()
