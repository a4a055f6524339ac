"""Events of a window as an array: vectorised numpy."""

from collections.abc import Callable, Iterator

import numpy as np

from .container import Events


def edge_image(events: Events, contrast: float = 25.5) -> np.ndarray:
    """Signed edges on mid-grey, as event images are usually shown.

    Each pixel is 128 + ``contrast`` x (brighter - darker events), rounded and clipped. MADM's images have the same look
    (grey, brighter and darker edges), but the code that made them is unpublished; a plain signed count has one
    parameter and needs no past.

    Args:
        events: A window.
        contrast: Grey levels an event; 25.5 reaches black and white at five events.

    Returns:
        (height, width) uint8; 128: as many brighter as darker events, or none.
    """
    counts = histogram(events)
    return np.clip(np.rint(128 + contrast * (counts[..., 1] - counts[..., 0])), 0, 255).astype(np.uint8)


def histogram(events: Events) -> np.ndarray:
    """Events a pixel.

    Returns:
        (height, width, 2) float32: counts of darker (0) and brighter (1) events.
    """
    counts = np.bincount(_pixel_and_polarity(events), minlength=2 * events.height * events.width)
    return counts.reshape(events.height, events.width, 2).astype(np.float32)


def voxel_grid(events: Events, bins: int = 5) -> np.ndarray:
    """Polarities spread over time bins, as in E2VID and DSEC, not normalised.

    The first event's time is the centre of bin 0, the last one's that of the last bin; an event between two centres
    gives each of them its share of the polarity, -1 or 1 (linear interpolation).

    Args:
        events: A window.
        bins: At least 2.

    Returns:
        (height, width, bins) float32. The sum over the bins is brighter - darker events.
    """
    if bins < 2:
        raise ValueError(f'A voxel grid needs at least 2 bins, not {bins}; one bin alone is a signed count.')
    grid = np.zeros(events.height * events.width * bins, np.float32)
    for block in _blocks(events):
        position = (block.t - events.t[0]) * ((bins - 1) / max(events.t[-1] - events.t[0], 1))
        bin_ = np.minimum(position.astype(np.intp), bins - 2)
        index = _pixel(block) * bins + bin_
        sign = block.p * np.float32(2) - np.float32(1)
        later = sign * (position - bin_).astype(np.float32)
        np.add.at(grid, index, sign - later)
        np.add.at(grid, index + 1, later)
    return grid.reshape(events.height, events.width, bins)


def time_surface(events: Events, decay: float = 10_000.0) -> np.ndarray:
    """How fresh the newest event of each pixel and polarity is.

    Args:
        events: A window.
        decay: Microseconds in which the value falls to 1/e.

    Returns:
        (height, width, 2) float32 in [0, 1] of darker (0) and brighter (1) events: exp(-age / decay), where the age
        is counted back from the last event of the window; 0: no event.
    """
    surface = np.zeros(2 * events.height * events.width, np.float32)
    for block in _blocks(events):
        freshness = np.exp(((block.t - events.t[-1]) / decay).astype(np.float32))
        # Unlike an assignment with repeated indices, this is defined for every order.
        np.maximum.at(surface, _pixel_and_polarity(block), freshness)
    return surface.reshape(events.height, events.width, 2)


def _blocks(events: Events, size: int = 1 << 16) -> Iterator[Events]:
    """Consecutive parts whose intermediate arrays fit into the cache."""
    for begin in range(0, len(events), size):
        yield events.between(begin, begin + size)


def _pixel(events: Events) -> np.ndarray:
    index = events.y.astype(np.intp)
    index *= events.width
    index += events.x
    return index


def _pixel_and_polarity(events: Events) -> np.ndarray:
    index = _pixel(events)
    index *= 2
    index += events.p
    return index


REPRESENTATIONS: dict[str, Callable[..., np.ndarray]] = dict(
    edge=edge_image, histogram=histogram, voxel_grid=voxel_grid, time_surface=time_surface
)
