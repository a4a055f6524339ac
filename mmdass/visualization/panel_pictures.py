"""Panels as small pictures, a file each, of which reports make figures."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from torch import Tensor

from .domain_visualizer import CELL_SIDES, colour_panel

BRANCHES = ('source', 'target', 'mix')


def panel_pictures(panels: Mapping[str, Tensor], palette: Sequence[Sequence[int]]) -> dict[str, np.ndarray]:
    """Colour the panels of one sample, at their own size or at that of a cell of :class:`DomainVisualizer`.

    Args:
        panels: As :meth:`DomainVisualizer.draw_panels` takes them.
        palette: One RGB colour in [0, 255] per class.

    Returns:
        The same names to (H, W, 3) uint8, RGB.
    """
    return {name: _shrunk(panel.detach().cpu(), palette) for name, panel in panels.items()}


def _shrunk(panel: Tensor, palette: Sequence[Sequence[int]]) -> np.ndarray:
    height, width = panel.shape[-2:]
    scale = min(1, CELL_SIDES[1] / max(height, width))
    return colour_panel(panel, palette, (round(width * scale), round(height * scale)))


def write_pictures(folder: Path, pictures: Mapping[str, np.ndarray]) -> None:
    """Write each picture to ``<folder>/<name>.png``."""
    for name, picture in pictures.items():
        path = folder / f'{name}.png'
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(path)


def find_pictures(folder: Path) -> dict[str, Path]:
    """The files that :func:`write_pictures` has written into ``folder``, by name; source, target, mix, images first."""
    files = {path.relative_to(folder).with_suffix('').as_posix(): path for path in folder.rglob('*.png')}
    return dict(sorted(files.items(), key=lambda file: _order(file[0])))


def _order(name: str) -> tuple:
    branch = name.split('/')[0]
    return BRANCHES.index(branch) if branch in BRANCHES else len(BRANCHES), not name.endswith('/image'), name
