"""Files that are whole but hold something else than their reader expects."""

import io
import json
import os
import pickle
import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from damage import read_or_refuse, time_limit
from entries import ENTRIES, npy, npz
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from mmdass.checkpoints.convert import FAMILIES
from mmdass.checkpoints.convert import main as convert
from mmdass.datasets import LabelSpace, ModalityDataset
from mmdass.utils.config import load_config
from mmdass.utils.names import names_below


def png_of(width: int, height: int) -> bytes:
    """A PNG whose header is in order, and whose pixels are missing."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))

    header = struct.pack('>IIBBBBB', width, height, 8, 0, 0, 0, 0)
    return b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', header) + chunk(b'IDAT', zlib.compress(b'\0')) + chunk(b'IEND', b'')


def npy_of(descr: str, shape: tuple[int, ...]) -> bytes:
    """An NPY header without its data."""
    header = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b'\x93NUMPY\x01\x00' + struct.pack('<H', len(header)) + header


def lying_npz(size: int) -> bytes:
    """An archive whose arrays' headers declare more than it holds."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, 'w') as archive:
        for name in 'txyp':
            archive.writestr(f'{name}.npy', npy_of('<i8', (size,)) + bytes(80))
    return file.getvalue()


def object_npy() -> bytes:
    file = io.BytesIO()
    np.save(file, np.array([Malicious()], object), allow_pickle=True)
    return file.getvalue()


class Malicious:
    """Leaves a trace in the working folder when it is unpickled."""

    def __reduce__(self) -> tuple:
        return os.mkdir, ('executed',)


YAML_BOMB = 'a0: &a0 [x, x, x, x, x, x, x, x, x]\n' + ''.join(
    f'a{i}: &a{i} [{", ".join([f"*a{i - 1}"] * 9)}]\n' for i in range(1, 12)
)
FLOATS = np.full((4, 6), np.nan, np.float32)
REFUSED = {
    'image': [b'', png_of(100_000, 100_000), png_of(2**31 - 1, 2**31 - 1), png_of(0, 5)],
    'label': [png_of(100_000, 100_000)],
    'depth': [png_of(100_000, 100_000)],
    'depth array': [
        npy_of('<f4', (10**6, 10**6)),
        npy_of('<f8', (2**62, 4)),
        npy_of('|O', (2, 2)),
        object_npy(),
        npy(FLOATS),
        npy(FLOATS.astype(complex)),
        npy(np.zeros((2, 3, 4))),
        npy(np.array('text')),
    ],
    'infrared array': [npy(FLOATS), npy(np.full((4, 6), np.inf)), npy(np.zeros((4, 6), 'M8[s]')), object_npy()],
    'events as arrays': [
        npy(FLOATS),
        object_npy(),
        lying_npz(2**31),
        lying_npz(2**60),
        *npz(**dict.fromkeys('txyp', np.zeros(3, np.int64)), height=10**6, width=10**6),
        *npz(**dict.fromkeys('txyp', np.zeros(3, np.int64)), height=-5, width=-7),
    ],
    'events as text': [
        b'',
        b'nan 1 1 1\n',
        b'1 -1 1 1\n',
        b'2 1 1 1\n1 1 1 1\n',
        b'1 1 1 7\n',
        b'9' * 400 + b' 1 1 1\n',
    ],
    'time stamps': [b'nan\n', b'1.5\n', b'9' * 30],
    'class counts': [
        b'[' * 10**5,
        b'{"0": [["x.png", -1]]}',
        b'{"300": [["x.png", 1]]}',
        b'[{"0": NaN, "file": "x.png"}]',
        b'[1]',
        b'7',
        b'null',
        b'[{"0": 1e999, "file": "x.png"}]',
    ],
    'checkpoint': [
        pickle.dumps(Malicious()),
        pickle.dumps(dict(state_dict=Malicious())),
        pickle.dumps([1]),
        b'\x80\x05.',
        b'cos\nsystem\n(S"mkdir executed"\ntR.',
        b'c__builtin__\neval\n(S"1"\ntR.',
        b'(lp0\n' * 10**4,
    ],
    'safetensors': [
        b'\xff' * 8 + b'{}',
        struct.pack('<Q', 60) + b'{"a":{"dtype":"F32","shape":[99999999999],"data_offsets":[0,4]}}',
    ],
    'manifest': [b'[]\n', b'"text"\n', b'{"id": "../../up", "check": "0"}\n', b'[' * 10**5 + b'\n', b'{"failed": 1'],
    'config in JSON': [b'[1]', b'"text"', b'[' * 10**5],
    'config in YAML': [
        YAML_BOMB.encode(),
        b'a: &a [*a]\n',
        b'!!python/object/apply:os.mkdir ["executed"]\n',
        b'a: !!python/name:os.system\n',
        b'[' * 1000,
        b'- a\n- b\n',
    ],
}


@pytest.mark.parametrize(
    ('name', 'content'), [(name, content) for name, contents in REFUSED.items() for content in contents]
)
def test_is_refused_by_name_at_once_and_nothing_in_it_runs(name, content, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    entry = next(entry for entry in ENTRIES if entry.name == name)
    path = tmp_path / ('manifest.jsonl' if name == 'manifest' else f'hostile{entry.suffix}')
    path.write_bytes(content)
    assert read_or_refuse(entry.read, path)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


KEYS = (
    st.sampled_from(
        [
            'state_dict',
            'model',
            'meta',
            'cfg',
            'dataset_meta',
            'classes',
            'CLASSES',
            'decode_head.conv_seg.weight',
            'segmentor.backbone.conv.weight',
            'teacher.averaged.neck.a.weight',
            'sem_seg_head.predict.weight',
            'input_blocks.0.0.weight',
            'model.backbone.patch_embed1.proj.weight',
            'ema_model.decode_head.conv_seg.bias',
            '../../up',
        ]
    )
    | st.integers()
    | st.text(max_size=3)
)
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=5),
    st.binary(max_size=5),
    st.lists(st.integers(0, 3), max_size=4).map(torch.zeros),
    st.just(torch.tensor([float('nan')])),
    st.just(torch.ones(2, 3, dtype=torch.int8)),
)
CONTENTS = st.dictionaries(
    KEYS, st.recursive(LEAVES, lambda inner: st.dictionaries(KEYS, inner, max_size=4) | st.lists(inner))
)


def check_convert(folder: Path, examples: int, **options) -> None:
    (folder / 'out').mkdir()
    source = folder / 'in.pth'

    @settings(max_examples=examples, database=None, suppress_health_check=list(HealthCheck), **options)
    @given(
        content=CONTENTS, arguments=st.sampled_from([*(('--from', family) for family in FAMILIES), ('--to', 'mmseg')])
    )
    def check(content: dict, arguments: tuple[str, str]) -> None:
        torch.save(content, source)
        with time_limit():
            assert convert([*arguments, str(source), str(folder / 'out/out.pth')]) in (0, 1)

    check()
    assert sorted(path.name for path in folder.iterdir()) == ['in.pth', 'out']


def test_convert_refuses_checkpoints_of_other_kinds_in_a_sentence(tmp_path):
    check_convert(tmp_path, 60)


@pytest.mark.slow
def test_convert_refuses_thousands_of_them(tmp_path):
    check_convert(tmp_path, 1000)


VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
)


@settings(max_examples=200)
@given(
    space=st.dictionaries(
        st.sampled_from(['classes', 'palette', 'first_id', 'void_ids', 'other']), VALUES
    )
)
def test_a_label_space_is_whole_or_refused(space):
    try:
        made = LabelSpace.get(space)
    except ValueError as error:
        assert str(error)
    else:
        assert len(made.palette) == len(made.classes) and made.describe_ids()


@given(
    names=st.lists(
        st.text(st.characters(exclude_characters='\0', exclude_categories=['Cs']), min_size=1, max_size=8)
        | st.sampled_from(['../up', '../../etc/passwd', '/etc/passwd', 'a\nb', 'a/../../b', 'toy://../x']),
        min_size=1,
        max_size=5,
        unique=True,
    )
)
@example(names=['/'])
def test_names_of_outputs_stay_below_their_folder_and_on_their_line(names):
    for name in names_below('/data/root', names):
        assert Path(os.path.normpath(f'/out/{name}')).is_relative_to('/out')
        assert len(name.splitlines()) <= 1


def test_a_list_file_is_read_as_text(tmp_path):
    (tmp_path / 'list.txt').write_bytes(b'\xff\xfe a.png\n')
    with pytest.raises(ValueError, match='list.txt'):
        ModalityDataset(str(tmp_path), 'list.txt', 'cityscapes19')


def test_json_and_yaml_configs_mean_the_same(tmp_path):
    content = dict(model=dict(type='MADM', sizes=[1, 2.5, None]), number='1e3')
    (tmp_path / 'a.json').write_text(json.dumps(content))
    (tmp_path / 'a.yaml').write_text(yaml.safe_dump(content))
    assert load_config(tmp_path / 'a.json').to_dict() == load_config(tmp_path / 'a.yaml').to_dict() == content
