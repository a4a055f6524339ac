"""Depth files of any unit as pictures or metres."""

import mmcv
import numpy as np
from mmcv.transforms import BaseTransform

from mmdass.datasets.depth_coding import DepthCoding
from mmdass.registry import TRANSFORMS

from .loading import set_image
from .measurements import read_measurements


@TRANSFORMS.register_module()
class LoadDepth(BaseTransform):
    """Load depth (8- or 16-bit PNG, NPY) as (H, W, 3) uint8, near dark and far bright, or as metres.

    Pictures that are coded already (DELIVER's 8-bit logarithmic depth) need no decoding: LoadModalityImage.

    Required key: img_path. Added keys: img, img_shape, ori_shape.

    Args:
        unit: Metres a unit of the file (0.001: millimetres); pixels a unit, if it holds disparities.
        coding: 'linear', 'log' or 'inverse' grey levels, see :class:`DepthCoding`; 'metres' for (H, W, 1) float32
            metres, NaN where invalid, which is what :class:`DepthToHHA` takes.
        near: Metres that become black.
        far: Metres that become white.
        invalid: Value of the file where nothing was measured, None if there is no such value. Numbers that are no
            depth (not above 0, not finite) are invalid too.
        invalid_grey: Grey level of invalid pixels.
        baseline_focal: None if the file holds depth. If it holds disparities: metres between the cameras times focal
            length in pixels; metres = baseline_focal / (unit * (value - disparity_zero)).
        disparity_zero: Value of the file that stands for disparity 0 (Cityscapes: 1, with ``unit=1 / 256``).

    Raises:
        FileNotFoundError, OSError, ValueError: See :func:`read_measurements`; the message names the file. Also
            ValueError if no pixel has a depth.
    """

    def __init__(
        self, unit: float = 0.001, coding: str = 'log', near: float = DepthCoding.near, far: float = DepthCoding.far,
        invalid: float | None = 0, invalid_grey: int = 0, baseline_focal: float | None = None,
        disparity_zero: float = 0,
    ) -> None:
        self.unit = unit
        self.coding = None if coding == 'metres' else DepthCoding(coding, near, far)
        self.invalid = invalid
        self.invalid_grey = invalid_grey
        self.baseline_focal = baseline_focal
        self.disparity_zero = disparity_zero

    def transform(self, results: dict) -> dict:
        metres = self._metres(read_measurements(results['img_path']))
        valid = np.isfinite(metres)
        if not valid.any():
            raise ValueError(f'{results["img_path"]} has no valid depth: every value is {self.invalid} or not above 0. '
                             'Check `invalid` and `unit` of LoadDepth, or leave the image out.')
        if self.coding is None:
            return set_image(results, metres[..., None])
        grey = self.coding.encode(np.where(valid, metres, self.coding.far))
        grey[~valid] = self.invalid_grey
        return set_image(results, mmcv.gray2bgr(grey))

    def _metres(self, values: np.ndarray) -> np.ndarray:
        depth = (values.astype(np.float32) - np.float32(self.disparity_zero)) * np.float32(self.unit)
        valid = np.isfinite(depth) & (depth > 0)
        if self.invalid is not None:
            valid &= values != self.invalid
        depth[~valid] = np.nan
        return depth if self.baseline_focal is None else np.float32(self.baseline_focal) / depth
