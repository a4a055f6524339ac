"""Where things stand in a toy street: the random geometry of a scene, before any colour.

Both sides of the street are rows of lots (a facade at the pavement, a house behind a fence or a wall, a park), with a
crossing now and then; then come trees, poles with lamps and signs, parked and driving cars, people, and a far skyline.
"""

from bisect import bisect
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from . import materials
from .materials import PARTS
from .raster import GROUND, Camera, GroundMap, Surface

# What a side of the street is made of: a town, a suburb or parks (shares of the lots below, added up).
_LOTS = ('facade', 'fence', 'wall', 'fenced park', 'park')
_SIDES = ((0.50, 0.62, 0.78, 0.90, 1), (0.10, 0.40, 0.72, 0.86, 1), (0.05, 0.17, 0.42, 0.75, 1))
_END = 70.0  # metres, where the street's lots end


@dataclass(frozen=True)
class Street:
    """Measures in metres: half the roadway, the two pavements, where a crossing street starts and ends (or None)."""

    half: float
    pavement: dict[float, float]
    crossing: tuple[float, float] | None

    def edge(self, side: float) -> float:
        """x of the outer rim of a pavement."""
        return side * (self.half + self.pavement[side])

    def crossed(self, start: float, end: float) -> bool:
        """Whether a stretch of z meets the crossing street."""
        return self.crossing is not None and end > self.crossing[0] and start < self.crossing[1]


@dataclass(frozen=True)
class Layout:
    """The geometry of a scene. ``shadow``: how far (x, z) in metres a thing one metre tall throws its shadow."""

    camera: Camera
    surfaces: tuple[Surface, ...]
    ground: GroundMap
    shadow: tuple[float, float]


def lay_out(rng: np.random.Generator, size: tuple[int, int]) -> Layout:
    """Draw a scene for images of ``size`` (width, height)."""
    start = rng.uniform(13, 45)
    crossing = (start, start + rng.uniform(6, 9)) if rng.random() < 0.6 else None
    street = Street(rng.uniform(3.4, 6.2), {side: rng.uniform(1.8, 4.0) for side in (-1.0, 1.0)}, crossing)
    camera = Camera(size, x=rng.uniform(-0.35, 0.55) * street.half, y=rng.uniform(1.4, 2.1), z=0.0,
                    yaw=rng.uniform(-0.14, 0.14), horizon=rng.uniform(0.38, 0.54), focal=rng.uniform(0.58, 0.76))
    azimuth, reach = rng.uniform(0, 2 * np.pi), rng.uniform(0.4, 1.8)
    shadow = float(np.cos(azimuth) * reach), float(np.sin(azimuth) * reach)
    surfaces = [*_skyline(rng)]
    for side in (-1.0, 1.0):
        surfaces += [*_lots(rng, street, side), *_furniture(rng, street, side), *_people(rng, street, side)]
    surfaces += _cars(rng, street, camera)
    ground = _paint_ground(rng, street)
    _cast_shadows(ground, surfaces, shadow)
    return Layout(camera, tuple(surfaces), ground, shadow)


def _form(rng: np.random.Generator) -> tuple[float, ...]:
    return tuple(rng.random(3).tolist())


def _box(kind, material, form, side, x, z, length, height, depth) -> Iterator[Surface]:
    """A block whose street side lies at ``x`` and whose near end lies at ``z``."""
    yield Surface(kind, material, 'x', x, z, length, height, form=form)
    yield Surface(kind, material, 'z', z, min(x, x + side * depth), depth, height, form=form)


def _lots(rng, street, side) -> Iterator[Surface]:
    shares = _SIDES[rng.integers(len(_SIDES))]
    z = rng.uniform(-6, 1)
    while z < _END:
        length = rng.uniform(7, 17)
        if not street.crossed(z - 1, z + length):
            gap, kind = (0, 0.4, 2.0)[rng.integers(3)], _LOTS[bisect(shares, rng.random())]
            yield from _lot(rng, street, side, z, length - gap, kind)
        elif z + 2.5 < street.crossing[0]:
            yield from _lot(rng, street, side, z, street.crossing[0] - 1 - z, 'wall' if rng.random() < 0.5 else 'fence')
        z += length


def _lot(rng, street, side, z, length, kind) -> Iterator[Surface]:
    edge, form = street.edge(side), _form(rng)
    back = edge + side * rng.uniform(3.0, 7.0)
    if kind == 'facade':
        yield from _box('facade', materials.facade, form, side, edge, z, length, rng.uniform(6, 20), 12)
        return
    if kind in ('fence', 'wall', 'fenced park'):
        boundary = materials.wall if kind == 'wall' else materials.fence
        height = rng.uniform(0.9, 2.4)
        yield from _box(boundary.__name__, boundary, form, side, edge, z, length, height, abs(back - edge))
    elif rng.random() < 0.5:
        yield from _box('hedge', materials.hedge, form, side, edge + side * 0.5, z, length, rng.uniform(0.7, 2.2), 3)
    if kind in ('fence', 'wall') and rng.random() < 0.8:
        yield from _box('facade', materials.house, form, side, back, z + 0.1 * length, 0.8 * length,
                        rng.uniform(6, 10), 9)
        trees = int(rng.random() < 0.5)
    else:
        trees = rng.integers(1, 4)
    for _ in range(trees):
        yield from _tree(rng, back + side * rng.uniform(-2, 6), z + rng.uniform(0, length), rng.uniform(4, 11))


def _tree(rng, x, z, height) -> Iterator[Surface]:
    stem, width = rng.uniform(0.25, 0.45) * height, rng.uniform(0.5, 0.8) * height
    form, side = _form(rng), float(rng.integers(2) * 2 - 1)
    girth = 0.12 + 0.03 * height
    yield Surface('trunk', materials.trunk, 'z', z, x - girth / 2, girth, stem * 1.4, form=form)
    yield Surface('crown', materials.crown, 'z', z - 0.1, x - width / 2, width, height - stem * 0.8, stem * 0.8, form,
                  side)


def _furniture(rng, street, side) -> Iterator[Surface]:
    """Poles, signs and trees along the kerb."""
    kerb, planted = street.half * side, rng.random() < 0.5
    z = rng.uniform(5, 10)
    while z < 60:
        x = kerb + side * rng.uniform(0.3, 0.7)
        what = rng.random()
        if street.crossed(z, z):
            pass
        elif what < 0.34 and planted:
            yield from _tree(rng, x + side * 0.3, z, rng.uniform(3.5, 8))
        elif what < 0.62:
            arm = rng.uniform(1.2, 2.4)
            yield Surface('pole', materials.pole, 'z', z, x - (arm if side > 0 else 0), arm, rng.uniform(4.5, 7.5),
                          form=_form(rng), side=-side)
            if rng.random() < 0.6:
                yield _sign(rng, x - side * 0.1, z, rng.uniform(2.2, 3.2))
        else:
            yield from _signpost(rng, x, z)
        z += rng.uniform(3.5, 9)


def _signpost(rng, x, z) -> Iterator[Surface]:
    base = rng.uniform(1.9, 2.5)
    yield Surface('pole', materials.pole, 'z', z, x - 0.08, 0.16, base + 0.75, form=_form(rng))
    for level in range(rng.integers(1, 3)):
        yield _sign(rng, x, z, base + 0.8 * level)


def _sign(rng, x, z, base) -> Surface:
    form = _form(rng)
    width, height = (0.45, 1.05) if form[0] >= 0.75 else (rng.uniform(0.65, 0.95),) * 2
    return Surface('sign', materials.sign, 'z', z - 0.05, x - width / 2, width, height, base, form)


def _people(rng, street, side) -> Iterator[Surface]:
    for _ in range(rng.integers(2, 7)):
        z = 5 + 28 * rng.random() ** 1.3
        outside, inside = abs(street.edge(side)) - 0.5, street.half + 0.3
        x = side * rng.uniform(inside, outside) if rng.random() < 0.88 else side * street.half * rng.uniform(0.4, 1)
        height = rng.uniform(1.5, 1.92) if rng.random() < 0.85 else rng.uniform(1.0, 1.4)
        yield Surface('person', materials.person, 'z', z, x - 0.45, 0.9, height, form=_form(rng))


def _cars(rng, street, camera) -> Iterator[Surface]:
    for side in (-1.0, 1.0):  # parked at the kerb
        z, filled = rng.uniform(4, 16), rng.uniform(0.15, 0.75)
        while z < 60:
            if rng.random() < filled and not street.crossed(z - 1, z + 6):
                yield from _car(rng, camera, side * (street.half - 1.05), z)
            z += rng.uniform(5.2, 8)
    for lane in (-0.25, 0.3):  # driving
        if rng.random() < 0.6:
            yield from _car(rng, camera, lane * street.half, rng.uniform(9, 45))
    if street.crossing is not None and rng.random() < 0.8:
        middle, x = sum(street.crossing) / 2, rng.uniform(-8, 4)
        form = _form(rng)
        yield Surface('car', materials.car_side, 'z', middle, x, rng.uniform(3.9, 4.7), _car_height(form), form=form)


def _car_height(form) -> float:
    return 2.15 if form[0] > 2 / 3 else 1.42 + 0.15 * form[2]


def _car(rng, camera, x, z) -> Iterator[Surface]:
    form, length, width = _form(rng), rng.uniform(3.8, 4.9), rng.uniform(1.7, 1.9)
    height = _car_height(form)
    yield Surface('car', materials.car_end, 'z', z, x - width / 2, width, height, form=form)
    if abs(x - camera.x) > width / 2:
        flank = x - np.sign(x - camera.x) * width / 2
        yield Surface('car', materials.car_side, 'x', float(flank), z, length, height, form=form)


def _skyline(rng) -> Iterator[Surface]:
    x = -110.0
    while x < 110:
        width, z = rng.uniform(8, 24), rng.uniform(80, 160)
        if rng.random() < 0.55:
            yield Surface('facade', materials.facade, 'z', z, x, width, rng.uniform(6, 34), form=_form(rng))
        elif rng.random() < 0.7:
            yield Surface('hedge', materials.hedge, 'z', z, x, width, rng.uniform(5, 13), form=_form(rng))
        x += width * rng.uniform(0.7, 1.1)


def _code(kind: str, part: int) -> int:
    return (1 + GROUND.index(kind)) * PARTS + part


def _paint_ground(rng, street) -> GroundMap:
    """Roadway, kerbs and pavements, lane markings, zebra crossing, repairs, stains and puddles."""
    ground = GroundMap()
    far = ground.BACK + ground.LENGTH

    def fill(x0, z0, x1, z1, kind, part=0):
        corners = ground.pixels([(x0, z0), (x1, z1)]).tolist()
        cv2.rectangle(ground.codes, *corners, _code(kind, part), -1)

    ground.codes[:] = _code('road', 0)
    for _ in range(rng.integers(3, 9)):
        centre = ground.pixels([(rng.uniform(-1, 1) * street.half, rng.uniform(3, 40))])[0].tolist()
        axes = rng.integers(2, 13), rng.integers(4, 26)
        stain = _code('road', 3 if rng.random() < 0.4 else 2)
        cv2.ellipse(ground.codes, centre, axes, rng.uniform(0, 180), 0, 360, stain, -1)
    for side in (-1.0, 1.0):
        fill(street.edge(side), ground.BACK, side * -ground.LEFT, far, 'verge')
        fill(street.half * side, ground.BACK, street.edge(side), far, 'sidewalk')
        fill(street.half * side, ground.BACK, side * (street.half + 0.2), far, 'sidewalk', 1)
    if street.crossing is not None:
        near, end = street.crossing
        fill(ground.LEFT, near - 2, -ground.LEFT, end + 2, 'sidewalk')
        fill(ground.LEFT, near, -ground.LEFT, end, 'road')
        fill(-street.half, near - 3, street.half, end + 3, 'road')
    dash, gap = rng.uniform(2, 4), rng.uniform(2, 6)
    for z in np.arange(rng.uniform(-6, 0), far, dash + gap):
        fill(-0.07, z, 0.07, z + dash, 'road', 1)
    for side in (-1.0, 1.0):
        if rng.random() < 0.5:
            line = side * (street.half - (0.3, 2.1)[rng.integers(2)])
            fill(line - 0.06, ground.BACK, line + 0.06, far, 'road', 1)
    if street.crossing is not None:
        fill(-street.half, near, street.half, end, 'road')
        for x in np.arange(-street.half + 0.3, street.half - 0.3, 1.0):
            fill(x, near - 3, x + 0.5, near - 0.6, 'road', 1)
    return ground


def _cast_shadows(ground: GroundMap, surfaces: list[Surface], shadow: tuple[float, float]) -> None:
    """Darken the map of the ground where surfaces stand between it and the sun."""
    casters = [surface for surface in surfaces if surface.at < ground.LENGTH
               and (surface.kind != 'pole' or surface.length < 0.3)]
    quads = ground.pixels([_shadow_of(surface, *shadow) for surface in casters])
    for surface, quad in zip(casters, quads, strict=True):
        if surface.kind == 'crown':
            radius = max(int(surface.length / 2 / ground.METRES), 1)
            cv2.circle(ground.sunlit, quad.mean(0).astype(int).tolist(), radius, 0, -1)
        else:
            cv2.fillConvexPoly(ground.sunlit, quad, 0)
    cv2.blur(ground.sunlit, (5, 5), dst=ground.sunlit)


def _shadow_of(surface: Surface, dx: float, dz: float) -> list[tuple[float, float]]:
    """The four corners (x, z) of the shadow of an upright rectangle."""
    (x0, z0), (x1, z1) = surface.ends
    low, high = surface.base, surface.base + surface.height
    return [(x0 + dx * low, z0 + dz * low), (x1 + dx * low, z1 + dz * low),
            (x1 + dx * high, z1 + dz * high), (x0 + dx * high, z0 + dz * high)]
