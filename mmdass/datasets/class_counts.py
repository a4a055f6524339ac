"""Pixel counts per class id of label files: scanned once, cached by content, shared by all ranks."""

import hashlib
import json
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from mmengine.dist import broadcast_object_list, is_main_process
from mmengine.logging import print_log
from mmengine.utils import track_iter_progress

from mmdass.checkpoints.saver import replace_atomically

from .transforms.labels import read_label


def count_label_ids(
    paths: Sequence[str], channel: int | None = None, cache_dir: str | None = None, threads: int = 8,
    statistics: str | None = None,
) -> np.ndarray:
    """Count the pixels of every id in every label file.

    Rank 0 scans (with a progress bar) or reads the cache, the other ranks get its result. The cache file is named after
    the names, sizes and modification times of the label files, so a changed file is scanned again.

    Args:
        paths: Label files.
        channel: Channel of multi-channel files that holds the ids.
        statistics: A ``sample_class_stats.json`` or ``samples_with_class.json`` of DAFormer's converters to take the
            counts from; nothing is scanned then.
        cache_dir: Folder of the cache, the user's cache folder (``$XDG_CACHE_HOME/mmdass``) if None.
        threads: Files decoded at a time (Pillow decodes outside the GIL).

    Returns:
        (files, 256) int64: pixels of each id, 255 included (which DAFormer's files leave out).

    Raises:
        ValueError: ``statistics`` does not have one of the files.
    """
    if statistics is not None:
        shared = [_look_up(paths, statistics)]
    else:
        shared = [_load_or_scan(paths, channel, cache_dir, threads) if is_main_process() else None]
        broadcast_object_list(shared)
    counts = np.zeros((len(paths), 256), np.int64)
    for row, ids in zip(counts, shared[0], strict=True):
        row[[int(key) for key in ids]] = list(ids.values())
    return counts


def _load_or_scan(
    paths: Sequence[str], channel: int | None, cache_dir: str | None, threads: int
) -> list[dict[str, int]]:
    cache = _cache_folder(cache_dir) / f'class_counts_{_content_key(paths, channel)}.json'
    try:
        return json.loads(cache.read_text())
    except (OSError, ValueError):  # none yet, or not for us
        pass

    print_log(f'Counting class pixels of {len(paths)} label files, once; cached in {cache}.', logger='current')
    with ThreadPoolExecutor(threads) as pool:
        histograms = pool.map(lambda path: read_label(path, channel).histogram(), paths)
        counts = [
            {str(label_id): count for label_id, count in enumerate(histogram) if count}
            for histogram in track_iter_progress((histograms, len(paths)))
        ]
    try:
        with replace_atomically(cache) as partial:
            partial.write_text(json.dumps(counts))
    except OSError as error:
        print_log(f'Class counts cannot be cached ({error}); set `cache_dir` to a writable folder.', logger='current')
    return counts


def _look_up(paths: Sequence[str], statistics: str) -> list[dict[str, int]]:
    """Counts from DAFormer's json, whose label files are known by their names alone: their folders are another's."""
    try:
        known = _parse_statistics(json.loads(Path(statistics).read_text(encoding='utf-8')))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ValueError(f'{statistics} is no sample_class_stats.json or samples_with_class.json of DAFormer: {error}. '
                         'Leave `statistics` out: the files are then counted, once.') from error
    missing = [path for path in paths if Path(path).name not in known]
    if missing:
        raise ValueError(f'{statistics} has no counts of {len(missing)} of {len(paths)} label files, such as '
                         f'{missing[0]}. Leave `statistics` out: the files are then counted, once.')
    return [known[Path(path).name] for path in paths]


def _parse_statistics(content: list | dict) -> dict[str, dict[str, int]]:
    """Name of a label file to its pixels by id."""
    known: dict[str, dict[str, int]] = {}
    if isinstance(content, dict):  # samples_with_class: class to [file, pixels]
        for label_id, files in content.items():
            for file, pixels in files:
                known.setdefault(Path(file).name, {})[label_id] = pixels
    else:  # sample_class_stats: {class: pixels, ..., 'file': file}
        known = {Path(entry['file']).name: {key: n for key, n in entry.items() if key != 'file'} for entry in content}
    for ids in known.values():
        for label_id, pixels in ids.items():
            if not (0 <= int(label_id) < 256 and isinstance(pixels, int) and 0 <= pixels < 2**48):
                raise ValueError(f'class {label_id!r} with {pixels!r} pixels')
    return known


def _cache_folder(cache_dir: str | None) -> Path:
    if cache_dir is not None:
        return Path(cache_dir)
    return Path(os.environ.get('XDG_CACHE_HOME', Path.home() / '.cache')) / 'mmdass'


def _content_key(paths: Sequence[str], channel: int | None) -> str:
    digest = hashlib.sha256(f'channel {channel}'.encode())
    for path in paths:
        stat = os.stat(path)
        digest.update(f'{path}|{stat.st_size}|{stat.st_mtime_ns}\n'.encode())
    return digest.hexdigest()[:16]
