"""What to segment: the images that a file, folder, glob, list, video or event recording stands for."""

import os
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from glob import glob, has_magic
from pathlib import Path

import mmcv

from mmdass.utils.names import names_below

IMAGE_SUFFIXES = ('.png', '.jpg', '.jpeg', '.bmp', '.webp', '.tif', '.tiff')
VIDEO_SUFFIXES = ('.mp4', '.avi', '.mov', '.mkv', '.m4v', '.webm')


@dataclass(frozen=True)
class InferenceInput:
    """One image.

    Args:
        path: The file that it is, or is in.
        name: What its outputs are called: a relative path without suffix.
        frame: Number of the frame, from 0, of a video.
        timestamp: End of the window in microseconds, of a recording of events.
    """

    path: str
    name: str
    frame: int | None = None
    timestamp: int | None = None

    def __str__(self) -> str:
        part = '' if self.frame is None else f', frame {self.frame}'
        return self.path + (part if self.timestamp is None else f', the window that ends at {self.timestamp} us')


def list_inputs(
    source: str | Path, suffixes: Sequence[str] = IMAGE_SUFFIXES,
    window_ends: Callable[[str], Sequence[int]] | None = None, without: Path | None = None,
) -> list[InferenceInput]:
    """The images of an input, sorted by path; those of a list file in its order, each once.

    Args:
        source: A file; a folder, of which all files with the suffixes are taken, but hidden ones and what goes with
            recordings (rectification maps, lists of time stamps); a glob ('**' for any depth); a '.txt' file with a
            path a line, relative to its own folder; or a video.
        suffixes: Of the files that can be loaded. '.txt' among them makes lists of those text files that hold no
            events.
        window_ends: From a recording of events to the time stamps of the windows that are an image each; None: a file
            is an image.
        without: A folder to leave out of a folder: that of the outputs.

    Raises:
        FileNotFoundError: There is no such file, or nothing that could be loaded.
        ValueError: Files have the same name for their outputs.
    """
    root, paths = _find_files(str(source), suffixes, without)
    names = names_below(root, paths)
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise ValueError(f'{source}: {len(twice)} outputs would have the name of another, for example {twice[0]}. Give '
                         'their folders one after the other, each with a folder for its outputs.')
    return [each for path, name in zip(paths, names, strict=True) for each in _split(path, name, window_ends)]


def is_video(path: str | Path) -> bool:
    """Whether the name is that of a video."""
    return Path(path).suffix.lower() in VIDEO_SUFFIXES


def _find_files(source: str, suffixes: Sequence[str], without: Path | None) -> tuple[str, list[str]]:
    """The folder that names begin below, and the files."""
    if os.path.isdir(source):
        return source, _files_below(Path(source), suffixes, without)
    if os.path.isfile(source):
        if source.lower().endswith('.txt') and not ('.txt' in suffixes and _holds_events(source)):
            return _read_list(Path(source))
        return os.path.dirname(source), [source]
    if has_magic(source):
        found = sorted(path for path in glob(source, recursive=True) if os.path.isfile(path))
        if found:
            return _fixed_part(source), found
        raise FileNotFoundError(f'No file matches {source}.')
    raise FileNotFoundError(f'There is no file or folder {source}.')


def _files_below(folder: Path, suffixes: Collection[str], without: Path | None) -> list[str]:
    left_out = {os.path.realpath(without)} if without else set()
    found = []
    for parent, folders, files in os.walk(folder, followlinks=True):
        left_out.add(os.path.realpath(parent))  # a link may lead in a circle
        folders[:] = [name for name in folders
                      if not name.startswith('.') and os.path.realpath(os.path.join(parent, name)) not in left_out]
        paths = [os.path.join(parent, name) for name in files
                 if not name.startswith('.') and os.path.splitext(name)[1].lower() in suffixes]
        found += [path for path in paths if not _goes_with_events(path)]
    if not found:
        raise FileNotFoundError(f'{folder} has no file that this config can load ({", ".join(suffixes)}) in it.')
    return sorted(found)


def _read_list(file: Path) -> tuple[str, list[str]]:
    lines = file.read_text(encoding='utf-8', errors='surrogateescape').splitlines()
    # A path is relative to the list, an absolute one stays as it is.
    paths = list(dict.fromkeys(os.path.join(file.parent, line.strip()) for line in lines if line.strip()))
    if not paths:
        raise FileNotFoundError(f'The list {file} names no file.')
    return str(file.parent), paths


def _goes_with_events(path: str) -> bool:
    """Whether a file of a recording's folder is none itself: DSEC's rectification map, or a list of time stamps."""
    name = os.path.basename(path).lower()
    return name == 'rectify_map.h5' or (name.endswith('.txt') and _numbers_a_line(path) == 1)


def _holds_events(path: str) -> bool:
    return _numbers_a_line(path) == 4  # t x y p


def _numbers_a_line(path: str) -> int | None:
    """How many numbers the first line that says something holds; None if it holds others, or cannot be read."""
    try:
        with open(path, errors='replace') as file:
            line = next((line for line in file if line.strip() and not line.startswith('#')), '')
        return len([float(word) for word in line.split()])
    except (OSError, ValueError):
        return None


def _fixed_part(pattern: str) -> str:
    """The folders of a glob before its first wildcard."""
    parts = Path(pattern).parts
    fixed = next(i for i, part in enumerate(parts) if has_magic(part))
    return os.path.join(*parts[:fixed]) if fixed else ''


def _split(path: str, name: str, window_ends: Callable[[str], Sequence[int]] | None) -> list[InferenceInput]:
    """The frames of a video, the windows of a recording; any other file, and one without any, is one image."""
    if is_video(path) and os.path.isfile(path):
        frames = range(mmcv.VideoReader(path).frame_cnt)
        return [InferenceInput(path, f'{name}/{i:06d}', frame=i) for i in frames] or [InferenceInput(path, name)]
    if window_ends is not None:
        return [InferenceInput(path, f'{name}/{i:06d}', timestamp=stop) for i, stop in enumerate(window_ends(path))]
    return [InferenceInput(path, name)]
