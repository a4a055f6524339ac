"""One labelled picture of what a training iteration or a validation saw and decided."""

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from mmseg.visualization import SegLocalVisualizer
from PIL import Image, ImageDraw
from torch import Tensor

from mmdass.registry import VISUALIZERS

from .legend import INK, LINE, Legend, load_font

MARGIN = 12
CELL_SIDES = (320, 448)  # shortest and longest allowed longer side of a cell
SCALE_BAR = (56, 10)
BACKGROUND = (255, 255, 255)
OUTLINE = (190, 190, 190)
IGNORED_COLOUR = (225, 225, 225)


@VISUALIZERS.register_module()
class DomainVisualizer(SegLocalVisualizer):
    """MMSeg's visualizer with a method that draws panels of several branches as one grid."""

    def draw_panels(
        self,
        panels: dict[str, Tensor],
        classes: Sequence[str] | None = None,
        palette: Sequence[Sequence[int]] | None = None,
    ) -> np.ndarray:
        """Draw one sample: a row per branch, a title above each cell, the classes below.

        Args:
            panels: '<branch>/<name>' to a picture (3, H, W), RGB in [-1, 1]; a label map (H, W), integer, 255 =
                ignored; or a map (H, W), floating, in [0, 1], such as confidences.
            classes: class names; those of ``dataset_meta`` by default.
            palette: one RGB colour in [0, 255] per class; that of ``dataset_meta`` by default.

        Returns:
            (H, W, 3) uint8, RGB.
        """
        classes = self.dataset_meta['classes'] if classes is None else classes
        palette = self.dataset_meta['palette'] if palette is None else palette
        panels = {name: panel.detach().cpu() for name, panel in panels.items()}
        branches = dict.fromkeys(name.split('/')[0] for name in panels)
        rows = [
            sorted((name for name in panels if name.startswith(f'{branch}/')), key=lambda name: _column(name, panels))
            for branch in branches
        ]
        width, height = _cell_size(next(iter(panels.values())))
        columns = max(map(len, rows))
        legend = Legend([*classes, 'ignored'], [*palette, IGNORED_COLOUR], columns * (width + MARGIN) - MARGIN)
        grid_height = MARGIN + len(rows) * (LINE + height + MARGIN)
        canvas = Image.new('RGB', (legend.width + 2 * MARGIN, grid_height + legend.height + MARGIN), BACKGROUND)
        for r, row in enumerate(rows):
            for c, name in enumerate(row):
                x, y = MARGIN + c * (width + MARGIN), MARGIN + r * (LINE + height + MARGIN)
                _draw_cell(canvas, (x, y), (width, height), name, panels[name], palette)
        legend.draw(ImageDraw.Draw(canvas), MARGIN, grid_height)
        return np.asarray(canvas)


def _is_picture(panel: Tensor) -> bool:
    return panel.ndim == 3


def _is_map(panel: Tensor) -> bool:
    return panel.ndim == 2 and panel.is_floating_point()


def _column(name: str, panels: dict[str, Tensor]) -> int:
    """Order within a row, so that what is alike stands below each other: image, labels, further pictures, maps."""
    if name.endswith('/image'):
        return 0
    if _is_picture(panels[name]):
        return 2
    return 3 if _is_map(panels[name]) else 1


def _cell_size(panel: Tensor) -> tuple[int, int]:
    """Width and height of all cells: the first panel's shape at a legible size."""
    height, width = panel.shape[-2:]
    longer = max(height, width)
    scale = float(np.clip(longer, *CELL_SIDES)) / longer
    return round(width * scale), round(height * scale)


def _draw_cell(
    canvas: Image.Image,
    corner: tuple[int, int],
    size: tuple[int, int],
    name: str,
    panel: Tensor,
    palette: Sequence[Sequence[int]],
) -> None:
    """A title, the panel below it, and for a map its mean and the colours of 0 and 1."""
    (x, y), (width, height) = corner, size
    draw = ImageDraw.Draw(canvas)
    title = name.replace('/', ' ').replace('_', ' ')
    if _is_map(panel):
        title += f', mean {panel.mean():.2f}'
        draw.text((x + width, y), '1', fill=INK, font=load_font(), anchor='ra')
        bar = colour_panel(torch.linspace(0, 1, 64)[None], palette, SCALE_BAR)
        canvas.paste(Image.fromarray(bar), (x + width - SCALE_BAR[0] - 12, y + 4))
        draw.text((x + width - SCALE_BAR[0] - 16, y), '0', fill=INK, font=load_font(), anchor='ra')
    draw.text((x, y), title, fill=INK, font=load_font())
    canvas.paste(Image.fromarray(colour_panel(panel, palette, size)), (x, y + LINE))
    draw.rectangle((x, y + LINE, x + width - 1, y + LINE + height - 1), outline=OUTLINE)


def colour_panel(panel: Tensor, palette: Sequence[Sequence[int]], size: tuple[int, int]) -> np.ndarray:
    """A panel, as :meth:`DomainVisualizer.draw_panels` takes it, as (height, width, 3) uint8 RGB.

    Args:
        panel: picture, label map or map.
        palette: one RGB colour in [0, 255] per class.
        size: (width, height) of the result.
    """
    if _is_picture(panel):
        picture = ((panel.float().clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).permute(1, 2, 0).numpy()
        shrinks = size[0] < picture.shape[1]
        return cv2.resize(picture, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)
    if _is_map(panel):
        grey = (panel.float().clamp(0, 1) * 255).round().to(torch.uint8).numpy()
        coloured = cv2.applyColorMap(grey, cv2.COLORMAP_VIRIDIS)[..., ::-1]
    else:
        table = np.full((256, 3), IGNORED_COLOUR, np.uint8)
        table[: len(palette)] = palette
        coloured = table[panel.to(torch.uint8).numpy()]
    return cv2.resize(np.ascontiguousarray(coloured), size, interpolation=cv2.INTER_NEAREST)
