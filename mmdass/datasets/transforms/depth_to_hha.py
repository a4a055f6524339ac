"""HHA: horizontal disparity, height above ground, angle with gravity (Gupta et al., ECCV 2014)."""

import cv2
import numpy as np
from mmcv.transforms import BaseTransform

from mmdass.registry import TRANSFORMS


def surface_normals(inverse_depth: np.ndarray, rays: np.ndarray, window: int) -> np.ndarray:
    """Normals of planes fitted to the neighbourhood of each pixel.

    A plane n . P = 1 is linear in inverse depth: n . ray = 1 / z. The least-squares n of a window needs sums only.

    Args:
        inverse_depth: (H, W) 1 / metres, 0 where invalid.
        rays: (H, W, 3) points at depth 1.
        window: Side of the neighbourhood in pixels.

    Returns:
        (H, W, 3) float64 unit vectors that point away from the camera; NaN where a window has no plane.
    """
    weights = (inverse_depth > 0).astype(np.float64)

    def window_sum(values: np.ndarray) -> np.ndarray:
        return cv2.boxFilter(values, cv2.CV_64F, (window, window), normalize=False, borderType=cv2.BORDER_CONSTANT)

    x, y = rays[..., 0], rays[..., 1]
    xx, xy, yy, x1, y1, one = (
        window_sum(weights * term) for term in (x * x, x * y, y * y, x, y, np.ones_like(x)))
    xd, yd, d = (window_sum(inverse_depth * term) for term in (x, y, np.ones_like(x)))
    # The adjugate times the right-hand side: the direction of the solution, without dividing by the determinant.
    normal = np.stack([
        (yy * one - y1 * y1) * xd + (x1 * y1 - xy * one) * yd + (xy * y1 - yy * x1) * d,
        (x1 * y1 - xy * one) * xd + (xx * one - x1 * x1) * yd + (xy * x1 - xx * y1) * d,
        (xy * y1 - yy * x1) * xd + (xy * x1 - xx * y1) * yd + (xx * yy - xy * xy) * d], axis=-1)
    normal[one < 3] = np.nan
    with np.errstate(invalid='ignore', divide='ignore'):
        return normal / np.linalg.norm(normal, axis=-1, keepdims=True)


@TRANSFORMS.register_module()
class DepthToHHA(BaseTransform):
    """Turn metres into (H, W, 3) uint8 HHA. Put it after ``LoadDepth(coding='metres')``, before any change of size.

    Channels in the order R, G, B (the image is BGR, like every other):

    1. disparity: 310 / metres, as Gupta's (his 31000 / centimetres), clipped at 255 (1.2 m);
    2. height above the ground in centimetres, clipped to [0, 255];
    3. angle between the upward direction and the surface's side that the camera sees, in degrees, + 38: 38 for a floor,
       128 for a wall, 218 for a ceiling.

    Gravity is not estimated, as Gupta does, but assumed: it points along ``gravity`` in the camera's own axes (x right,
    y down, z forward), by default straight down in the image. That holds for a car's camera that looks along the road.

    Required key: img, (H, W, 1) metres with NaN where invalid. Changed key: img; invalid pixels become 0.

    Args:
        focal: Focal lengths (x, y) in pixels of the image as loaded, or one number for both.
        center: Principal point (x, y) in pixels; the middle of the image if None.
        camera_height: Metres between the ground and the camera. None: the lowest percent of the
            image's points is the ground.
        gravity: Direction of gravity in camera axes, of any length.
        window: Side in pixels of the neighbourhood in which a surface is taken as a plane.

    Raises:
        ValueError: The image is not metres.
    """

    def __init__(
        self, focal: float | tuple[float, float], center: tuple[float, float] | None = None,
        camera_height: float | None = None, gravity: tuple[float, float, float] = (0, 1, 0), window: int = 7,
    ) -> None:
        self.focal = (focal, focal) if np.isscalar(focal) else tuple(focal)
        self.center = center
        self.camera_height = camera_height
        self.down = np.asarray(gravity, np.float64) / np.linalg.norm(gravity)
        self.window = window

    def transform(self, results: dict) -> dict:
        metres = results['img']
        if metres.dtype != np.float32 or metres.shape[2:] != (1,):
            raise ValueError(f'{results.get("img_path")} comes to DepthToHHA as {metres.dtype} {metres.shape}, not as '
                             "metres. Put LoadDepth(coding='metres') right before it.")
        results['img'] = self.encode(metres[..., 0].astype(np.float64))[..., ::-1].copy()
        return results

    def encode(self, metres: np.ndarray) -> np.ndarray:
        """(H, W) metres to (H, W, 3) uint8 RGB; see the class."""
        valid = np.isfinite(metres)
        rays = self._rays(metres.shape)
        inverse = np.where(valid, 1 / metres, 0)
        depth_below_camera = np.where(valid, metres, 0) * (rays @ self.down)
        ground = self.camera_height
        if ground is None:
            ground = np.percentile(depth_below_camera[valid], 99)
        outward = surface_normals(inverse, rays, self.window)
        angle = np.degrees(np.arccos(np.clip(outward @ self.down, -1, 1)))
        channels = np.stack([310 * inverse, 100 * (ground - depth_below_camera), angle + 38], axis=-1)
        channels[~(valid & np.isfinite(angle))] = 0
        return np.rint(np.clip(channels, 0, 255)).astype(np.uint8)

    def _rays(self, shape: tuple[int, int]) -> np.ndarray:
        height, width = shape
        center = self.center or ((width - 1) / 2, (height - 1) / 2)
        x, y = ((np.arange(size) - middle) / focal
                for size, middle, focal in zip((width, height), center, self.focal, strict=True))
        return np.stack([*np.meshgrid(x, y), np.ones(shape)], axis=-1)
