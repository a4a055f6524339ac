"""The verb `mmdass translate`."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from translation import build_source, contents, copy_task, read_rgb, write_source, write_task
from trees import noise, write_png

from mmdass.apis import read_manifest, translate_command
from mmdass.apis.translate_command import _parser, _read_config
from mmdass.cli import main
from mmdass.models.translators.profiles import PROFILES


@pytest.fixture(scope='module')
def shared_task(tmp_path_factory) -> Path:
    return write_task(tmp_path_factory.mktemp('task') / 'task')


@pytest.fixture
def task(shared_task, tmp_path) -> Path:
    """The config of a task of four images, with a fresh folder around it."""
    return copy_task(shared_task, tmp_path / 'task')


@pytest.fixture
def out(tmp_path) -> Path:
    return tmp_path / 'out'


def weights(task: Path) -> list[str]:
    return ['--denoiser', str(task.parent / 'denoiser.pth'), '--segmentor', str(task.parent / 'segmentor.pth')]


def translate(task: Path, out: Path, *argv, given: list[str] | None = None) -> int:
    given = weights(task) if given is None else given
    return main(['translate', str(task), '--out', str(out), '--workers', '0', *given, *map(str, argv)])


def test_the_source_set_of_the_config(task, out, capsys):
    assert translate(task, out) == 0
    printed = capsys.readouterr().out
    assert '4 images translated, 4 guided by their labels' in printed
    assert json.loads((out / 'report.json').read_text()) == dict(images=4, unguided=[])
    sheet = read_rgb(out / 'contact_sheet.png')
    assert sheet.ndim == 3 and sheet.shape[1] > 3 * 320
    header = json.loads((out / 'manifest.json').read_text())
    assert header['recipe']['source']['data_root'] == str(task.parent / 'source')


@pytest.mark.parametrize(('image_end', 'label_end'), [
    ('.png', '.png'), ('.jpg', '_labelTrainIds.png'), ('_leftImg8bit.png', '_gtFine_labelTrainIds.png')])
def test_folders_given(task, out, tmp_path, image_end, label_end):
    """Labels are found beside images of the published names; below ``--out`` images keep their relative names."""
    source = write_source(tmp_path / 'own', images=2)
    for index in range(2):
        for kind, end in (('image', image_end), ('label', label_end)):
            path = source / f'{kind}s/city/{index}{end}'
            path.parent.mkdir(parents=True, exist_ok=True)
            (source / f'{kind}/0{index}.png').rename(path)
    assert translate(task, out, '--source', source / 'images', '--labels', source / 'labels') == 0
    stem = image_end.partition('.')[0]
    assert [entry.id for entry in read_manifest(out)] == [f'city/0{stem}', f'city/1{stem}']
    assert np.array_equal(read_rgb(out / f'label/city/0{stem}.png'), read_rgb(source / f'labels/city/0{label_end}'))


def test_judge_target_and_dropping(task, out, tmp_path, capsys):
    for index in range(5):
        write_png(tmp_path / f'target/{index}.jpg', noise(40, 70, 3, seed=index))
    size = ['--cfg-options', 'source_dataset.pipeline.2.scale=(48,32)', 'model.data_preprocessor.size=(32,48)']
    judge = ['--judge', task, task.parent / 'segmentor.pth']
    assert translate(task, out, *judge, '--target', tmp_path / 'target', *size) == 0
    report = json.loads((out / 'report.json').read_text())
    images = report['consistency']['images']
    assert len(images) == 4 and list(images.values()) == sorted(images.values())
    assert report['distance']['images'] == [4, 5] and report['distance']['kernel_distance']['mean'] > 0
    printed = capsys.readouterr().out
    assert 'Label consistency' in printed and 'class 4' in printed and 'Distance from the target' in printed

    limit = float(np.median(list(images.values())))
    assert translate(task, out, *judge, '--drop-below', limit, *size) == 0
    dropped = [id_ for id_, iou in images.items() if iou < limit]
    assert len(dropped) == 2 and json.loads((out / 'report.json').read_text())['dropped'] == dropped
    assert '2 images left out of images.txt' in capsys.readouterr().out
    assert len(read_manifest(out)) == 4
    data = build_source(out, images='images.txt', labels=('^image/', 'label/'))
    kept = {Path(data.get_data_info(index)['img_path']).stem for index in range(len(data))}
    assert kept == {Path(id_).name for id_ in images} - {Path(id_).name for id_ in dropped}


def test_shards_by_hand_and_by_torchrun(task, out, tmp_path, capsys, monkeypatch):
    assert translate(task, out) == 0
    assert translate(task, tmp_path / 'hand', '--shard', '1/2') == 0
    assert 'Shard 1/2 is done. The one that finishes last writes' in capsys.readouterr().out
    assert not (tmp_path / 'hand/report.json').exists()
    assert translate(task, tmp_path / 'hand', '--shard', '0/2') == 0
    assert contents(tmp_path / 'hand') == contents(out)
    monkeypatch.setenv('RANK', '1')
    monkeypatch.setenv('WORLD_SIZE', '2')
    assert translate(task, tmp_path / 'torchrun') == 0
    journal, = (tmp_path / 'torchrun/.translate').glob('*.jsonl')
    assert journal.name == '1-of-2.jsonl' and journal.read_text().count('"check"') == 2


def test_a_rank_of_torchrun_fails_after_the_others_are_done(task, out, tmp_path, monkeypatch):
    """torchrun ends the others as soon as one fails."""
    path = task.parent / 'source/image/00.png'
    path.write_bytes(path.read_bytes()[:40])
    monkeypatch.setenv('RANK', '0')
    monkeypatch.setenv('WORLD_SIZE', '2')
    waited = []

    def other_rank_works(seconds: float) -> None:
        waited.append(seconds)
        assert translate(task, out, '--shard', '1/2') == 0

    monkeypatch.setattr(translate_command.time, 'sleep', other_rank_works)
    assert translate(task, out) == 1
    assert len(waited) == 1 and len(read_manifest(out)) == 3


def test_a_part_first(task, out):
    assert translate(task, out, '--limit', 2) == 0
    assert len(read_manifest(out)) == 2
    assert translate(task, out, '--batch-size', 3) == 0
    assert len(read_manifest(out)) == 4


def test_a_broken_image_is_listed_and_fails(task, out, capsys):
    path = task.parent / 'source/image/02.png'
    path.write_bytes(path.read_bytes()[:40])
    assert translate(task, out) == 1
    captured = capsys.readouterr()
    assert '1 of 4 images could not be translated' in captured.err and str(path) in captured.err
    assert '3 images translated' in captured.out and (out / 'contact_sheet.png').exists()


def test_another_translation_is_refused(task, out, capsys):
    assert translate(task, out) == 0
    assert translate(task, out, '--cfg-options', 'translator.start=19') == 1
    assert 'recipe.start was 20, is now 19' in capsys.readouterr().err


def test_an_interrupt_says_that_it_continues(task, out, capsys, monkeypatch):
    def interrupt(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(translate_command, 'translate_dataset', interrupt)
    assert translate(task, out) == 130
    assert 'Run it again to continue' in capsys.readouterr().err


def test_untrained_networks_are_refused(task, out, capsys):
    denoiser, segmentor = weights(task)[:2], weights(task)[2:]
    assert translate(task, out, given=segmentor) == 1
    assert 'names no weights of its denoiser. Train one (configs/sgg_ptl/denoiser_*.py)' in capsys.readouterr().err
    assert translate(task, out, given=denoiser) == 1
    assert 'as --segmentor, or translate without guidance' in capsys.readouterr().err
    assert translate(task, out, '--cfg-options', 'translator.sgg_hooks=[]', given=denoiser) == 0
    assert '4 images translated, 0 guided' in capsys.readouterr().out


def test_weights_of_another_model_are_refused(task, out, capsys):
    assert translate(task, out, given=['--denoiser', weights(task)[3], *weights(task)[2:]]) == 1
    assert "segmentor.pth does not fit the config's denoiser" in capsys.readouterr().err
    assert translate(task, out, given=[*weights(task)[:2], '--segmentor', weights(task)[1]]) == 1
    assert 'denoiser.pth does not fit the model of' in capsys.readouterr().err
    assert not out.exists()


def test_a_checkpoint_that_would_run_code_is_not_run(task, out, tmp_path, capsys):
    class Evil:
        def __reduce__(self):
            return (Path.touch, (tmp_path / 'executed',))

    torch.save(dict(state_dict=Evil()), tmp_path / 'evil.pth')
    assert translate(task, out, given=[*weights(task)[:2], '--segmentor', str(tmp_path / 'evil.pth')]) == 1
    assert 'refused, and nothing in it was executed' in capsys.readouterr().err
    assert not (tmp_path / 'executed').exists()


@pytest.mark.parametrize(('argv', 'message'), [
    (['--shard', '4/4'], '4/4 is no shard: write 0/4, 1/4'),
    (['--limit', '0'], '0 is not positive'),
    (['--source', 'somewhere'], '--source and --labels go together'),
    (['--drop-below', '30'], '--drop-below needs --judge'),
])
def test_arguments_that_make_no_sense(task, out, capsys, argv, message):
    with pytest.raises(SystemExit):
        translate(task, out, *argv)
    assert message in capsys.readouterr().err


def test_folders_that_do_not_fit(task, out, tmp_path, capsys):
    source = task.parent / 'source'
    (tmp_path / 'empty').mkdir()
    assert translate(task, out, '--source', tmp_path / 'empty', '--labels', source / 'label') == 1
    assert f'{tmp_path}/empty has no images' in capsys.readouterr().err
    assert translate(task, out, '--source', source / 'image', '--labels', tmp_path / 'empty') == 1
    assert 'has no label for 00.png' in capsys.readouterr().err
    task.write_text(f"{task.read_text()}\nsource_dataset = dict(type='ToyStreetDataset')\n")
    assert translate(task, out, '--source', source / 'image', '--labels', source / 'label') == 1
    assert 'is a ToyStreetDataset, which reads no folder' in capsys.readouterr().err
    assert not out.exists()


def read_config(task: Path, *argv):
    return _read_config(_parser().parse_args([str(task), '--out', 'out', *argv]))


def test_a_profile_is_over_the_config_and_options_are_over_the_profile(task):
    translator = read_config(task, '--profile', 'fast', '--cfg-options', 'translator.start=33').translator
    assert (translator.start, translator.num_steps) == (33, PROFILES['fast']['num_steps'])
    lcg, gsg = translator.sgg_hooks
    assert (lcg.scale, gsg.scale) == (7.0, 8.0)  # calibrated to the data
    assert lcg.guide_on == 'x0_detached' and lcg.num_classes == 6
    assert all('scale' not in hook for hook in PROFILES['fast']['sgg_hooks'])


def test_a_config_that_translates_nothing(tmp_path, capsys):
    (tmp_path / 'other.py').write_text('model = dict()')
    assert main(['translate', str(tmp_path / 'other.py'), '--out', str(tmp_path / 'out')]) == 1
    assert 'other.py has no translator, source_dataset. Take a config of configs/sgg_ptl' in capsys.readouterr().err
