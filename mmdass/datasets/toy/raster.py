"""Camera and depth buffer of the toy world.

World axes in metres: x to the right, y up, z along the street; the ground is y = 0. Everything that stands is an
upright rectangle in a plane of constant x or constant z, cut out by its material. The camera turns by a yaw and a
shifted horizon, so verticals stay vertical and a surface's depth is one number per image column.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

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
    """What each pixel sees, all (V * H, W): ``depth`` in metres, ``code`` = surface * PARTS + part, and the point on
    that surface, ``s`` and ``t`` in metres (x and z on the ground, a direction in the sky).

    The V pictures lie one below the other; their cameras differ in position and yaw alone.
    """

    def __init__(self, *cameras: Camera) -> None:
        width, height = cameras[0].size
        self.cameras = cameras
        self.across, self.along, down = map(np.stack, zip(*(camera.rays() for camera in cameras), strict=True))
        self.down = down[0]
        self.depth = np.full((len(cameras) * height, width), FAR, np.float32)
        self.code = np.zeros(self.depth.shape, np.int16)
        self.s = np.repeat(np.arctan2(self.across, self.along) * 12, height, axis=0)
        self.t = np.repeat(down.reshape(-1, 1) * -30, width, axis=1)

    def view(self, index: int) -> 'GBuffer':
        """One of the pictures, in the same memory."""
        view = GBuffer(self.cameras[index])
        rows = slice(index * len(self.down), (index + 1) * len(self.down))
        view.depth, view.code, view.s, view.t = (layer[rows] for layer in (self.depth, self.code, self.s, self.t))
        return view

    def draw_ground(self, ground_map: 'GroundMap') -> None:
        """Fill the rows below the horizon from the map of the ground."""
        height = len(self.down)
        for view, camera in enumerate(self.cameras):
            first = int(np.searchsorted(self.down, camera.y / FAR, side='right'))
            rows = slice(view * height + first, (view + 1) * height)
            depth = camera.y / self.down[first:, None]
            self.s[rows] = camera.x + depth * self.across[view]
            self.t[rows] = camera.z + depth * self.along[view]
            self.depth[rows] = depth
            self.code[rows] = ground_map.lookup(ground_map.codes, self.s[rows], self.t[rows])

    def draw(self, first: int, surfaces: Sequence[Surface]) -> None:
        """Draw surfaces, numbered from ``first``, wherever nothing nearer has been drawn.

        All views and surfaces go through each step together, but for the materials: NumPy is slow at little arrays.
        """
        order = sorted(range(len(surfaces)), key=lambda index: surfaces[index].distance)[::-1]
        surfaces = [surfaces[index] for index in order]
        owner, pixel, depth, s, t = self._fragments(_Measures.of(surfaces))
        part = np.empty(len(pixel), np.int8)
        bounds = np.searchsorted(owner, np.arange(len(surfaces) + 1)).tolist()
        for surface, start, stop in zip(surfaces, bounds[:-1], bounds[1:], strict=True):
            if start < stop:
                part[start:stop] = surface.material(s[start:stop], t[start:stop], surface)
        code = part + ((first + np.array(order)) * PARTS).astype(np.int16)[owner]
        seen = np.flatnonzero(part != HOLE)
        np.minimum.at(self.depth.ravel(), pixel[seen], depth[seen])
        seen = seen[depth[seen] == self.depth.ravel()[pixel[seen]]]
        for layer, values in ((self.code, code), (self.s, s), (self.t, t)):
            layer.ravel()[pixel[seen]] = values[seen]  # of two at the same depth the last, whose near end is nearer

    def _fragments(self, measures: '_Measures') -> tuple[np.ndarray, ...]:
        """The points at which rays meet the surfaces in front of what has been drawn, surface by surface.

        Returns:
            (F,) arrays: index of the surface, pixel in the flattened layers, depth, s and t.
        """
        windows = np.stack([measures.windows(camera) for camera in self.cameras], axis=1)  # (N, V, 4)
        top, bottom, left, right = windows.reshape(-1, 4).T
        window, row = np.repeat(np.arange(len(top)), bottom - top), _ranges(top, bottom)  # each row of each window
        lengths = (right - left)[window]
        views, width = self.across.shape
        rim = (window % views * len(self.down) + row) * width
        pixel = _ranges(rim + left[window], rim + right[window])
        column = pixel + np.repeat(window * width - rim, lengths)  # in the flattened (N, V, W) planes
        owner = np.repeat(window // views, lengths)

        depths, places = self._planes(measures)
        depth = depths.ravel()[column]
        drop = (self.cameras[0].y - measures.base).astype(np.float32)
        t = drop[owner] - np.repeat(self.down[row], lengths) * depth
        inside = (t >= 0) & (t < measures.height.astype(np.float32)[owner]) & (depth < self.depth.ravel()[pixel])
        inside = np.flatnonzero(inside)
        return owner[inside], pixel[inside], depth[inside], places.ravel()[column[inside]], t[inside]

    def _planes(self, measures: '_Measures') -> tuple[np.ndarray, np.ndarray]:
        """Depth of each surface's plane in each column, and where along the surface that is, both (N, V, W)."""
        x, z = np.array([(camera.x, camera.z) for camera in self.cameras]).T
        faces_us = measures.faces_us[:, None]
        ahead = (measures.at[:, None] - np.where(faces_us, z, x)).astype(np.float32)[..., None]
        aside = (np.where(faces_us, x, z) - measures.start[:, None]).astype(np.float32)[..., None]
        faces_us = faces_us[..., None]
        depth = ahead / np.where(faces_us, self.along, self.across)
        return depth, depth * np.where(faces_us, self.across, self.along) + aside


def _ranges(starts: np.ndarray, stops: np.ndarray) -> np.ndarray:
    """The integers from each start up to its stop, one range after the other."""
    lengths = stops - starts
    return np.arange(lengths.sum()) + np.repeat(stops - np.cumsum(lengths), lengths)


class _Measures(NamedTuple):
    """Of N surfaces, all (N,): ``faces_us`` where the axis is z, and the rest as in ``Surface``."""

    faces_us: np.ndarray
    at: np.ndarray
    start: np.ndarray
    length: np.ndarray
    base: np.ndarray
    height: np.ndarray

    @classmethod
    def of(cls, surfaces: Sequence[Surface]) -> '_Measures':
        faces_us = np.array([each.axis == 'z' for each in surfaces])
        rest = np.array([(each.at, each.start, each.length, each.base, each.height) for each in surfaces])
        return cls(faces_us, *rest.T)

    def windows(self, camera: Camera) -> np.ndarray:
        """Top, bottom, left and right of the pixels that each may cover, (N, 4); zeros where it is out of sight."""
        right, deep = camera.from_above(*self._ends())
        swap = deep[0] > deep[1]
        right, deep = (np.where(swap, each[::-1], each) for each in (right, deep))
        cut = (deep[0] < NEAR) & (deep[1] > NEAR)  # off goes what lies beside and behind the camera
        right[0, cut] += ((right[1] - right[0]) * (NEAR - deep[0]))[cut] / (deep[1] - deep[0])[cut]
        ahead, deep = deep[1] > NEAR, np.maximum(deep, NEAR)
        width, height = camera.size
        focal, horizon = camera.focal * width, camera.horizon * height
        drop = camera.y - self.base
        rise = drop - self.height
        rows = np.rint(focal * np.stack([rise, drop])[:, None] / deep + horizon).clip(0, height)  # (2, 2, N)
        columns = np.rint(focal * right / deep + width / 2).clip(0, width)
        windows = np.stack([rows.min((0, 1)), rows.max((0, 1)), columns.min(0), columns.max(0)], axis=1).astype(int)
        return windows * (ahead & (windows[:, 0] < windows[:, 1]) & (windows[:, 2] < windows[:, 3]))[:, None]

    def _ends(self) -> tuple[np.ndarray, np.ndarray]:
        """x and z of the two vertical edges, each (2, N)."""
        along = np.stack([self.start, self.start + self.length])
        return np.where(self.faces_us, along, self.at), np.where(self.faces_us, self.at, along)


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
