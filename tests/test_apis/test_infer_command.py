"""`mmdass infer`: what is in the folder, how it is continued, what is refused, and how much memory it takes."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import mmcv
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from PIL import Image

from mmdass.apis import DASegInferencer
from mmdass.apis.infer_command import main
from mmdass.apis.inference_folder import InferenceFolder
from mmdass.registry import MODELS

ROOT = Path(__file__).parents[2]
META = dict(classes=('dark', 'light'), palette=[[0, 0, 0], [255, 0, 0]])


@pytest.fixture
def model(tiny_config, tiny_config_file, tmp_path) -> list[str]:
    """Config and checkpoint of a tiny FCN whose predictions differ from pixel to pixel."""
    init_default_scope('mmdass')
    built = MODELS.build(tiny_config.model)
    torch.nn.init.normal_(built.decode_head.conv_seg.weight)
    torch.save(dict(state_dict=built.state_dict(), meta=dict(dataset_meta=META)), tmp_path / 'tiny.pth')
    return [str(tiny_config_file), str(tmp_path / 'tiny.pth')]


@pytest.fixture
def images(tmp_path):
    """Three images in two folders."""
    for index, (name, size) in enumerate((('a', (24, 40)), ('sub/b', (24, 40)), ('sub/c', (30, 20)))):
        write_image(tmp_path / f'in/{name}.png', size, index)
    return tmp_path / 'in'


def write_image(path, size=(16, 24), seed=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.random.default_rng(seed).integers(0, 255, (*size, 3), np.uint8))


def infer(model, source, out, *options) -> int:
    return main([*model, str(source), '--out', str(out), '--workers', '0', *map(str, options)])


def journal(out) -> list[dict]:
    return [json.loads(line) for line in (out / 'inference.jsonl').read_text().splitlines() if line]


def test_the_folder_holds_labels_colours_overlays_confidence_and_logits(model, images, tmp_path, capsys):
    out = tmp_path / 'out'
    assert infer(model, images, out, '--logits', '--batch-size', 2) == 0
    assert 'out: 3 images, 0 of them from before.' in capsys.readouterr().out
    segment = DASegInferencer(*model, device='cpu')
    for name in ('a', 'sub/b', 'sub/c'):
        expected = segment(str(images / f'{name}.png'), return_datasamples=True)
        label = np.asarray(Image.open(out / f'label/{name}.png'))
        assert np.array_equal(label, expected.pred_sem_seg.data[0])
        assert np.array_equal(np.asarray(Image.open(out / f'colour/{name}.png')), np.array(META['palette'])[label])
        confidence = np.asarray(Image.open(out / f'confidence/{name}.png')) / 255
        assert np.abs(confidence - expected.pred_confidence.data[0].numpy()).max() <= 0.5 / 255 + 1e-6
        logits = np.load(out / f'logits/{name}.npy')
        assert logits.dtype == np.float16
        np.testing.assert_allclose(logits, expected.seg_logits.data, rtol=1e-2, atol=1e-2)
        picture, overlay = cv2.imread(str(images / f'{name}.png')), Image.open(out / f'overlay/{name}.jpg')
        assert overlay.height > len(picture) and overlay.width >= picture.shape[1]


def test_a_second_run_makes_what_is_missing_cut_off_or_changed(model, images, tmp_path, capsys):
    out = tmp_path / 'out'
    infer(model, images, out)
    made = {path: path.stat().st_mtime_ns for path in out.rglob('*.png')}
    (out / 'label/a.png').unlink()
    os.truncate(out / 'overlay/sub/b.jpg', 50)
    (out / 'label/sub/.c.png.1.partial').write_bytes(b'what a kill left')
    with (out / 'inference.jsonl').open('a') as file:
        file.write('{"name": "torn')
    assert infer(model, images, out) == 0
    assert '3 images, 1 of them from before' in capsys.readouterr().out
    again = {path.relative_to(out).as_posix() for path, time_ in made.items() if path.stat().st_mtime_ns != time_}
    assert again == {f'{kind}/{name}.png' for kind in ('label', 'colour', 'confidence') for name in ('a', 'sub/b')}
    assert [entry['name'] for entry in journal(out)] == ['a', 'sub/b', 'sub/c']
    write_image(images / 'sub/c.png', seed=9)
    assert infer(model, images, out) == 0
    assert Image.open(out / 'label/sub/c.png').size == (24, 16)
    assert not list(out.rglob('*.partial'))


def test_broken_files_are_listed_and_the_others_are_done(model, images, tmp_path, capsys):
    (images / 'empty.png').write_bytes(b'')
    (images / 'text.png').write_text('no image')
    assert infer(model, images, tmp_path / 'out') == 1
    captured = capsys.readouterr()
    assert '2 of 5 images failed' in captured.err
    assert 'empty.png (0 bytes)' in captured.err and 'text.png (8 bytes)' in captured.err
    assert '3 images, 0 of them from before' in captured.out
    write_image(images / 'empty.png')
    (images / 'text.png').unlink()
    assert infer(model, images, tmp_path / 'out') == 0


def test_another_checkpoint_option_or_input_is_not_mixed_in(model, images, tmp_path, capsys):
    out = tmp_path / 'out'
    infer(model, images, out)
    checkpoint = torch.load(model[1])
    checkpoint['state_dict']['decode_head.conv_seg.bias'] += 1e-6
    torch.save(checkpoint, tmp_path / 'other.pth')
    before = (out / 'inference.jsonl').read_text()
    for arguments, what in (
            ([[model[0], str(tmp_path / 'other.pth')], images, out], 'weights was'),
            ([model, images, out, '--window', 16], 'window was null, is now'),
            ([model, images / 'sub', out], 'input was')):
        assert infer(*arguments) == 1
        assert what in capsys.readouterr().err
    assert (out / 'inference.jsonl').read_text() == before
    assert infer(model, images, out, '--batch-size', 3) == 0  # changes no prediction


def test_what_cannot_begin_is_one_sentence(model, images, tmp_path, capsys):
    for arguments, what in (
            ([model, tmp_path / 'absent', tmp_path / 'out'], 'absent'),
            ([[model[0], 'absent.pth'], images, tmp_path / 'out'], 'no checkpoint absent.pth'),
            ([['absent.py', model[1]], images, tmp_path / 'out'], 'absent.py')):
        assert infer(*arguments) == 1
        error = capsys.readouterr().err
        assert error.startswith('mmdass infer: ') and what in error
    assert not (tmp_path / 'out').exists()


def test_a_video_becomes_frames_and_a_video_of_overlays(model, tmp_path):
    writer = cv2.VideoWriter(str(tmp_path / 'clip.avi'), cv2.VideoWriter_fourcc(*'MJPG'), 5, (32, 16))
    for index in range(4):
        writer.write(np.full((16, 32, 3), 60 * index, np.uint8))
    writer.release()
    assert infer(model, tmp_path / 'clip.avi', tmp_path / 'out') == 0
    assert sorted(path.name for path in (tmp_path / 'out/label/clip').iterdir()) == [f'00000{i}.png' for i in range(4)]
    video = mmcv.VideoReader(str(tmp_path / 'out/overlay/clip.mp4'))
    assert (len(video), video.fps) == (4, 5)


def test_interrupted_and_run_again_every_good_file_is_there_once(model, tmp_path, monkeypatch, capsys):
    for index in range(20):
        write_image(tmp_path / f'in/{index:03d}.png', seed=index)
    (tmp_path / 'in/007.png').write_bytes(b'broken')
    add = InferenceFolder.add

    def interrupted(folder, source, writers):
        if source.name == '011':
            raise KeyboardInterrupt
        add(folder, source, writers)

    monkeypatch.setattr(InferenceFolder, 'add', interrupted)
    assert infer(model, tmp_path / 'in', tmp_path / 'out') == 130
    assert 'Run it again to continue' in capsys.readouterr().err
    monkeypatch.setattr(InferenceFolder, 'add', add)
    assert infer(model, tmp_path / 'in', tmp_path / 'out') == 1
    assert '19 images, 10 of them from before' in capsys.readouterr().out
    assert [entry['name'] for entry in journal(tmp_path / 'out')] == [f'{i:03d}' for i in range(20) if i != 7]


@pytest.mark.slow
def test_two_hundred_files_five_of_them_broken_and_two_kills(model, tmp_path):
    broken = {3, 50, 51, 120, 199}
    for index in range(200):
        write_image(tmp_path / f'in/{index % 7}/{index:03d}.png', seed=index)
        if index in broken:
            os.truncate(tmp_path / f'in/{index % 7}/{index:03d}.png', index)
    out = tmp_path / 'out'
    command = [sys.executable, '-m', 'mmdass', 'infer', *model, str(tmp_path / 'in'), '--out', str(out)]
    for goal in (20, 90):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while len(list(out.rglob('label/*/*.png'))) < goal and process.poll() is None:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
    finished = subprocess.run(command, capture_output=True, text=True)
    assert finished.returncode == 1
    assert '5 of 200 images failed' in finished.stderr
    assert all(f'{index:03d}.png (' in finished.stderr for index in broken)
    names = [entry['name'] for entry in journal(out)]
    assert len(names) == len(set(names)) == 195
    for kind, suffix in (('label', 'png'), ('colour', 'png'), ('overlay', 'jpg'), ('confidence', 'png')):
        found = {path.relative_to(out / kind).with_suffix('').as_posix() for path in (out / kind).rglob(f'*.{suffix}')}
        assert found == set(names)
    for name in names:
        Image.open(out / f'label/{name}.png').load()
    assert not list(out.rglob('*.partial'))


@pytest.mark.slow
def test_a_4096_x_8192_image_runs_within_4_gb_with_the_toy_model(tmp_path):
    """The toy MADM of configs/madm, with random weights: memory does not depend on them."""
    config = ROOT / 'configs/madm/toy_event.py'
    init_default_scope('mmdass')
    torch.save(dict(state_dict=MODELS.build(Config.fromfile(config).model).state_dict()), tmp_path / 'toy.pth')
    rows, columns = np.indices((4096, 8192)) // 64
    cv2.imwrite(str(tmp_path / 'large.png'), ((rows * 7 + columns * 13) % 256).astype(np.uint8))
    code = ('import resource, sys; from mmdass.cli import main; status = main(sys.argv[1:]); '
            'print("peak", max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, '
            'resource.RUSAGE_CHILDREN))); sys.exit(status)')
    command = [sys.executable, '-c', code, 'infer', str(config), str(tmp_path / 'toy.pth'), str(tmp_path / 'large.png'),
               '--out', str(tmp_path / 'out'), '--window', '512', '--overlap', '64', '--workers', '0']
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert Image.open(tmp_path / 'out/label/large.png').size == (8192, 4096)
    assert int(result.stdout.rpartition('peak ')[2]) * 1024 < 4e9
