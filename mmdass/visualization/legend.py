"""Colour swatches with class names, for below a picture."""

from collections.abc import Sequence

from PIL import ImageDraw, ImageFont

LINE = 26
FONT_SIZE = 16
INK = (30, 30, 30)
_SWATCH = 16


class Legend:
    """Colour swatches with class names, flowing over as many lines as a width needs.

    Args:
        names: Class names.
        colours: One RGB colour in [0, 255] a class.
        width: Pixels.

    Attributes:
        height: Pixels that it needs.
    """

    def __init__(self, names: Sequence[str], colours: Sequence[Sequence[int]], width: int) -> None:
        self.width = width
        self.entries = []
        x, y = 0, 0
        for name, colour in zip(names, colours, strict=True):
            entry_width = _SWATCH + 6 + round(load_font().getlength(name)) + 18
            if x and x + entry_width > width:
                x, y = 0, y + LINE
            self.entries.append((x, y, name, tuple(colour)))
            x += entry_width
        self.height = y + LINE

    def draw(self, draw: ImageDraw.ImageDraw, left: int, top: int) -> None:
        """Draw it into a picture, its upper left corner there."""
        for x, y, name, colour in self.entries:
            x, y = left + x, top + y
            draw.rectangle((x, y, x + _SWATCH, y + _SWATCH), fill=colour, outline=INK)
            draw.text((x + _SWATCH + 6, y + _SWATCH / 2), name, fill=INK, font=load_font(), anchor='lm')


def load_font() -> ImageFont.FreeTypeFont:
    """The font of all that is written into pictures."""
    return ImageFont.load_default(size=FONT_SIZE)
