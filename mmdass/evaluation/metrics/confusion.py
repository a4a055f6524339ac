"""Which class is taken for which: counted, and written as a table and a picture."""

import csv
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from mmdass.checkpoints.saver import replace_atomically

_CELL = 40
_FONT_SIZE = 14
_MARGIN = 12


def count_confusions(prediction: Tensor, label: Tensor, num_classes: int) -> Tensor:
    """Pixels of each class by predicted class.

    Args:
        prediction, label: (H, W), integer; labels that are no class are not counted.
        num_classes: Number of classes.

    Returns:
        (num_classes, num_classes) int64, rows = label, columns = prediction.
    """
    known = (label >= 0) & (label < num_classes)
    pairs = label[known].long() * num_classes + prediction[known].long()
    return torch.bincount(pairs, minlength=num_classes**2).reshape(num_classes, num_classes)


def write_confusions(folder: Path, confusions: np.ndarray, classes: Sequence[str]) -> None:
    """Write ``confusion.csv``, pixels with the labels' classes as rows, and ``confusion.png`` into ``folder``."""
    rows = [[name, *row] for name, row in zip(classes, confusions.tolist(), strict=True)]
    with replace_atomically(folder / 'confusion.csv') as partial:
        with partial.open('w', newline='', encoding='utf-8') as file:
            csv.writer(file).writerows([['label \\ prediction', *classes], *rows])
    with replace_atomically(folder / 'confusion.png') as partial:
        Image.fromarray(draw_confusions(confusions, classes)).save(partial, format='PNG')


def draw_confusions(confusions: np.ndarray, classes: Sequence[str]) -> np.ndarray:
    """Draw each row's shares in percent, dark = 0 and bright = 100; rows of classes without a pixel stay grey.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    font = ImageFont.load_default(size=_FONT_SIZE)
    names = round(max(font.getlength(name) for name in classes)) + _MARGIN
    left, top, side = _MARGIN + names, _MARGIN + names, _CELL * len(classes)
    canvas = Image.new('RGB', (left + side + _MARGIN, top + side + _MARGIN), (255, 255, 255))
    draw = ImageDraw.Draw(canvas)
    totals = confusions.sum(axis=1, keepdims=True)
    shares = confusions / np.maximum(totals, 1)
    colours = cv2.applyColorMap(np.rint(shares * 255).astype(np.uint8), cv2.COLORMAP_VIRIDIS)[..., ::-1].copy()
    colours[totals[:, 0] == 0] = 225
    canvas.paste(Image.fromarray(colours).resize((side, side), Image.Resampling.NEAREST), (left, top))
    for row, name in enumerate(classes):
        middle = top + (row + 0.5) * _CELL
        draw.text((left - 6, middle), name, fill=(30, 30, 30), font=font, anchor='rm')
        for column in range(len(classes)):
            share = shares[row, column]
            if share >= 0.01:
                ink = (30, 30, 30) if share > 0.6 else (255, 255, 255)
                place = left + (column + 0.5) * _CELL, middle
                draw.text(place, f'{100 * share:.0f}', fill=ink, font=font, anchor='mm')
    canvas.paste(_names_upright(classes, font, side, names), (left, _MARGIN - 6))
    return np.asarray(canvas)


def _names_upright(classes: Sequence[str], font: ImageFont.FreeTypeFont, side: int, height: int) -> Image.Image:
    """The columns' names, read from below."""
    strip = Image.new('RGB', (height, side), (255, 255, 255))
    draw = ImageDraw.Draw(strip)
    for column, name in enumerate(classes):
        draw.text((0, (column + 0.5) * _CELL), name, fill=(30, 30, 30), font=font, anchor='lm')
    return strip.rotate(90, expand=True)
