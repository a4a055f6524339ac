"""A prediction laid over its image, with the legend."""

from collections.abc import Sequence

import cv2
import numpy as np
from PIL import Image, ImageDraw

from .legend import Legend

_MARGIN = 6
_NARROWEST = 240


def colour_label(label: np.ndarray, palette: Sequence[Sequence[int]]) -> np.ndarray:
    """Class indices (H, W) in the colours of the palette, as (H, W, 3) uint8 RGB."""
    return np.asarray(palette, np.uint8)[label]


def draw_overlay(
    picture: np.ndarray, label: np.ndarray, classes: Sequence[str], palette: Sequence[Sequence[int]],
    opacity: float = 0.5,
) -> np.ndarray:
    """Lay classes over an image, names and colours of all classes below it.

    Args:
        picture: (H, W, 3) uint8 RGB.
        label: (H, W) class indices.
        classes: Class names.
        palette: One RGB colour in [0, 255] a class.
        opacity: Of the colours, in [0, 1].

    Returns:
        (H + height of the legend, W, 3) uint8 RGB; wider than the image if that is too narrow for the legend.
    """
    blended = cv2.addWeighted(picture, 1 - opacity, colour_label(label, palette), opacity, 0)
    height, width = label.shape
    width = max(width, _NARROWEST)
    legend = Legend(classes, palette, width - 2 * _MARGIN)
    canvas = Image.new('RGB', (width, height + legend.height + 2 * _MARGIN), 'white')
    canvas.paste(Image.fromarray(blended), (0, 0))
    legend.draw(ImageDraw.Draw(canvas), _MARGIN, height + _MARGIN)
    return np.asarray(canvas)
