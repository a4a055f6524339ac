"""What the surfaces of the toy world look like: functions from surface coordinates to part numbers.

A material is called as ``material(s, t, surface)`` with points on the surface: ``s`` (N,), metres along it, and ``t``
(N,), metres above its base. It answers with (N,) int8: the part of the surface each point belongs to, or ``HOLE`` where
one looks through it. Parts get their colours and temperatures in ``appearance.py``; a material knows shape alone.
"""

from functools import lru_cache

import numpy as np

HOLE = -1
PARTS = 4
TILE = 256  # pixels a side of the noise tile
TEXELS = 16.0  # noise pixels per metre


@lru_cache(maxsize=1)
def noise_tile() -> np.ndarray:
    """Smooth 1/f noise that tiles, (TILE, TILE) float32 of mean 0 and standard deviation 1."""
    white = np.fft.rfft2(np.random.default_rng(0).standard_normal((TILE, TILE)))
    radius = np.hypot(np.fft.fftfreq(TILE)[:, None], np.fft.rfftfreq(TILE)[None]) * TILE
    noise = np.fft.irfft2(white / np.maximum(radius, 2.0) ** 1.3)
    return ((noise - noise.mean()) / noise.std()).astype(np.float32)


def modulo(a: np.ndarray, period: float | np.ndarray) -> np.ndarray:
    """``a % period`` of float32, bit for bit: float64 holds every step exactly and is ten times as fast."""
    a, period = a.astype(np.float64), np.float32(period).astype(np.float64)
    return (a - np.floor(a / period) * period).astype(np.float32)


def noise(s: np.ndarray, t: np.ndarray, scale: float, phase: float) -> np.ndarray:
    """Noise at surface points; ``scale`` in tile pixels per metre, ``phase`` in [0, 1) moves the pattern."""
    column = (s * scale + phase * TILE).astype(np.int32) & (TILE - 1)
    row = (t * scale + phase * 7 * TILE).astype(np.int32) & (TILE - 1)
    return np.take(noise_tile(), row * TILE + column)


def _plain(t: np.ndarray) -> np.ndarray:
    return np.zeros(t.shape, np.int8)


def _inside(s: np.ndarray, t: np.ndarray, box: tuple[float, float, float, float]) -> np.ndarray:
    return (s > box[0]) & (s < box[2]) & (t > box[1]) & (t < box[3])


def facade(s, t, surface):
    """Parts: 0 wall, 1 window, 2 trim and roof edge, 3 ground floor (doors, shops)."""
    a, b, c = surface.form[:3]
    storey, bay = 2.8 + 0.8 * a, 2.0 + 2.0 * b
    bay = surface.length / max(round(surface.length / bay), 1)
    u, v = modulo(s, bay) / bay, modulo(t, storey) / storey
    margin = 0.14 + 0.14 * c
    column, row = (u > margin) & (u < 1 - margin), (v > 0.25) & (v < 0.82)
    part = (column & row).astype(np.int8)
    part[column & (v > 0.19) & (v <= 0.25)] = 2
    ground = t < storey
    part[ground] = 0
    part[ground & (u > 0.1) & (u < (0.9 if c > 0.5 else 0.45)) & (t > 0.1) & (v < 0.75)] = 3
    part[t > surface.height - 0.5] = 2
    part[np.abs(t - storey) < 0.12] = 2
    return part


def house(s, t, surface):
    """A low house: a facade below a roof, whose slope a gable shows where the surface faces the camera."""
    eaves = surface.height * 0.62
    part = facade(s, t, surface)
    part[t > eaves] = 2
    if surface.axis == 'z':
        slope = 1 - np.abs(2 * s / surface.length - 1)
        rise = eaves + (surface.height - eaves) * slope
        part[t > eaves] = 0
        part[t > rise - 0.3] = 2
        part[t > rise] = HOLE
    return part


def wall(s, t, surface):
    """Parts: 0 masonry, 1 coping, plinth and pillars, 2 graffiti and posters."""
    part = _plain(t)
    a, b = surface.form[:2]
    poster = (modulo(s, 5 + 4 * a) < 1.1 + b) & (t > 0.5) & (t < surface.height - 0.4)
    part[poster & (noise(s, t, 24, a) > 0.9 - b)] = 2
    part[(t > surface.height - 0.18) | (t < 0.2)] = 1
    part[modulo(s, 3 + 3 * b) < 0.35] = 1
    return part


def fence(s, t, surface):
    """Boards, or a railing one looks through. Parts: 0 boards or bars, 1 posts and rails."""
    part = _plain(t)
    post = modulo(s, 2.4) < 0.2
    rail = (np.abs(t - 0.2) < 0.1) | (np.abs(t - surface.height + 0.12) < 0.12)
    if surface.form[0] < 0.4:
        part[~rail & (modulo(s, 0.55) > 0.3)] = HOLE
    part[rail | post] = 1
    return part


def hedge(s, t, surface):
    """Leaves with a ragged upper edge. Parts: 0 light, 1 dark."""
    phase = surface.form[0]
    leaves = noise(s, t, 40, phase)
    part = (leaves + 0.8 - t / surface.height < 0).astype(np.int8)
    part[t > surface.height * (0.75 + 0.1 * noise(s, s * 0, 12, phase)) + 0.1 * leaves] = HOLE
    return part


def trunk(s, t, surface):
    """The trunk of a tree, narrower above."""
    part = _plain(t)
    part[np.abs(s - surface.length / 2) > surface.length * (0.5 - 0.2 * t / surface.height)] = HOLE
    return part


def crown(s, t, surface):
    """A blob of leaves with a ragged rim and holes. Parts: 0 lit leaves, 1 leaves in the shade."""
    phase = surface.form[0]
    u, v = 2 * s / surface.length - 1, 2 * t / surface.height - 1
    coarse, fine = noise(s, t, 10, phase), noise(s, t, 42, phase + 0.37)
    ragged = u * u + v * v + 0.16 * coarse + 0.1 * fine
    part = (0.6 * coarse + 0.9 * fine + 1.2 * v + 0.6 * surface.side * u < -0.2).astype(np.int8)
    part[(ragged > 0.78) | (fine + coarse > 2.6)] = HOLE
    return part


# Outlines of cars from tail to nose, each in shares of length and height: (where, how high).
_CARS = (
    ((0, 0.01, 0.03, 0.12, 0.55, 0.72, 0.96, 1), (0.5, 0.66, 0.7, 0.99, 0.99, 0.64, 0.52, 0.35)),  # saloon
    ((0, 0.01, 0.03, 0.55, 0.72, 0.96, 1), (0.5, 0.7, 1, 0.99, 0.63, 0.52, 0.35)),  # hatchback
    ((0, 0.01, 0.72, 0.86, 0.98, 1), (0.7, 1, 1, 0.6, 0.5, 0.35)),  # van
)


def car_side(s, t, surface):
    """Parts: 0 body, 1 glass and hubs, 2 tyres and sills, 3 lamps."""
    u, v = s / surface.length, t / surface.height
    if surface.form[1] > 0.5:
        u = 1 - u
    outline = np.interp(u, *_CARS[int(surface.form[0] * 3)])
    part = _plain(t)
    part[(v > 0.62) & (v < outline - 0.06) & (u > 0.05) & (np.abs(u - 0.45) > 0.015)] = 1
    part[(np.abs(v - 0.5) < 0.07) & (np.abs(u - 0.5) > 0.46)] = 3
    wheel = np.minimum(np.abs(u - 0.19), np.abs(u - 0.81)) * surface.length
    radius = 0.23 * surface.height
    distance = np.hypot(wheel, t - radius)
    part[(v > outline) | (v < 0.17)] = HOLE
    part[(v < 0.22) & (v > 0.13)] = 2
    part[distance < radius] = 2
    part[distance < radius * 0.5] = 1
    return part


def car_end(s, t, surface):
    """The rear or the front of a car; parts as in ``car_side``."""
    u, v = np.abs(2 * s / surface.length - 1), t / surface.height
    outline = 1 - 0.12 * np.clip((v - 0.58) / 0.42, 0, 1)
    if surface.form[0] > 2 / 3:  # a van
        outline = outline * 0 + 1
    part = _plain(t)
    part[(v > 0.6) & (v < 0.92) & (u < outline - 0.12)] = 1
    part[(u > 0.66) & (u < 0.94) & (np.abs(v - 0.48) < 0.08)] = 3
    part[(u < 0.32) & (np.abs(v - 0.32) < 0.06)] = 3
    part[(v < 0.22) | ((v > 0.24) & (v < 0.28))] = 2
    part[(u > outline) | ((v < 0.16) & (u < 0.66)) | (v > 0.985)] = HOLE
    return part


def person(s, t, surface):
    """Parts: 0 upper clothes, 1 legs, 2 skin, 3 hair, shoes and bag."""
    stride, bag = surface.form[:2]
    u, v = (s - surface.length / 2) / surface.height, t / surface.height
    part = np.full(t.shape, HOLE, np.int8)
    leg = np.abs(np.abs(u) - (0.035 + 0.09 * stride * np.clip(0.5 - v, 0, 1)))
    part[(v < 0.5) & (leg < 0.045)] = 1
    part[(v < 0.05) & (leg < 0.055)] = 3
    part[(v > 0.46) & (v < 0.83) & (np.abs(u) < 0.085 + 0.05 * (v - 0.46))] = 0
    arm = np.abs(np.abs(u) - 0.125 - 0.1 * stride * np.clip(0.8 - v, 0, 1))
    part[(v > 0.44) & (v < 0.81) & (arm < 0.026)] = 0
    part[(v > 0.41) & (v <= 0.46) & (arm < 0.026)] = 2
    part[np.hypot(u, v - 0.915) < 0.065] = 2
    part[(np.hypot(u, v - 0.93) < 0.068) & (v > 0.945)] = 3
    if bag > 0.6:
        part[_inside(u, v, (0.09, 0.5, 0.19, 0.76))] = 3
    return part


def pole(s, t, surface):
    """A post, with an arm and a lamp above where the surface is wide."""
    width = 0.2
    part = np.full(t.shape, HOLE, np.int8)
    stem = s if surface.side > 0 else surface.length - s
    part[stem < width] = 0
    part[t > surface.height - 0.16] = 0
    part[(t > surface.height - 0.3) & (stem > surface.length - 0.9)] = 1
    return part


def sign(s, t, surface):
    """A round, three-cornered or square sign, or a traffic light. Parts: 0 face, 1 rim, 2 symbol, 3 lamp."""
    shape = int(surface.form[0] * 4)
    u, v = 2 * s / surface.length - 1, 2 * t / surface.height - 1
    away = (
        np.hypot(u, v),
        np.maximum(np.abs(u) + 0.5 * v + 0.35, -v),
        np.maximum(np.abs(u), np.abs(v)),
        np.maximum(np.abs(u), np.abs(v)) - 0.2,
    )[shape]
    part = (away > 0.72).astype(np.int8)
    if shape == 3:
        lamp = np.hypot(u * surface.length / surface.height, modulo(v + 1, 0.667) - 0.333) < 0.22
        part[lamp] = 2
        part[lamp & (np.floor((v + 1) / 0.667) == int(surface.form[1] * 3))] = 3
    else:
        part[(np.abs(u) < 0.2) & (np.abs(v) < 0.45 * (0.5 + surface.form[1]))] = 2
    part[away > 1] = HOLE
    return part
