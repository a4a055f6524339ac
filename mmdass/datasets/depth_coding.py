"""Metres as grey levels, and back."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class DepthCoding:
    """Maps [near, far] metres to [0, 255], near dark and far bright.

    The defaults are those of CARLA's logarithmic depth, which DELIVER has.

    Args:
        scale: What one grey step is the same amount of: 'linear' (metres), 'log' (a ratio of metres), or 'inverse'
            (1 / metres, that is disparity: finest where it is near, as a stereo camera measures).
        near: Metres that become 0; what is nearer becomes 0 too.
        far: Metres that become 255; what is farther becomes 255 too.

    Raises:
        ValueError: An unknown scale, or a range that is empty or holds no positive number.
    """

    scale: str = 'log'
    near: float = 1000 * float(np.exp(-5.70378))
    far: float = 1000.0

    def __post_init__(self) -> None:
        if self.scale not in _SCALES:
            raise ValueError(f'Depth is coded as {", ".join(map(repr, _SCALES))}, not {self.scale!r}.')
        positive = self.scale == 'linear' or self.near > 0
        if not (positive and 0 <= self.near < self.far < float('inf')):
            raise ValueError(f"Depth from near={self.near} to far={self.far} metres cannot be coded ('{self.scale}'): "
                             'near must be smaller, and above 0 unless linear.')

    def encode(self, metres: np.ndarray) -> np.ndarray:
        """Metres of any shape (above 0) to uint8 grey levels."""
        forward, _ = _SCALES[self.scale]
        begin, end = forward(self.near), forward(self.far)
        position = (forward(np.clip(metres, self.near, self.far)) - begin) / (end - begin)
        return np.rint(255 * position).astype(np.uint8)

    def decode(self, grey: np.ndarray) -> np.ndarray:
        """Grey levels to metres in [near, far], float64; within half a grey step of what was encoded."""
        forward, backward = _SCALES[self.scale]
        begin, end = forward(self.near), forward(self.far)
        return backward(begin + np.asarray(grey, np.float64) / 255 * (end - begin))


# name: (metres to a number that grey levels are proportional to, and back)
_SCALES = dict(
    linear=(lambda metres: metres, lambda value: value),
    log=(np.log, np.exp),
    inverse=(lambda metres: -1 / metres, lambda value: -1 / value),
)
