"""From what each pixel sees to pictures: the light of a toy scene and the sensors that look at it.

All functions are pure: the same G-buffer, appearance and weather give the same picture; noise comes from the generator
that is handed in.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from .appearance import Appearance
from .materials import PARTS, TEXELS, TILE, modulo, noise_tile
from .raster import FAR, GROUND, GBuffer, GroundMap

_LOG_DEPTH = 5.70378  # CARLA's logarithmic depth: 1 + ln(depth / FAR) / 5.70378
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)
_SENSOR_RESPONSE = np.array([[0.80, 0.12, 0.05], [0.14, 0.74, 0.17], [0.06, 0.14, 0.78]], np.float32)


@dataclass(frozen=True)
class Weather:
    """Light and air of a scene: ``towards_sun`` a unit vector, colours in linear RGB, ``clouds`` in [0, 1] and their
    ``drift`` in noise pixels, ``sight`` in metres.
    """

    towards_sun: np.ndarray
    sunlight: np.ndarray
    skylight: np.ndarray
    zenith: np.ndarray
    horizon: np.ndarray
    clouds: float
    drift: int
    sight: float


def draw_weather(rng: np.random.Generator, shadow: tuple[float, float]) -> Weather:
    """Clear, hazy, overcast or low evening sun; ``shadow`` as in ``Layout`` gives where the sun stands."""
    towards_sun = np.array([-shadow[0], 1.0, -shadow[1]], np.float32)
    strength = rng.choice([1.1, 0.7, 0.12], p=[0.45, 0.3, 0.25]) * rng.uniform(0.8, 1.1)
    warmth = rng.uniform(0, 1) ** 2
    sun = np.array([1.0, 1 - 0.2 * warmth, 1 - 0.45 * warmth])
    sky = np.array([0.45, 0.52, 0.62]) * rng.uniform(0.7, 1.2)
    blue, grey = np.array([0.16, 0.33, 0.62]), np.full(3, rng.uniform(0.4, 0.75))
    overcast = float(np.clip(1.1 - strength + rng.uniform(-0.2, 0.2), 0, 1))
    zenith = (1 - overcast) * blue + overcast * grey
    horizon = 0.35 * zenith + 0.65 * (0.55 + 0.3 * sun * rng.uniform(0.6, 1))
    return Weather(
        towards_sun / np.linalg.norm(towards_sun), (strength * sun).astype(np.float32), sky.astype(np.float32),
        zenith.astype(np.float32), horizon.astype(np.float32), rng.uniform(0, 1), int(rng.integers(TILE)),
        rng.uniform(90, 400))


def sunlit(buffer: GBuffer, ground: GroundMap, appearance: Appearance) -> np.ndarray:
    """How much direct sun each pixel gets, (H, W) in [0, 1]: by orientation, and on the ground by cast shadows."""
    lit = np.take(appearance.sun, buffer.code)
    on_ground = (buffer.code >= PARTS) & (buffer.code < PARTS * (1 + len(GROUND)))
    lit[on_ground] *= ground.lookup(ground.sunlit, buffer.s[on_ground], buffer.t[on_ground]) * np.float32(1 / 255)
    return lit


def _noise(column: np.ndarray, row: np.ndarray, phase: int | np.ndarray) -> np.ndarray:
    column, row = column.astype(np.int32) + phase, row.astype(np.int32)
    return np.take(noise_tile(), (row & TILE - 1) * TILE + (column & TILE - 1))


def texture(buffer: GBuffer, appearance: Appearance, strength: float) -> np.ndarray:
    """Grain, stains and the joints of bricks and slabs as a factor on the colour, (H, W) about 1."""
    phase = buffer.code // PARTS * 37
    fine = _noise(buffer.s * TEXELS, buffer.t * TEXELS, phase)
    coarse = _noise(buffer.s * 3, buffer.t * 3, phase)
    near = 12 / (12 + buffer.depth)  # what is smaller than a pixel averages out
    factor = 1 + strength * np.take(appearance.grain, buffer.code) * (fine * near + 0.7 * coarse)
    laid = np.take(appearance.courses[:, 0] > 0, buffer.code)
    pixels = np.flatnonzero(laid & (buffer.depth < 18))
    code, s, t, depth = (layer.ravel()[pixels] for layer in (buffer.code, buffer.s, buffer.t, buffer.depth))
    long, high = np.take(appearance.courses, code, axis=0).T
    course = np.floor(t.astype(np.float64) / high).astype(np.float32)  # np.divmod is slow, see ``modulo``
    joint = (modulo(t, high) < 0.07) | (modulo(s + 0.5 * long * modulo(course, 2), long) < 0.06)
    factor.ravel()[pixels] -= joint * (0.3 * strength * (1 - depth / 18))
    return np.clip(factor, 0.2, 1.8)


def _sky(buffer: GBuffer, weather: Weather, sky: np.ndarray) -> np.ndarray:
    """Colours of the sky pixels, (N, 3)."""
    height = np.clip(buffer.t[sky] / 14, 0, 1)[:, None]
    colour = weather.horizon + (weather.zenith - weather.horizon) * height
    cloud = _noise(buffer.s[sky] * 6, buffer.t[sky] * 14, weather.drift)[:, None]
    return colour + (0.85 - colour) * np.clip(cloud * 0.5 + weather.clouds - 0.5, 0, 0.9)


def radiance(
    buffer: GBuffer, ground: GroundMap, appearance: Appearance, weather: Weather, grain: float, sight: float,
) -> np.ndarray:
    """Linear light that reaches the camera, (H, W, 3) RGB, about [0, 1] but not clipped.

    ``grain`` is the strength of textures, ``sight`` the distance in metres at which haze takes 63 % of the contrast.
    """
    sunlight, skylight, horizon = (
        colour[:, None, None] for colour in (weather.sunlight, weather.skylight, weather.horizon))
    planes = np.take(appearance.colour.T, buffer.code, axis=1)  # channels first is twice as fast
    planes *= texture(buffer, appearance, grain)
    planes *= sunlit(buffer, ground, appearance) * sunlight + skylight
    planes -= horizon
    planes *= np.exp(buffer.depth * np.float32(-1 / sight))
    planes += horizon
    image = np.ascontiguousarray(planes.transpose(1, 2, 0))
    sky = buffer.code < PARTS
    image[sky] = _sky(buffer, weather, sky)
    return image


def _to_bgr(image: np.ndarray) -> np.ndarray:
    """RGB in [0, 1] to contiguous uint8 BGR; what is outside is clipped."""
    return cv2.cvtColor(np.clip(image * 255 + 0.5, 0, 255).astype(np.uint8), cv2.COLOR_RGB2BGR)


def _grey(image: np.ndarray) -> np.ndarray:
    """(H, W) in [0, 1] to (H, W, 3) uint8 with three equal channels."""
    return cv2.cvtColor(np.clip(image * 255 + 0.5, 0, 255).astype(np.uint8), cv2.COLOR_GRAY2BGR)


def synthetic_look(image: np.ndarray) -> np.ndarray:
    """Linear light to a clean, saturated, game-like picture, uint8 BGR."""
    image = np.sqrt(np.maximum(image, 0))
    luma = (image @ _LUMA)[..., None]
    return _to_bgr(luma + 1.25 * (image - luma))


def real_look(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Linear light through a lens and a sensor: blur, vignetting, white balance, noise, tone curve; uint8 BGR."""
    height, width = image.shape[:2]
    image = cv2.GaussianBlur(image, (3, 3), rng.uniform(0.5, 0.85))
    image = image @ (_SENSOR_RESPONSE * rng.uniform(0.88, 1.12, 3).astype(np.float32))
    across, down = np.linspace(-1, 1, width, dtype=np.float32), np.linspace(-1, 1, height, dtype=np.float32)
    falloff = 1 - rng.uniform(0.15, 0.35) * (across**2 + down[:, None] ** 2)
    image *= (falloff * rng.uniform(0.75, 1.15))[..., None].astype(np.float32)
    image = np.sqrt(np.maximum(image, 0))
    image += rng.standard_normal(image.shape, np.float32) * np.float32(rng.uniform(0.008, 0.028))
    image = np.clip(image, 0, 1)
    return _to_bgr(0.04 + 0.93 * (0.45 * image + 0.55 * image * image * (3 - 2 * image)))


def log_depth(depth: np.ndarray) -> np.ndarray:
    """Depth in metres to CARLA's logarithmic code, near dark and sky white, (H, W, 3) uint8."""
    return _grey(1 + np.log(depth / FAR) / np.float32(_LOG_DEPTH))


def infrared(
    buffer: GBuffer, ground: GroundMap, appearance: Appearance, weather: Weather, rng: np.random.Generator,
) -> np.ndarray:
    """What a thermal camera shows, white is hot, (H, W, 3) uint8.

    Temperatures of the parts, warmer in the sun, plus the cold sky where emissivity is below one; then blur, row
    pattern, noise, and a gain set by the picture itself as thermal cameras do.
    """
    heat = appearance.heat[buffer.code]
    sun = sunlit(buffer, ground, appearance) * weather.sunlight.mean()
    texel = texture(buffer, appearance, 1.0)
    kelvin = heat[..., 0] + heat[..., 1] * sun + 5 * (texel - 1)
    emissivity = appearance.emissivity[buffer.code]
    sky_kelvin = -28 + 14 * weather.clouds
    kelvin = emissivity * kelvin + (1 - emissivity) * sky_kelvin
    kelvin *= np.exp(buffer.depth * np.float32(-1 / 250))  # the air between glows at its own temperature
    sky = buffer.code < PARTS
    kelvin[sky] = sky_kelvin * (0.12 + 0.88 * np.clip(buffer.t[sky] / 12, 0, 1))
    kelvin = cv2.GaussianBlur(kelvin, (5, 5), rng.uniform(0.7, 1.1))
    kelvin += rng.standard_normal(kelvin.shape, np.float32) * np.float32(rng.uniform(0.25, 0.6))
    kelvin += rng.standard_normal((1, kelvin.shape[1]), np.float32) * np.float32(0.2)
    low, high = rng.uniform(-9, -5), rng.uniform(9, 14)
    return _grey((kelvin - low) / (high - low))


def event_counts(
    before: np.ndarray, after: np.ndarray, threshold: float, rng: np.random.Generator,
) -> np.ndarray:
    """Signed number of events a pixel fires between two linear images (H, W, 3), (H, W) int16.

    A pixel fires each time its log intensity has moved by ``threshold``, which varies a little from pixel to pixel;
    a few fire without a reason.
    """
    logs = [np.log(cv2.GaussianBlur(image @ _LUMA, (3, 3), 0.6) + np.float32(0.03)) for image in (before, after)]
    spread = 1 + 0.06 * rng.standard_normal(before.shape[:2], np.float32)
    steps = (logs[1] - logs[0]) / (np.float32(threshold) * spread)
    stray = rng.random(before.shape[:2], np.float32)
    return (np.trunc(steps) + (stray < 0.004) - (stray > 0.996)).astype(np.int16)


def expand_events(
    counts: np.ndarray, microseconds: int, rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Counts to single events (t, x, y, p) in order of time; types as in ``ToyScene.events``."""
    y, x = np.nonzero(counts)
    number = np.abs(counts[y, x]).astype(np.int64)
    rank = np.arange(number.sum()) - np.repeat(np.cumsum(number) - number, number)
    repeated = np.repeat(number, number)
    t = ((rank + rng.random(len(rank))) / repeated * microseconds).astype(np.int64)
    order = np.argsort(t, kind='stable')
    x, y, p = (np.repeat(column, number)[order] for column in (x, y, counts[y, x] > 0))
    return t[order], x.astype(np.uint16), y.astype(np.uint16), p.astype(np.uint8)


def accumulate(counts: np.ndarray, gain: float = 20.0) -> np.ndarray:
    """Signed event counts round mid-grey 128, (H, W, 3) uint8."""
    return cv2.cvtColor(np.clip(128 + gain * counts, 0, 255).astype(np.uint8), cv2.COLOR_GRAY2BGR)
