"""Raw events as pictures or tensors."""

from pathlib import Path

import mmcv
from mmcv.transforms import BaseTransform

from mmdass.datasets.events import REPRESENTATIONS, Events, read_window
from mmdass.datasets.events.dsec import read_rectify_map
from mmdass.registry import TRANSFORMS

from .loading import set_image


@TRANSFORMS.register_module()
class LoadEvents(BaseTransform):
    """Load a window of a raw recording (DSEC's HDF5, text, NPZ) in one of the representations.

    With ``duration``, a window ends just before the sample's 'timestamp' (microseconds; :class:`EventDataset` gives
    it). Without, a file is a sample: all of its events, or its last ``count``.

    Required key: img_path. Optional key: timestamp. Added keys: img, img_shape, ori_shape.

    ============= ===================== ===========================================================================
    name          img                   values
    ============= ===================== ===========================================================================
    edge          (H, W, 3) uint8       128 + ``contrast`` (25.5) x (brighter - darker events), clipped
    histogram     (H, W, 2) float32     counts of darker and brighter events, [0, number of events]
    voxel_grid    (H, W, bins) float32  signed polarities over ``bins`` (5), [-number, number of events]
    time_surface  (H, W, 2) float32     exp(-age / ``decay``), [0, 1]; ``decay`` in microseconds (10 000)
    ============= ===================== ===========================================================================

    Args:
        representation: A name of the table.
        duration: Length of the window in microseconds; DSEC has a frame every 50 000.
        count: Take this many events before the timestamp, or before the end of the file, instead of a duration.
        sensor: Height and width of the sensor in pixels.
        crop: Height and width of the upper left part to keep; (440, 640) for DSEC-Semantic, whose labels end there.
        rectify_map: Path of DSEC's rectification map, relative to the recording's folder ('rectify_map.h5'); events are
            then moved to the undistorted image. None leaves them where the sensor saw them.
        time_unit: 'us' or 's', of text files.
        **options: Further arguments of the representation.

    Raises:
        FileNotFoundError, OSError, ValueError, ImportError: See :func:`read_window`; the message names the file. Also
            ValueError if all events leave the image, a window has no timestamp, or a timestamp no window.
    """

    def __init__(
        self, representation: str = 'edge', duration: int | None = None, count: int | None = None,
        sensor: tuple[int, int] = (480, 640), crop: tuple[int, int] | None = None, rectify_map: str | None = None,
        time_unit: str = 'us', **options,
    ) -> None:
        if representation not in REPRESENTATIONS:
            raise ValueError(f'Events are represented as {", ".join(REPRESENTATIONS)}, not {representation!r}.')
        if duration is not None and duration <= 0:
            raise ValueError(f'A time window of {duration} us is empty or negative: set `duration` above 0.')
        if duration is not None and count is not None:
            raise ValueError('A window has a `duration` or a `count`, not both; leave out one of them.')
        self.representation = representation
        self.duration = duration
        self.count = count
        self.sensor = tuple(sensor)
        self.crop = crop
        self.rectify_map = rectify_map
        self.time_unit = time_unit
        self.options = options

    def transform(self, results: dict) -> dict:
        img = REPRESENTATIONS[self.representation](self.load(results), **self.options)
        return set_image(results, mmcv.gray2bgr(img) if img.ndim == 2 else img)

    def load(self, results: dict) -> Events:
        """The events of the sample's window, rectified and cropped."""
        path, stop = results['img_path'], results.get('timestamp')
        self._require_window(path, stop)
        start = None if self.duration is None else stop - self.duration
        events = read_window(path, start, stop, self.count, sensor=self.sensor, time_unit=self.time_unit)
        if self.rectify_map is not None:
            events = events.rectified(read_rectify_map(Path(path).parent / self.rectify_map))
        if self.crop is not None:
            events = events.cropped(*self.crop)
        if not len(events):
            raise ValueError(f'{path}: every event before {stop} us leaves the image. Check `rectify_map` and `crop`.')
        return events

    def _require_window(self, path: str, stop: int | None) -> None:
        if self.duration is not None and stop is None:
            raise ValueError(f'{path} comes without a timestamp, so that no window can end there. Take EventDataset '
                             'for recordings of many frames; for a file a sample, leave out `duration` of LoadEvents.')
        if stop is not None and self.duration is None and self.count is None:
            raise ValueError(f'{path} is a recording of many frames: set `duration` (microseconds) or `count` of '
                             'LoadEvents.')
