"""What the parts of a toy scene are made of: colours, texture, temperature, emissivity and class, as look-up tables.

Each table has one row per code of the G-buffer (surface * PARTS + part). Classes share their colours on purpose: a
building and a wall are of the same bricks, cars, clothes, signs and fences of the same paints, leaves may be brown.
"""

from dataclasses import dataclass

import numpy as np

from ..label_space import LabelSpace
from .materials import PARTS
from .raster import GROUND, Surface

LABEL_SPACE = LabelSpace.get('madm11')
_CLASS_OF = dict(
    sky='sky', road='road', sidewalk='sidewalk', verge='vegetation', facade='building', wall='wall', fence='fence',
    hedge='vegetation', trunk='vegetation', crown='vegetation', car='car', person='person', pole='pole',
    sign='traffic sign')

# Colours are sRGB in [0, 255].
_MASONRY = ((150, 78, 62), (201, 180, 148), (138, 138, 136), (214, 212, 205), (186, 148, 92), (128, 148, 126),
            (118, 132, 152), (92, 82, 78), (176, 120, 100))
_PAINT = ((222, 222, 220), (165, 168, 172), (36, 37, 40), (164, 34, 34), (36, 66, 140), (52, 104, 58), (190, 150, 60),
          (118, 82, 54), (92, 122, 150), (120, 140, 70), (200, 110, 60), (120, 60, 110))
_ASPHALT = ((88, 88, 92), (118, 114, 110), (66, 67, 72), (136, 126, 116), (104, 98, 108))
_SLABS = ((150, 148, 144), (128, 122, 118), (176, 160, 138), (150, 96, 80), (108, 110, 114))
_METAL = ((132, 134, 136), (70, 74, 76), (60, 92, 70), (178, 178, 176), (122, 92, 70))
_LEAVES = ((70, 112, 46), (94, 128, 56), (56, 88, 50), (146, 122, 46), (160, 92, 44), (110, 118, 74), (84, 96, 84))
_GLASS = ((58, 68, 80), (98, 116, 134), (40, 42, 46), (150, 160, 168), (206, 180, 120))
_SKIN = ((226, 182, 154), (190, 136, 104), (120, 80, 58), (84, 58, 44))
_DARK = ((30, 30, 32), (44, 40, 38), (60, 58, 56))
_WET = ((112, 122, 136), (90, 96, 106))
_WHITE = ((228, 228, 224), (206, 204, 196), (226, 196, 90))
_BARK = ((98, 78, 60), (120, 108, 96), (74, 66, 58))
_LAMP = ((220, 60, 44), (236, 226, 196), (150, 154, 158))
_SIGN = ((196, 38, 36), (38, 74, 168), (224, 222, 216), (226, 184, 60), (48, 112, 66), (52, 54, 58), (150, 150, 152))
_COLOURS = dict(
    sky=(_WHITE,) * 4, road=(_ASPHALT, _WHITE, _ASPHALT, _WET), sidewalk=(_SLABS, _SLABS, _SLABS, _SLABS),
    verge=(_LEAVES, _LEAVES, _BARK, _BARK), facade=(_MASONRY, _GLASS, _MASONRY, _PAINT),
    wall=(_MASONRY, _MASONRY, _PAINT, _DARK), fence=(_PAINT + _BARK, _METAL, _METAL, _METAL),
    hedge=(_LEAVES, _LEAVES, _LEAVES, _LEAVES), trunk=(_BARK,) * 4, crown=(_LEAVES,) * 4,
    car=(_PAINT, _GLASS, _DARK, _LAMP), person=(_PAINT, _PAINT, _SKIN, _DARK), pole=(_METAL, _WHITE, _METAL, _METAL),
    sign=(_SIGN, _SIGN, _SIGN, _LAMP))

_ONE_PLANT = ('hedge', 'crown', 'verge')  # their parts are the same leaves, lit and in the shade

# Size in metres of the bricks, slabs or boards a kind is laid of (0, 0: none), and how strong its grain is.
_COURSES = dict(facade=(0.6, 0.3), wall=(0.5, 0.25), fence=(0.3, 50.0), sidewalk=(0.8, 0.8))
_GRAIN = dict(road=0.10, sidewalk=0.10, verge=0.25, facade=0.08, wall=0.12, fence=0.10, hedge=0.25, trunk=0.2,
              crown=0.22, car=0.03, person=0.06, pole=0.04, sign=0.03)

# Kelvin above the air, of each part: (in the shade, more where it is in the sun, spread between instances).
_HEAT = dict(
    sky=((-40, 0, 0),) * 4, road=((2, 5, 0.8), (1, 4, 0.8), (2, 6, 1.5), (-1, 1, 1)), sidewalk=((1, 4, 1),) * 4,
    verge=((-1, 1, 0.7), (-1, 2, 0.7), (0, 3, 1), (0, 3, 1)), facade=((1, 4, 1.5), (3, 0, 3), (1, 4, 1), (2, 1, 2.5)),
    wall=((0.5, 5, 1.3), (0.5, 4, 1.3), (0.5, 5, 1), (0, 0, 0)), fence=((0, 4, 1.2), (0, 3, 1.2), (0, 0, 0), (0, 0, 0)),
    hedge=((-0.5, 1, 0.6), (-1.2, 0.5, 0.6), (0, 0, 0), (0, 0, 0)), trunk=((0, 1.5, 0.6),) * 4,
    crown=((-0.3, 1.2, 0.7), (-1.2, 0.5, 0.7), (0, 0, 0), (0, 0, 0)),
    car=((8, 3, 3), (2, 0, 2), (11, 1, 4), (13, 0, 5)), person=((9, 1, 2), (7, 1, 2), (15, 0, 1.2), (6, 1, 2)),
    pole=((-0.5, 3, 1.2), (8, 0, 6), (0, 0, 0), (0, 0, 0)),
    sign=((-1.5, 3, 1.2), (-1.5, 3, 1.2), (-1, 3, 1), (10, 0, 3)))
_EMISSIVITY = dict(car=(0.82, 0.8, 0.95, 0.85), facade=(0.93, 0.86, 0.93, 0.9), sign=(0.75, 0.75, 0.8, 0.85),
                   pole=(0.8, 0.9, 0.8, 0.8), road=(0.95, 0.9, 0.95, 0.85))


@dataclass(frozen=True)
class Appearance:
    """One row per code: ``colour`` (C, 3) linear RGB in [0, 1], ``grain`` (C,), ``courses`` (C, 2) metres, ``sun`` (C,)
    cosine to the sun in [0, 1], ``heat`` (C, 2) kelvin above air in the shade and in addition in the sun, and
    ``emissivity`` (C,) in [0, 1].
    """

    colour: np.ndarray
    grain: np.ndarray
    courses: np.ndarray
    sun: np.ndarray
    heat: np.ndarray
    emissivity: np.ndarray


def kinds_of(surfaces: tuple[Surface, ...]) -> list[str]:
    """The kind of each surface number: sky, ground, then what stands."""
    return ['sky', *GROUND, *(surface.kind for surface in surfaces)]


def class_table(surfaces: tuple[Surface, ...]) -> np.ndarray:
    """Class index of each code, (C,) uint8."""
    index = {kind: LABEL_SPACE.classes.index(name) for kind, name in _CLASS_OF.items()}
    return np.repeat(np.array([index[kind] for kind in kinds_of(surfaces)], np.uint8), PARTS)


def _twins(surfaces: tuple[Surface, ...]) -> list[int]:
    """For each surface number the first one of the same object (the faces of a block share their ``form``)."""
    first: dict = {}
    return list(range(1 + len(GROUND))) + [
        1 + len(GROUND) + first.setdefault((surface.kind, surface.form), number)
        for number, surface in enumerate(surfaces)]


def _pick(kind: str, draws: list[float]) -> list[tuple[float, float, float]]:
    """The colours of a surface's parts from numbers in [0, 1), one more than there are parts."""
    colours = [pool[int(draw * len(pool))] for pool, draw in zip(_COLOURS[kind], draws[:PARTS], strict=True)]
    if kind in _ONE_PLANT:
        colours[1] = tuple(0.55 * channel for channel in colours[0])
    elif kind == 'road':
        colours[2] = tuple((0.6 + 0.25 * draws[PARTS]) * channel for channel in colours[0])
    return colours


def furnish(
    surfaces: tuple[Surface, ...], towards_sun: np.ndarray, camera_x: float, colours: np.random.Generator,
    heats: np.random.Generator,
) -> Appearance:
    """Draw the look of every surface; ``towards_sun`` is a unit vector (x, y, z)."""
    kinds, twins = kinds_of(surfaces), _twins(surfaces)
    draws = colours.random((len(kinds), PARTS + 1)).tolist()
    colour = np.array([_pick(kind, each) for kind, each in zip(kinds, draws, strict=True)], np.float32)
    colour *= colours.uniform(0.65, 1.2, (len(kinds), 1, 1)) * colours.uniform(0.97, 1.03, colour.shape)
    colour = colour[twins]
    spread = heats.standard_normal((len(kinds), PARTS)).astype(np.float32)[twins]
    heat = np.array([_HEAT[kind] for kind in kinds], np.float32)
    heat[..., 0] += heat[..., 2] * spread
    facing = [1.0, *[towards_sun[1]] * len(GROUND)]
    for surface in surfaces:
        if surface.kind in ('crown', 'hedge', 'person', 'trunk', 'pole'):  # round things catch some light on any side
            facing.append(0.6)
        elif surface.axis == 'x':
            facing.append(max(0.0, float(np.sign(camera_x - surface.at)) * towards_sun[0]))
        else:
            facing.append(max(0.0, -towards_sun[2]))
    each = np.ones(PARTS, np.float32)
    return Appearance(
        colour=(np.clip(colour, 0, 255) / 255).reshape(-1, 3).astype(np.float32) ** 2,
        grain=np.repeat(np.array([_GRAIN.get(kind, 0) for kind in kinds], np.float32), PARTS),
        courses=np.repeat(np.array([_COURSES.get(kind, (0, 0)) for kind in kinds], np.float32), PARTS, axis=0),
        sun=np.repeat(np.array(facing, np.float32), PARTS),
        heat=heat[..., :2].reshape(-1, 2),
        emissivity=np.array([_EMISSIVITY.get(kind, each * 0.95) for kind in kinds], np.float32).reshape(-1))
