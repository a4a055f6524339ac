"""Camera and depth buffer of the toy world.

World axes in metres: x to the right, y up, z along the street; the ground is y = 0. Everything that stands is an
upright rectangle in a plane of constant x or constant z, cut out by its material. The camera turns by a yaw and a
shifted horizon, so verticals stay vertical and a surface's depth is one number per image column.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from .materials import HOLE, PARTS

NEAR, FAR = 0.8, 1000.0  # metres; FAR is the depth of the sky, as in CARLA
GROUND = ('road', 'sidewalk', 'verge')  # surfaces 1, 2, 3; surface 0 is the sky


@dataclass(frozen=True)
class Camera:
    """A pinhole camera: position in metres, ``yaw`` in radians, ``horizon`` in image heights, ``focal`` in widths."""

    size: tuple[int, int]
    x: float
    y: float
    z: float
    yaw: float
    horizon: float
    focal: float

    def moved(self, forward: float, sideways: float, yaw: float) -> 'Camera':
        """The camera after a step of ego-motion, in metres and radians."""
        return replace(self, x=self.x + sideways, z=self.z + forward, yaw=self.yaw + yaw)

    def from_above(self, x: float, z: float) -> tuple[float, float]:
        """How far to the right of the camera and how deep in front of it a ground point lies, in metres."""
        cos, sin, x, z = math.cos(self.yaw), math.sin(self.yaw), x - self.x, z - self.z
        return x * cos - z * sin, x * sin + z * cos

    def rays(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """x and z per column (W,), and downward slope per row (H,), of rays that go one metre deep."""
        width, height = self.size
        focal = self.focal * width
        right = (np.arange(width, dtype=np.float32) + 0.5 - width / 2) / focal
        down = (np.arange(height, dtype=np.float32) + 0.5 - self.horizon * height) / focal
        cos, sin = np.cos(self.yaw, dtype=np.float32), np.sin(self.yaw, dtype=np.float32)
        return right * cos + sin, cos - right * sin, down


@dataclass(frozen=True)
class Surface:
    """An upright rectangle in the plane ``axis = at``: ``length`` from ``start``, ``height`` from ``base``, in metres.

    ``form``: uniform numbers in [0, 1) that its material reads. ``side``: +1 or -1, where it is not symmetric.
    """

    kind: str
    material: Callable
    axis: str
    at: float
    start: float
    length: float
    height: float
    base: float = 0.0
    form: tuple[float, ...] = (0.0, 0.0, 0.0)
    side: float = 1.0

    @property
    def ends(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """Ground points (x, z) below its two vertical edges."""
        end = self.start + self.length
        return ((self.at, self.start), (self.at, end)) if self.axis == 'x' else ((self.start, self.at), (end, self.at))

    @property
    def distance(self) -> float:
        """z of the near end in metres."""
        return self.start if self.axis == 'x' else self.at


class GBuffer:
    """What each pixel sees, all (H, W): ``depth`` in metres, ``code`` = surface * PARTS + part, and the point on that
    surface, ``s`` and ``t`` in metres (x and z on the ground, a direction in the sky).
    """

    def __init__(self, camera: Camera) -> None:
        width, height = camera.size
        self.camera = camera
        self.across, self.along, self.down = camera.rays()
        self.depth = np.full((height, width), FAR, np.float32)
        self.code = np.zeros((height, width), np.int16)
        self.s = np.broadcast_to(np.arctan2(self.across, self.along) * 12, (height, width)).copy()
        self.t = np.broadcast_to(-self.down[:, None] * 30, (height, width)).copy()

    def draw_ground(self, ground_map: 'GroundMap') -> None:
        """Fill the rows below the horizon from the map of the ground."""
        first = int(np.searchsorted(self.down, self.camera.y / FAR, side='right'))
        depth = self.camera.y / self.down[first:, None]
        self.s[first:] = self.camera.x + depth * self.across
        self.t[first:] = self.camera.z + depth * self.along
        self.depth[first:] = depth
        self.code[first:] = ground_map.lookup(ground_map.codes, self.s[first:], self.t[first:])

    def _extent(self, surface: Surface) -> tuple[slice, slice] | None:
        """Rows and columns that the rectangle may cover; None where it lies outside the picture."""
        camera, (width, height) = self.camera, self.camera.size
        (right, deep), (right2, deep2) = (camera.from_above(*end) for end in surface.ends)
        if deep > deep2:
            right, deep, right2, deep2 = right2, deep2, right, deep
        if deep2 <= NEAR:
            return None
        if deep < NEAR:  # cut off what lies beside and behind the camera
            right += (right2 - right) * (NEAR - deep) / (deep2 - deep)
            deep = NEAR
        focal, horizon = camera.focal * width, camera.horizon * height
        columns = [round(focal * x / z + width / 2) for x, z in ((right, deep), (right2, deep2))]
        drop, rise = camera.y - surface.base, camera.y - surface.base - surface.height
        rows = [round(focal * y / z + horizon) for y in (rise, drop) for z in (deep, deep2)]
        left, stop = max(min(columns), 0), min(max(columns), width)
        top, bottom = max(min(rows), 0), min(max(rows), height)
        return (slice(top, bottom), slice(left, stop)) if top < bottom and left < stop else None

    def draw(self, number: int, surface: Surface) -> None:
        """Draw one surface wherever nothing nearer has been drawn."""
        window = self._extent(surface)
        if window is None:
            return
        rows, columns = window
        camera, x, z = self.camera, self.across[None, columns], self.along[None, columns]
        if surface.axis == 'x':
            depth = (surface.at - camera.x) / x
            s = depth * z + (camera.z - surface.start)
        else:
            depth = (surface.at - camera.z) / z
            s = depth * x + (camera.x - surface.start)
        nearer = depth < self.depth[window]
        if not nearer.any():
            return
        t = (camera.y - surface.base) - self.down[rows, None] * depth
        part = surface.material(s, t, surface)
        seen = (part != HOLE) & (t >= 0) & (t < surface.height) & nearer
        np.copyto(self.depth[window], depth, where=seen)
        np.copyto(self.code[window], part + np.int16(number * PARTS), where=seen)
        np.copyto(self.s[window], s, where=seen)
        np.copyto(self.t[window], t, where=seen)


class GroundMap:
    """The ground from above, ``METRES`` a pixel: ``codes`` (as in GBuffer) and ``sunlit`` in [0, 255]."""

    METRES = 0.1
    LEFT, BACK, WIDTH, LENGTH = -26.0, -4.0, 52.0, 84.0

    def __init__(self) -> None:
        shape = round(self.LENGTH / self.METRES), round(self.WIDTH / self.METRES)
        self.codes = np.zeros(shape, np.uint8)
        self.sunlit = np.full(shape, 255, np.uint8)

    def pixels(self, points: np.ndarray) -> np.ndarray:
        """(..., 2) points (x, z) in metres as the int32 pixels that cv2 draws at."""
        return np.round((np.asarray(points) - (self.LEFT, self.BACK)) / self.METRES).astype(np.int32)

    def lookup(self, layer: np.ndarray, x: np.ndarray, z: np.ndarray) -> np.ndarray:
        """A layer's values at ground points; beyond the map its rim goes on."""
        column = np.clip((x - self.LEFT) / self.METRES, 0, layer.shape[1] - 1).astype(np.int32)
        row = np.clip((z - self.BACK) / self.METRES, 0, layer.shape[0] - 1).astype(np.int32)
        return layer[row, column]
