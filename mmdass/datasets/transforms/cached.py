"""Keep what the first transforms of a pipeline make, since decoding large PNGs takes most of loading."""

import ast
import hashlib
import logging
import os
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from mmcv.transforms import BaseTransform, Compose
from mmengine.logging import print_log

from mmdass.checkpoints.saver import replace_atomically
from mmdass.datasets.events.unpacking import load_npz
from mmdass.registry import TRANSFORMS

_PLAIN = (str, int, float, tuple, type(None))
_OF_THE_DRAW = ('sample_idx', 'rare_class')  # not of the file


@TRANSFORMS.register_module()
class Cached(BaseTransform):
    """Run transforms once a file, then read their results from a folder.

    For loading and resizing, which draw nothing at random; put what does after it. Results are stored as they are, in
    one uncompressed archive with checksums each (2 MB for image and label at 1024 x 512), written atomically. Their
    names are a hash of the paths, sizes and modification times of image and label, of what else the data set says of
    the sample (a recording's frame, the class table), and of the transforms' configs: what changes is made anew, and
    old files may be deleted at any time. A damaged file is made anew too. Where none can be written, nothing is kept.

    Example:
        >>> dict(type='Cached', cache_dir='cache/', transforms=[
        ...     dict(type='LoadModalityImage'), dict(type='LoadMappedLabel'), dict(type='Resize', scale=(1024, 512))])

    Required key: img_path, and what the transforms require. Added keys: what they add.

    Args:
        transforms: Their configs.
        cache_dir: Folder of the files, shared by all workers and runs.
    """

    def __init__(self, transforms: Sequence[dict], cache_dir: str) -> None:
        self.recipe = repr([dict(transform) for transform in transforms])
        self.transforms = Compose([TRANSFORMS.build(dict(transform)) for transform in transforms])
        self.folder = Path(cache_dir)
        self.warned = False

    def transform(self, results: dict) -> dict:
        path = self.folder / f'{self._key(results)}.npz'
        try:
            return {**results, **_read(path)}
        except FileNotFoundError:
            pass
        except (OSError, EOFError, ValueError, KeyError, SyntaxError, zipfile.BadZipFile) as error:
            print_log(f'{path} is damaged ({error}) and made anew.', logger='current')
        made = self.transforms(dict(results, seg_fields=list(results.get('seg_fields', ()))))
        try:
            _write(path, {key: value for key, value in made.items() if key not in results or key == 'seg_fields'})
        except OSError as error:  # a full disk; or the data would be called broken
            self._warn(f'{self.folder} cannot take more, and images are loaded without it: {error}')
        return made

    def _warn(self, message: str) -> None:
        if not self.warned:
            print_log(message, logger='current', level=logging.WARNING)
        self.warned = True

    def _key(self, results: dict) -> str:
        digest = hashlib.sha256(self.recipe.encode())
        said = {key: value for key, value in results.items() if isinstance(value, _PLAIN) and key not in _OF_THE_DRAW}
        digest.update(f'{sorted(said.items())}|{"rare_class" in results}'.encode())
        digest.update(np.asarray(results.get('class_lut', ())).tobytes())
        for key in ('img_path', 'seg_map_path'):
            if results.get(key):
                stat = os.stat(results[key])
                digest.update(f'|{results[key]}|{stat.st_size}|{stat.st_mtime_ns}'.encode())
        return digest.hexdigest()[:32]


def _write(path: Path, made: dict) -> None:
    arrays = {key: value for key, value in made.items() if isinstance(value, np.ndarray)}
    plain = repr({key: _builtin(value) for key, value in made.items() if key not in arrays})
    with replace_atomically(path) as partial, partial.open('wb') as file:
        np.savez(file, _plain=np.array(plain), **arrays)


def _read(path: Path) -> dict:
    """What was written; the archive's checksums are verified in reading."""
    made = load_npz(path)
    return {**ast.literal_eval(str(made.pop('_plain'))), **made}


def _builtin(value):
    """Numbers of NumPy, also within a tuple, as Python's, whose ``repr`` can be read back."""
    if isinstance(value, (tuple, list)):
        return type(value)(map(_builtin, value))
    return value.item() if isinstance(value, np.generic) else value
