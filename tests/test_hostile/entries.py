"""Every way in which a file from outside comes in, with whole files to damage."""

import io
import json
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from event_files import random_events, write_dsec, write_rectify_map
from PIL import Image
from safetensors.torch import save

from mmdass.apis.translation_manifest import TranslatedImage, open_folder, read_manifest
from mmdass.checkpoints import load_checkpoint_file
from mmdass.datasets import LabelSpace, LoadDepth, LoadEvents, LoadInfrared, LoadMappedLabel, LoadModalityImage
from mmdass.datasets.class_counts import count_label_ids
from mmdass.datasets.event_dataset import _read_timestamps
from mmdass.datasets.events.dsec import read_rectify_map
from mmdass.datasets.label_space import lookup_table
from mmdass.utils.config import load_config

RGB = np.random.default_rng(0).integers(0, 256, (12, 16, 3), np.uint8)
GREY16 = np.random.default_rng(1).integers(1, 2**16, (12, 16), np.uint16)
LABEL = np.random.default_rng(2).integers(0, 19, (12, 16), np.uint8)
WEIGHTS = {'state_dict': {'conv.weight': torch.ones(2, 3)}, 'meta': {'iter': 1}, 'optimizer': {}, 'message_hub': {}}


@dataclass(frozen=True)
class Entry:
    """A reader.

    Attributes:
        name: What it reads.
        read: Function of the file's path.
        suffix: Of that file.
        files: Makes whole files' contents, given an empty folder.
    """

    name: str
    suffix: str
    read: Callable[[Path], object]
    files: Callable[[Path], list[bytes]]


def encoded(array: np.ndarray, *formats: str) -> list[bytes]:
    return [cv2.imencode(f'.{format_}', array)[1].tobytes() for format_ in formats]


def palette_png() -> bytes:
    file = io.BytesIO()
    Image.fromarray(LABEL).convert('P').save(file, 'png')
    return file.getvalue()


def npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def npz(**arrays: np.ndarray) -> list[bytes]:
    result = []
    for save_arrays in (np.savez, np.savez_compressed):
        file = io.BytesIO()
        save_arrays(file, **arrays)
        result.append(file.getvalue())
    return result


def events() -> dict[str, np.ndarray]:
    window = random_events(50)
    return dict(t=window.t, x=window.x, y=window.y, p=window.p, height=np.array(48), width=np.array(64))


def pickles(content: object) -> list[bytes]:
    result = []
    for zipped in (True, False):
        file = io.BytesIO()
        torch.save(content, file, _use_new_zipfile_serialization=zipped)
        result.append(file.getvalue())
    return [*result, pickle.dumps(content, protocol=2)]


def manifest() -> list[bytes]:
    image = TranslatedImage('a/b', '0' * 64, '1' * 64, 1, 1, 3, True, dict(total=0.5))
    return [(image.line() + '\n').encode()]


def read_label(path: Path) -> None:
    space = LabelSpace.get('cityscapes19')
    LoadMappedLabel()(dict(img_path='image.png', seg_map_path=str(path), class_lut=lookup_table(space, space),
                           label_ids=space.describe_ids(), label_channel=None, seg_fields=[]))


def read_translation(path: Path) -> None:
    read_manifest(path.parent)


def continue_translation(path: Path) -> None:
    with open_folder(path.parent, dict(recipe=dict(a=1), config_hash='0')):
        pass


def reader(transform: Callable[[dict], dict]) -> Callable[[Path], None]:
    return lambda path: transform(dict(img_path=str(path)))


ENTRIES = [
    Entry('image', '.png', reader(LoadModalityImage()), lambda _: [
        *encoded(RGB, 'png', 'jpg', 'bmp', 'tiff'), *encoded(GREY16, 'png'), palette_png()]),
    Entry('label', '.png', read_label, lambda _: [*encoded(LABEL, 'png'), palette_png(), *encoded(RGB, 'png')]),
    Entry('depth', '.png', reader(LoadDepth()), lambda _: [*encoded(GREY16, 'png', 'tiff'), *encoded(LABEL, 'png')]),
    Entry('depth array', '.npy', reader(LoadDepth(unit=1)), lambda _: [
        npy(GREY16), npy(GREY16 / 7), npy(GREY16[..., None].astype(np.float16))]),
    Entry('infrared', '.png', reader(LoadInfrared()), lambda _: [*encoded(GREY16, 'png'), *encoded(LABEL, 'jpg')]),
    Entry('infrared array', '.npy', reader(LoadInfrared()), lambda _: [npy(GREY16.astype(np.float32))]),
    Entry('events of DSEC', '.h5', reader(LoadEvents(sensor=(48, 64), count=20)),
          lambda folder: [write_dsec(folder / 'events.h5', random_events(50)).read_bytes()]),
    Entry('rectification map', '.h5', read_rectify_map,
          lambda folder: [write_rectify_map(folder / 'map.h5', np.ones((4, 6, 2))).read_bytes()]),
    Entry('events as text', '.txt', reader(LoadEvents(sensor=(48, 64))),
          lambda _: [b'# t x y p\n' + b''.join(b'%d %d %d %d\n' % (i, i % 64, i % 48, i % 2) for i in range(40))]),
    Entry('events as arrays', '.npz', reader(LoadEvents(sensor=(48, 64))), lambda _: npz(**events())),
    Entry('time stamps', '.txt', lambda path: _read_timestamps(str(path), 'recording.h5'), lambda _: [b'1\n50001\n']),
    Entry('class counts', '.json', lambda path: count_label_ids(['a/x.png'], statistics=str(path)), lambda _: [
        json.dumps([{'0': 7, '3': 9, 'file': 'b/x.png'}]).encode(),
        json.dumps({'0': [['b/x.png', 7]], '3': [['b/x.png', 9]]}).encode()]),
    Entry('checkpoint', '.pth', load_checkpoint_file, lambda _: pickles(WEIGHTS)),
    Entry('safetensors', '.safetensors', load_checkpoint_file, lambda _: [save(WEIGHTS['state_dict'])]),
    Entry('manifest', '.jsonl', read_translation, lambda _: manifest()),
    Entry('manifest head', '.json', continue_translation, lambda _: [b'{"recipe": {"a": 1}, "config_hash": "0"}']),
    Entry('config in JSON', '.json', load_config, lambda _: [
        json.dumps(dict(model=dict(type='MADM', sizes=[1, 2.5, None, True]), _base_=[])).encode()]),
    Entry('config in YAML', '.yaml', load_config, lambda _: [
        b'model:\n  type: MADM\n  sizes: [1, 2.5, null, true]\nbase: &a {x: 1}\nother: *a\n']),
]
