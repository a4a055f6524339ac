"""Line plots, laid out for the page's template to draw as SVG."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import isfinite

from matplotlib.ticker import EngFormatter, MaxNLocator

WIDTH, HEIGHT = 360, 200
LEFT, RIGHT, TOP, BOTTOM = 44, 10, 10, 24
Point = tuple[float, float]


@dataclass
class Line:
    """One curve.

    Args:
        name: what the legend calls it.
        points: (x, y), ascending; those that are not finite are left out.
        spread: for each point, half the height of a band around it; empty for none.
    """

    name: str
    points: Sequence[Point]
    spread: Sequence[float] = ()

    def __post_init__(self) -> None:
        spread = self.spread or [0.0] * len(self.points)
        kept = [(point, width) for point, width in zip(self.points, spread, strict=True) if all(map(isfinite, point))]
        self.points = [point for point, _ in kept]
        self.spread = [width for _, width in kept] if self.spread else ()


@dataclass
class Plot:
    """Curves over iterations in one pair of axes.

    Args:
        title: what the y axis shows, with its unit.
        lines: at least one, with at least one point.
    """

    title: str
    lines: Sequence[Line]
    width, height, left, right = WIDTH, HEIGHT, LEFT, WIDTH - RIGHT
    x_ticks: list[tuple[float, str]] = field(init=False)
    y_ticks: list[tuple[float, str]] = field(init=False)

    def __post_init__(self) -> None:
        self.lines = [line for line in self.lines if line.points]
        xs = [x for line in self.lines for x, _ in line.points]
        ys = [y + sign * width for line in self.lines for (_, y), width in _with_spread(line) for sign in (-1, 1)]
        x_values, y_values = _ticks(0, max(xs), 4), _ticks(min(ys), max(ys), 4)
        self._x, self._y = (0, max(max(xs), 1)), (y_values[0], y_values[-1])
        self.x_ticks = [(self._place_x(x), EngFormatter(sep='')(x)) for x in x_values if x <= self._x[1]]
        self.y_ticks = [(self._place_y(y), f'{y:g}') for y in y_values]

    @property
    def summary(self) -> str:
        """The plot for those who do not see it."""
        ends = '; '.join(f'{line.name} ends at {line.points[-1][1]:.4g}' for line in self.lines)
        return f'{self.title} over {self.lines[0].points[-1][0]:g} iterations. {ends}.'

    def path(self, line: Line) -> str:
        """Points of an SVG polyline."""
        return ' '.join(self._place(x, y) for x, y in line.points)

    def band(self, line: Line) -> str:
        """Points of an SVG polygon around a line with a spread."""
        upper = [(x, y + width) for (x, y), width in _with_spread(line)]
        lower = [(x, y - width) for (x, y), width in _with_spread(line)]
        return ' '.join(self._place(x, y) for x, y in [*upper, *reversed(lower)])

    def end(self, line: Line) -> Point:
        """Where a line ends."""
        x, y = line.points[-1]
        return self._place_x(x), self._place_y(y)

    def _place(self, x: float, y: float) -> str:
        return f'{self._place_x(x)},{self._place_y(y)}'

    def _place_x(self, x: float) -> float:
        return round(LEFT + (WIDTH - LEFT - RIGHT) * (x - self._x[0]) / (self._x[1] - self._x[0]), 1)

    def _place_y(self, y: float) -> float:
        return round(TOP + (HEIGHT - TOP - BOTTOM) * (self._y[1] - y) / (self._y[1] - self._y[0]), 1)


def _with_spread(line: Line) -> list[tuple[Point, float]]:
    return list(zip(line.points, line.spread or [0.0] * len(line.points), strict=True))


def _ticks(low: float, high: float, number: int) -> list[float]:
    """Round numbers around a range."""
    if low == high:
        low, high = (low - 0.5, high + 0.5) if low else (0.0, 1.0)
    return MaxNLocator(number, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high).tolist()
