"""Events of one window of time."""

from dataclasses import dataclass, replace

import numpy as np

MAX_PIXELS = 10**8  # of a sensor; a file can declare more than fits into memory


@dataclass(frozen=True, eq=False)
class Events:
    """Events of a sensor, ordered by time. Four arrays of one length (N,).

    Args:
        t: Microseconds, int64.
        x: Column in [0, width), an integer type.
        y: Row in [0, height), an integer type.
        p: Polarity, uint8: 1 where it became brighter, 0 where it became darker.
        height: Rows of the sensor in pixels.
        width: Columns of the sensor in pixels.
    """

    t: np.ndarray
    x: np.ndarray
    y: np.ndarray
    p: np.ndarray
    height: int
    width: int

    @classmethod
    def checked(
        cls, t: np.ndarray, x: np.ndarray, y: np.ndarray, p: np.ndarray, height: int, width: int,
        source: str = 'The events',
    ) -> 'Events':
        """Events from arrays that may be wrong; polarities may also be -1 and 1.

        Args:
            source: Where they come from, for messages.

        Raises:
            ValueError: Arrays of different lengths, numbers that are no integers, times that decrease, pixels outside
                the sensor, other polarities, a sensor that no camera has.
        """
        if min(height, width) < 1 or height * width > MAX_PIXELS:
            raise ValueError(f'{source}: no camera has a sensor of {height} x {width} (height x width) pixels.')
        t, x, y, p = (np.asarray(values) for values in (t, x, y, p))
        if not t.shape == x.shape == y.shape == p.shape == (t.size,):
            raise ValueError(f'{source}: t, x, y and p are not lists of one length: {t.shape}, {x.shape}, {y.shape}, '
                             f'{p.shape}. The file is incomplete: copy it again from its source.')
        for name, values in dict(t=t, x=x, y=y, p=p).items():
            if values.dtype.kind not in 'biu':
                raise ValueError(f'{source}: {name} is {values.dtype}, integers are expected (t in microseconds).')
        t = t.astype(np.int64, copy=False)
        backwards = np.flatnonzero(t[1:] < t[:-1])
        if len(backwards):
            first = int(backwards[0])
            raise ValueError(
                f'{source}: {len(backwards)} events are out of order, the first at index {first + 1}: '
                f'{t[first + 1]} us follows {t[first]} us. Sort the file by time (numpy.argsort(t, kind="stable")), or '
                'copy it again.'
            )
        if len(t) and (x.min() < 0 or x.max() >= width or y.min() < 0 or y.max() >= height):
            raise ValueError(
                f'{source}: events outside the sensor of {height} x {width} (height x width): x in [{x.min()}, '
                f'{x.max()}], y in [{y.min()}, {y.max()}]. Set the size of the sensor that recorded the file.'
            )
        if len(p) and (p.min() < -1 or p.max() > 1 or (p.dtype.kind == 'i' and p.min() < 0 and (p == 0).any())):
            raise ValueError(f'{source}: polarities {np.unique(p)[:5].tolist()}; 0 and 1, or -1 and 1, are expected.')
        return cls(t, x, y, (p > 0).astype(np.uint8), height, width)

    def __len__(self) -> int:
        return len(self.t)

    def between(self, begin: int, end: int) -> 'Events':
        """Events number ``begin`` to ``end - 1``."""
        part = slice(begin, end)
        return replace(self, t=self.t[part], x=self.x[part], y=self.y[part], p=self.p[part])

    def rectified(self, rectify_map: np.ndarray) -> 'Events':
        """Moved to the undistorted image, rounded to its pixels; events that leave it are dropped.

        Args:
            rectify_map: (height, width, 2) float: undistorted x and y of each pixel of the sensor.

        Raises:
            ValueError: The map is of another size.
        """
        if rectify_map.shape != (self.height, self.width, 2):
            raise ValueError(f'The rectification map is {rectify_map.shape}, ({self.height}, {self.width}, 2) is '
                             "expected; take the map of the events' own camera.")
        moved = np.rint(rectify_map[self.y, self.x])
        x, y = moved[:, 0], moved[:, 1]
        inside = (x >= 0) & (x < self.width) & (y >= 0) & (y < self.height)
        return replace(self, t=self.t[inside], x=x[inside].astype(np.uint16), y=y[inside].astype(np.uint16),
                       p=self.p[inside])

    def cropped(self, height: int, width: int) -> 'Events':
        """Those of the upper left ``height`` x ``width`` pixels."""
        inside = (self.x < width) & (self.y < height)
        return Events(self.t[inside], self.x[inside], self.y[inside], self.p[inside], height, width)
