"""Camera and depth buffer of the toy world.

World axes in metres: x to the right, y up, z along the street; the ground is y = 0. Everything that stands is an upright
rectangle in a plane of constant x or constant z, cut out by its material. Turning the camera is a yaw and a shifted
horizon, so verticals stay vertical and a surface's depth is one number per image column.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from .materials import HOLE, PARTS

NEAR, FAR = 0.8, 1000.0  # metres; FAR is the depth of the sky, as in CARLA
GROUND = ('road', 'sidewalk', 'verge')  # surfaces 1, 2, 3; surface 0 is the sky


@dataclass(frozen=True)
class Camera:
    """A pinhole camera; position in metres, ``yaw`` in radians, ``horizon`` and ``focal`` in image heights and widths."""

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
    """An upright rectangle: the plane ``axis = at``, from ``start`` over ``length`` along it and ``base`` over ``height``.

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


class GBuffer:
    """What each pixel sees, all (H, W): ``depth`` metres, ``code`` = surface * PARTS + part, ``s``, ``t`` metres on it."""

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

    def draw(self, number: int, surface: Surface) -> None:
        """Draw one surface wherever nothing nearer has been drawn."""
        camera = self.camera
        toward, along, here, there = (
            (self.across, self.along, camera.x, camera.z) if surface.axis == 'x'
            else (self.along, self.across, camera.z, camera.x))
        with np.errstate(divide='ignore'):
            depth = (surface.at - here) / toward
        s = depth * along + (there - surface.start)
        columns = np.flatnonzero((depth > NEAR) & (depth < FAR) & (s >= 0) & (s < surface.length))
        if not columns.size:
            return
        columns = slice(columns[0], columns[-1] + 1)
        depth, s = depth[None, columns], s[None, columns]
        below_eye = camera.y - surface.base
        top = np.searchsorted(self.down, ((below_eye - surface.height) / depth).min())
        bottom = np.searchsorted(self.down, (below_eye / depth).max())
        window = slice(top, bottom), columns
        t = below_eye - self.down[top:bottom, None] * depth
        part = surface.material(s, t, surface)
        seen = (part != HOLE) & (t >= 0) & (t < surface.height) & (depth < self.depth[window])
        np.copyto(self.depth[window], depth, where=seen)
        np.copyto(self.code[window], part + np.int16(number * PARTS), where=seen)
        np.copyto(self.s[window], s, where=seen)
        np.copyto(self.t[window], t, where=seen)


class GroundMap:
    """The ground from above, ``METRES`` a pixel: ``codes`` (as in GBuffer) and ``sunlit`` in [0, 255]."""

    METRES = 0.1
    LEFT, BACK, WIDTH, LENGTH = -26.0, -6.0, 52.0, 106.0

    def __init__(self) -> None:
        shape = round(self.LENGTH / self.METRES), round(self.WIDTH / self.METRES)
        self.codes = np.zeros(shape, np.uint8)
        self.sunlit = np.full(shape, 255, np.uint8)

    def pixels(self, points: np.ndarray) -> np.ndarray:
        """(N, 2) points (x, z) in metres as the int32 pixels that cv2 draws at."""
        return np.round((np.asarray(points) - (self.LEFT, self.BACK)) / self.METRES).astype(np.int32)

    def lookup(self, layer: np.ndarray, x: np.ndarray, z: np.ndarray) -> np.ndarray:
        """A layer's values at ground points; beyond the map its rim goes on."""
        column = np.clip((x - self.LEFT) / self.METRES, 0, layer.shape[1] - 1).astype(np.int32)
        row = np.clip((z - self.BACK) / self.METRES, 0, layer.shape[0] - 1).astype(np.int32)
        return layer[row, column]
