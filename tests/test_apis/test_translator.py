"""A translated folder: what is in it, that it is continued exactly, and what is refused."""

import errno
import fcntl
import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_translator import CLASSES, both_hooks, make_segmentor, make_translator
from translation import build_source, contents, journals, read_rgb, write_source
from trees import noise, write_png

from mmdass.apis import (
    TranslationError,
    read_manifest,
    recipe_hash,
    translate_dataset,
    translation_manifest,
    translation_recipe,
)
from mmdass.apis.translation_manifest import FailedImagesError
from mmdass.apis.translator import exact_hash, image_ids
from mmdass.registry import DATASETS


@pytest.fixture(scope='module')
def translator():
    return make_translator(both_hooks(), num_steps=2, dtype='float32')


@pytest.fixture
def source(tmp_path):
    return build_source(write_source(tmp_path / 'source', images=5))


@pytest.fixture
def out(tmp_path) -> Path:
    return tmp_path / 'out'


@pytest.fixture
def calls(translator, monkeypatch) -> list[str]:
    """Ids that were translated, in order."""
    seen, translate = [], translator.translate
    monkeypatch.setattr(
        translator, 'translate', lambda images, labels, ids, **kwargs: (
            seen.extend(ids), translate(images, labels, ids, **kwargs))[1])
    return seen


def run(translator, source, out: Path, **options) -> Path:
    return translate_dataset(translator, source, out, 'hash', **options)


def test_what_a_folder_holds(translator, source, out):
    manifest = run(translator, source, out, stage=2, start=200)
    assert manifest == out / 'manifest.jsonl'
    entries = read_manifest(out)
    assert [entry.id for entry in entries] == [f'image/0{index}' for index in range(5)]
    assert all((entry.stage, entry.start, entry.seed, entry.guided) == (2, 200, 0, True) for entry in entries)
    assert all(set(entry.losses) == {'lcg', 'gsg'} for entry in entries)
    lines = [json.loads(line) for line in manifest.read_text().splitlines()]
    assert lines[0]['image'] == 'image/image/00.png' and lines[0]['label'] == 'label/image/00.png'
    header = json.loads((out / 'manifest.json').read_text())
    assert (header['config_hash'], header['stage'], header['start']) == ('hash', 2, 200)
    assert not journals(out)


def test_colours_and_labels_are_the_sources(source, out):
    """One step of noise leaves an image as good as it was, if channels are not exchanged on the way."""
    run(make_translator(start=1, dtype='float32'), source, out)
    for index in range(5):
        before, after = (read_rgb(path / f'image/0{index}.png') for path in (Path(source.data_root), out / 'image'))
        assert np.abs(before.astype(int) - after).max() < 16
        assert before[..., 0].mean() > before[..., 2].mean() + 100
        label = read_rgb(out / f'label/image/0{index}.png')
        np.testing.assert_array_equal(label, read_rgb(Path(source.data_root, f'label/0{index}.png')), strict=True)


def test_the_folder_is_a_source_set_with_one_line(translator, source, out):
    run(translator, source, out)
    data = build_source(out, images='images.txt', labels=('^image/', 'label/'))
    assert len(data) == 5
    for index, sample in enumerate(data[index] for index in range(5)):
        picture = read_rgb(out / f'image/image/0{index}.png')
        assert np.array_equal(sample['inputs'].flip(0).permute(1, 2, 0).numpy(), picture)
        label = sample['data_samples'].gt_sem_seg.data
        assert torch.equal(label, source[index]['data_samples'].gt_sem_seg.data)


def test_nothing_is_done_twice(translator, source, out, calls):
    run(translator, source, out)
    before = contents(out)
    times = [path.stat().st_mtime_ns for path in sorted(out.rglob('*.png'))]
    del calls[:]
    run(translator, source, out)
    assert calls == [] and contents(out) == before
    assert [path.stat().st_mtime_ns for path in sorted(out.rglob('*.png'))] == times


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-path.stat().st_size // 2])


@pytest.mark.parametrize('harm', [truncate, Path.unlink, lambda path: write_png(path, noise(12, 20, 3))])
@pytest.mark.parametrize('kind', ['image', 'label'])
def test_a_file_that_is_not_as_written_is_made_again(translator, source, out, calls, harm: Callable, kind: str):
    run(translator, source, out)
    before = contents(out)
    del calls[:]
    harm(out / kind / 'image/03.png')
    run(translator, source, out)
    assert calls == ['image/03'] and contents(out) == before


def test_a_batch_stays_a_batch(translator, source, out, calls):
    """What remains of it is translated with the others again, to the same last bit."""
    run(translator, source, out, batch_size=2)
    before = contents(out)
    del calls[:]
    (out / 'image/image/02.png').unlink()
    kept = (out / 'image/image/03.png').stat().st_mtime_ns
    run(translator, source, out, batch_size=2)
    assert calls == ['image/02', 'image/03'] and contents(out) == before
    assert (out / 'image/image/03.png').stat().st_mtime_ns == kept


@pytest.mark.parametrize('batch_size', [1, 2])
def test_shards_in_any_order_make_what_one_makes(translator, source, out, tmp_path, batch_size):
    run(translator, source, out, batch_size=batch_size)
    for name, order in (('forth', (0, 1, 2)), ('back', (2, 1, 0))):
        for number in order:
            assert not (tmp_path / name / 'manifest.jsonl').exists()
            run(translator, source, tmp_path / name, batch_size=batch_size, shard=(number, 3))
        assert contents(tmp_path / name) == contents(out)
        assert not journals(tmp_path / name)
    run(translator, source, tmp_path / 'back', shard=(1, 3))  # merging once more changes nothing
    assert contents(tmp_path / 'back') == contents(out)


def test_a_run_goes_on_with_another_number_of_shards(translator, source, out, tmp_path, calls):
    run(translator, source, out)
    del calls[:]
    run(translator, source, tmp_path / 'other', shard=(0, 2))
    run(translator, source, tmp_path / 'other')
    assert len(calls) == 5 and contents(tmp_path / 'other') == contents(out)
    assert not journals(tmp_path / 'other')


def test_some_images_first_and_then_all(translator, source, out, tmp_path):
    run(translator, source, out)
    run(translator, source, tmp_path / 'other', indices=[3, 1])
    assert [entry.id for entry in read_manifest(tmp_path / 'other')] == ['image/01', 'image/03']
    run(translator, source, tmp_path / 'other', num_workers=1)
    assert contents(tmp_path / 'other') == contents(out)


def test_another_config_is_refused_with_what_differs(translator, source, out):
    recipe = dict(start=600, hooks=[dict(scale=60)])
    translate_dataset(translator, source, out, recipe_hash(recipe), recipe=recipe)
    before = contents(out)
    other = dict(start=600, hooks=[dict(scale=30)])
    with pytest.raises(TranslationError, match='recipe.hooks.0.scale was 60, is now 30. Choose another folder, or del'):
        translate_dataset(translator, source, out, recipe_hash(other), recipe=other)
    with pytest.raises(TranslationError, match='stage was 0, is now 1'):
        translate_dataset(translator, source, out, recipe_hash(recipe), recipe=recipe, stage=1)
    assert contents(out) == before


def test_a_folder_of_others_is_refused(translator, source, out):
    write_png(out / 'image/mine.png', noise(4, 4, 3))
    with pytest.raises(TranslationError, match='holds images but no manifest.json'):
        run(translator, source, out)
    assert [path.name for path in out.rglob('*.png')] == ['mine.png']


def test_broken_sources_are_listed_at_the_end_and_done_when_repaired(translator, source, out, tmp_path):
    run(translator, source, tmp_path / 'whole')
    broken, label = Path(source.data_root, 'image/01.png'), Path(source.data_root, 'label/03.png')
    good = broken.read_bytes(), label.read_bytes()
    truncate(broken)
    write_png(label, noise(8, 8, high=CLASSES))
    with pytest.raises(FailedImagesError) as error:
        run(translator, source, out, shard=(0, 1))
    assert '2 of 5 images could not be translated' in str(error.value)
    assert 'image/01.png' in str(error.value) and 'truncated or corrupt' in str(error.value)
    assert 'image/03.png is 12 x 20' in str(error.value) and 'label/03.png is 8 x 8' in str(error.value)
    assert [entry.id[-2:] for entry in read_manifest(out)] == ['00', '02', '04']
    assert (out / 'images.txt').read_text().splitlines() == [f'image/image/0{index}.png' for index in (0, 2, 4)]
    broken.write_bytes(good[0])
    label.write_bytes(good[1])
    run(translator, source, out)
    assert contents(out) == contents(tmp_path / 'whole') and not journals(out)


def test_a_shard_with_a_broken_image_does_not_keep_the_others_waiting(translator, source, out):
    truncate(Path(source.data_root, 'image/01.png'))
    with pytest.raises(FailedImagesError):
        run(translator, source, out, shard=(1, 2))
    run(translator, source, out, shard=(0, 2))
    assert len(read_manifest(out)) == 4


@pytest.mark.parametrize(('pipeline', 'message'), [
    (['LoadModalityImage'], 'image/00.png has no label'),
    (['LoadModalityImage', 'Resize', 'LoadMappedLabel'],
     r'image/00.png is 6 x 10, .*label/00.png is 12 x 20. Load both before Resize'),
])
def test_pipelines_that_do_not_fit(translator, source, out, pipeline, message):
    steps = [dict(type=name, **dict(scale=(10, 6)) if name == 'Resize' else {}) for name in pipeline]
    source = build_source(source.data_root, pipeline=[*steps, dict(type='PackSegInputs')])
    with pytest.raises(FailedImagesError, match=message):
        run(translator, source, out)


def test_classes_that_the_guide_does_not_know(translator, source, out):
    """A label with one is refused by its file's name; the others are translated."""
    source = build_source(source.data_root, label_space=dict(classes=[f'class {index}' for index in range(9)]))
    write_png(Path(source.data_root, 'label/02.png'), np.full((12, 20), 7, np.uint8))
    with pytest.raises(FailedImagesError, match=r'label/02.png of .*image/02.png has class 7, but .* knows 0 to 4'):
        run(translator, source, out)
    assert len(read_manifest(out)) == 4


def test_guidance_that_is_not_finite_is_noted(source, out):
    translator = make_translator(both_hooks(), num_steps=2, dtype='float32')
    next(translator.guide.parameters()).fill_(float('nan'))
    run(translator, source, out)
    assert [(entry.guided, entry.losses) for entry in read_manifest(out)] == [(False, {})] * 5


def test_images_of_several_sizes_in_a_batch(translator, source, out):
    write_png(Path(source.data_root, 'image/01.png'), noise(8, 8, 3))
    write_png(Path(source.data_root, 'label/01.png'), noise(8, 8, high=CLASSES))
    run(translator, source, out, batch_size=4)
    assert read_rgb(out / 'image/image/01.png').shape == (8, 8, 3)


def test_too_little_memory_is_a_sentence(translator, source, out, monkeypatch):
    def translate(images, *args, **kwargs):
        raise torch.OutOfMemoryError('no memory for 1 GiB')

    with monkeypatch.context() as patch, pytest.raises(TranslationError, match='2 images of 12 x 20 .*no memory for 1'):
        patch.setattr(translator, 'translate', translate)
        run(translator, source, out, batch_size=2)
    assert run(translator, source, out, batch_size=1).exists()


def test_an_image_that_is_never_finite_is_a_failure_and_a_broken_denoiser_an_error(
    translator, source, out, monkeypatch
):
    translate, broken = translator.translate, {'image/02'}

    def fail(images, labels, ids, **kwargs):
        if broken & set(ids):
            raise FloatingPointError(f'{ids} not a number')
        return translate(images, labels, ids, **kwargs)

    monkeypatch.setattr(translator, 'translate', fail)
    with pytest.raises(FailedImagesError, match='1 of 5 .*\n.*02.*not a number'):
        run(translator, source, out, batch_size=2)
    assert len(read_manifest(out)) == 4
    broken |= {f'image/{number:02d}' for number in range(5)}
    with pytest.raises(FloatingPointError):
        run(translator, source, out.with_name('other'), batch_size=2)


def test_a_full_disk_keeps_what_is_done(translator, source, out, tmp_path, monkeypatch):
    write_bytes = Path.write_bytes

    def fill(path: Path, data: bytes) -> int:
        if 'label' in path.parts and '02.png' in path.name:
            write_bytes(path, data[:10])
            raise OSError(errno.ENOSPC, 'No space left on device', str(path))
        return write_bytes(path, data)

    with monkeypatch.context() as patch:
        patch.setattr(Path, 'write_bytes', fill)
        with pytest.raises(TranslationError, match='The disk is full .*02.png.* run the same again: it continues'):
            run(translator, source, out)
    assert not list(out.rglob('*.partial')) and not (out / 'manifest.jsonl').exists()
    run(translator, source, tmp_path / 'whole')
    run(translator, source, out)
    assert contents(out) == contents(tmp_path / 'whole')


def edit(path: Path, line: int, change: Callable[[str], str]) -> None:
    lines = path.read_text().splitlines(keepends=True)
    lines[line] = change(lines[line])
    path.write_text(''.join(lines))


@pytest.mark.parametrize(('change', 'message'), [
    (lambda line: line.replace('"seed": 0', '"seed": 1'), 'line 3, was changed after it was written'),
    (lambda line: re.sub('"check": "[^"]*", ', '', line), 'line 3, was changed'),
    (lambda line: line[:40] + '\n', 'line 3, is no JSON'),
    (lambda line: '[]\n', 'line 3, was changed'),
])
def test_a_manifest_edited_by_hand_is_refused_by_file_and_line(translator, source, out, change, message):
    run(translator, source, out)
    before = contents(out)
    edit(out / 'manifest.jsonl', 2, change)
    with pytest.raises(TranslationError, match=f'{out}/manifest.jsonl, {message}.*delete it to have its image'):
        run(translator, source, out)
    edit(out / 'manifest.jsonl', 2, lambda line: '')
    run(translator, source, out)
    assert contents(out) == before


@pytest.mark.parametrize('text', ['{"config_hash": ', '[]', '{"stage": 0}', ''])
def test_a_damaged_header_is_refused(translator, source, out, text):
    run(translator, source, out)
    (out / 'manifest.json').write_text(text)
    with pytest.raises(TranslationError, match=f'{out}/manifest.json was changed or damaged'):
        run(translator, source, out)
    (out / 'manifest.json').unlink()
    with pytest.raises(TranslationError, match='holds images but no manifest.json'):
        run(translator, source, out)


def test_a_journal_that_a_kill_has_torn(translator, source, out, tmp_path, calls):
    run(translator, source, out, shard=(0, 2))
    journal, = journals(out)
    journal.write_bytes(journal.read_bytes()[:-20])
    for name in ('image/image/.04.png', '.manifest.jsonl', '.images.txt'):
        (out / f'{name}.99.partial').write_bytes(b'half')
    del calls[:]
    run(translator, source, out, shard=(0, 2))
    assert calls == ['image/04']
    run(translator, source, out, shard=(1, 2))
    run(translator, source, tmp_path / 'whole')
    assert contents(out) == contents(tmp_path / 'whole')
    assert not list(out.rglob('*.partial'))


def test_a_second_process_on_a_shard_is_told_to_wait(translator, source, out):
    (out / '.translate').mkdir(parents=True)
    with (out / '.translate/1-of-2.lock').open('w') as lock:
        lock.write('process 123 on elsewhere')
        lock.flush()
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(TranslationError, match='Shard 1/2 of .* is being translated by process 123 on elsewhere'):
            run(translator, source, out, shard=(1, 2))
        run(translator, source, out, shard=(0, 2))
    run(translator, source, out, shard=(1, 2))
    assert len(read_manifest(out)) == 5


def test_the_journal_of_a_process_at_work_stays(translator, source, out):
    """Another, with fewer images to do, finishes meanwhile and merges."""
    run(translator, source, out, shard=(0, 2))
    with (out / '.translate/0-of-2.lock').open('w') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        run(translator, source, out, indices=[0, 1, 2])
        assert [path.name for path in journals(out)] == ['0-of-2.jsonl']
    run(translator, source, out)
    assert not journals(out)


def test_one_process_merges_at_a_time(translator, source, out, monkeypatch):
    """Else the one with fewer images to do could write its manifest over the other's."""
    (out / '.translate').mkdir(parents=True)
    lock = (out / '.translate/merge.lock').open('w')
    fcntl.flock(lock, fcntl.LOCK_EX)
    monkeypatch.setattr(translation_manifest.time, 'sleep', lambda seconds: lock.close())
    run(translator, source, out, indices=[0, 1])
    assert lock.closed  # it was waited for
    assert len(read_manifest(out)) == 2


def test_ids_are_safe_unique_and_stable(tmp_path):
    class Paths:
        data_root = '/data/set'

        def __init__(self, *paths):
            self.paths = paths

        def __len__(self):
            return len(self.paths)

        def get_data_info(self, index):
            return dict(img_path=self.paths[index])

    paths = Paths('/data/set/a/x.png', '/data/set/a/x.jpg', '/data/set/v1.0/y.jpg', '/other/../z.png', 'toy://rgb/3/17')
    assert image_ids(paths) == ['a/x.png', 'a/x.jpg', 'v1.0/y', 'other/z', 'rgb/3/17']
    with pytest.raises(TranslationError, match='occur several times in the source set, for example a/x.h5'):
        image_ids(Paths('/data/set/a/x.h5', '/data/set/a/x.h5', '/data/set/b.h5'))


def test_toy_scenes_are_translated_too(out):
    source = DATASETS.build(dict(
        type='ToyStreetDataset', num_images=2, size=(32, 16), seed=3,
        pipeline=[dict(type='RenderToyScene'), dict(type='PackSegInputs')]))
    run(make_translator(start=5, dtype='float32'), source, out)
    assert [entry.image for entry in read_manifest(out)] == ['image/rgb/3/0.png', 'image/rgb/3/1.png']
    assert not any(entry.guided for entry in read_manifest(out))


def test_the_recipe_changes_with_what_changes_pixels_alone(source):
    def recipe(hooks=None, weights=None, pipeline='Resize', stage=0, start=None, **options):
        translator = make_translator(hooks or both_hooks(), **options)
        if weights == 'denoiser':
            next(translator.denoiser.parameters()).data += 1e-6
        if weights == 'guide':
            translator.guide_with(make_segmentor(mean=[0, 0, 0]))
        cfg = dict(
            translator=dict(denoiser=dict(type='Denoiser', pretrained='somewhere')), model=dict(type='EncoderDecoder'),
            source_dataset=dict(data_root='data', pipeline=[dict(type=pipeline, scale=(2, 1))]))
        return recipe_hash(translation_recipe(translator, cfg, stage, start))

    assert recipe() == recipe() == recipe(hooks=both_hooks(chunk=3))
    changed = [
        recipe(), recipe(hooks=both_hooks(scale=2.)), recipe(hooks=both_hooks(trust_region=.3)), recipe(seed=1),
        recipe(weights='denoiser'), recipe(weights='guide'), recipe(pipeline='RandomResize'), recipe(stage=1),
        recipe(start=200), recipe(num_steps=5), recipe(dtype='float32')]
    assert len(set(changed)) == len(changed)


def test_weights_are_hashed_whatever_their_type():
    module = torch.nn.BatchNorm2d(3)
    before = exact_hash(module)
    module.running_mean += 1
    assert before != exact_hash(module) != exact_hash(module.bfloat16())
