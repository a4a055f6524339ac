"""Events of a window as an array: every function is one pass of vectorised numpy."""

from collections.abc import Callable

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
    grid = np.zeros((bins, events.height * events.width))
    if len(events):
        pixel, sign = _pixel(events), events.p * 2.0 - 1.0
        position = (events.t - events.t[0]) * ((bins - 1) / max(events.t[-1] - events.t[0], 1))
        # Sorted by time, the events between two centres are neighbours: no index of bins is needed.
        borders = [0, *np.searchsorted(position, np.arange(1, bins - 1)), len(events)]
        for bin_ in range(bins - 1):
            part = slice(borders[bin_], borders[bin_ + 1])
            later = sign[part] * (position[part] - bin_)
            grid[bin_] += np.bincount(pixel[part], sign[part] - later, grid.shape[1])
            grid[bin_ + 1] += np.bincount(pixel[part], later, grid.shape[1])
    return np.moveaxis(grid, 0, -1).reshape(events.height, events.width, bins).astype(np.float32)


def time_surface(events: Events, decay: float = 10_000.0) -> np.ndarray:
    """How fresh the newest event of each pixel and polarity is.

    Args:
        events: A window.
        decay: Microseconds in which the value falls to 1/e.

    Returns:
        (height, width, 2) float32 in [0, 1] of darker (0) and brighter (1) events: exp(-age / decay), where the age
        is counted back from the last event of the window; 0: no event.
    """
    never = np.iinfo(np.int64).min
    newest = np.full(2 * events.height * events.width, never)
    # Unlike an assignment with repeated indices, this is defined for every order.
    np.maximum.at(newest, _pixel_and_polarity(events), events.t)
    seen = newest != never
    surface = np.zeros(newest.shape, np.float32)
    if len(events):
        surface[seen] = np.exp((newest[seen] - events.t[-1]) / decay)
    return surface.reshape(events.height, events.width, 2)


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
