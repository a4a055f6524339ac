"""Infrared files of 8 or 16 bits as pictures."""

import mmcv
import numpy as np
from mmcv.transforms import BaseTransform

from mmdass.registry import TRANSFORMS

from .loading import set_image
from .measurements import read_measurements


@TRANSFORMS.register_module()
class LoadInfrared(BaseTransform):
    """Load infrared (8- or 16-bit image, NPY) as (H, W, 3) uint8, cold dark and hot bright.

    Values become gain * value + offset, of which a range is stretched over [0, 255]; what is outside is clipped. A
    fixed range keeps temperatures comparable between images; percentiles give every image its own contrast.

    Required key: img_path. Added keys: img, img_shape, ori_shape.

    Args:
        value_range: (low, high) that become 0 and 255, in counts, or in what gain and offset make of them (kelvin).
            None for ``percentiles``.
        percentiles: (low, high) percentiles of the image that become 0 and 255.
        gain: Kelvin a count (a FLIR camera in TLinear mode: 0.01 or 0.04), 1 to stay with counts.
        offset: Kelvin at count 0.
        clahe: Clip limit of contrast-limited adaptive histogram equalization (OpenCV's, on 8 x 8 tiles); None for none.

    Raises:
        FileNotFoundError, OSError, ValueError: See :func:`read_measurements`; the message names the file. Also
            ValueError if a range is empty, or the image has NaN or infinite values.
    """

    def __init__(
        self, value_range: tuple[float, float] | None = None, percentiles: tuple[float, float] = (1, 99),
        gain: float = 1.0, offset: float = 0.0, clahe: float | None = None,
    ) -> None:
        for name, (low, high) in dict(value_range=value_range or (0, 1), percentiles=percentiles).items():
            if not low < high:
                raise ValueError(f'`{name}` of LoadInfrared is (low, high) with low < high, not ({low}, {high}).')
        self.value_range = value_range
        self.percentiles = percentiles
        self.gain = gain
        self.offset = offset
        self.clahe = clahe

    def transform(self, results: dict) -> dict:
        values = read_measurements(results['img_path']) * np.float32(self.gain) + np.float32(self.offset)
        if not np.isfinite(values).all():
            raise ValueError(f'{results["img_path"]} has NaN or infinite values. Replace them, or leave the image out.')
        low, high = self.value_range or np.percentile(values, self.percentiles)
        if low == high:
            raise ValueError(f'{results["img_path"]} has one value almost everywhere ({low}): its percentiles '
                             f'{self.percentiles} span no range. Set `value_range` of LoadInfrared, or leave it out.')
        grey = np.rint(np.clip((values - low) / (high - low), 0, 1) * 255).astype(np.uint8)
        if self.clahe is not None:
            grey = mmcv.clahe(grey, self.clahe)
        return set_image(results, mmcv.gray2bgr(grey))
