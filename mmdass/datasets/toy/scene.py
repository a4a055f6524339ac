"""``ToyStreet(seed).scene(index)``: one street, seen by every sensor."""

from functools import cached_property

import numpy as np

from . import render
from .appearance import Appearance, class_table, furnish
from .layout import Layout, lay_out
from .raster import GROUND, Camera, GBuffer

TOY_WORLD_VERSION = 1
"""The toy world is a measuring instrument: what it draws for a (seed, index) changes only together with this number."""

# Each has its own random stream, so that the sensors see one geometry and do not disturb one another.
_PURPOSES = ('geometry', 'weather', 'colours', 'heats', 'rgb', 'infrared', 'event', 'event times')


MODALITIES = ('rgb', 'depth', 'infrared', 'event')
"""What a toy scene can be seen by."""


class ToyStreet:
    """An endless supply of procedural street scenes in the eleven classes of 'madm11'.

    Args:
        seed: Scenes of two seeds have nothing in common.
        size: Width and height of the images in pixels.

    Example:
        >>> scene = ToyStreet(seed=0).scene(7)
        >>> scene.rgb('real').shape, scene.label.shape
        ((128, 256, 3), (128, 256))
    """

    version = TOY_WORLD_VERSION

    def __init__(self, seed: int = 0, size: tuple[int, int] = (256, 128)) -> None:
        self.seed = seed
        self.size = tuple(size)

    def scene(self, index: int) -> 'ToyScene':
        """The scene with a number, the same one on each call."""
        return ToyScene(self.seed, index, self.size)


class ToyScene:
    """One scene. The geometry is common to all sensors; each picture is made when it is asked for.

    Images are (H, W, 3) uint8, BGR; those of grey sensors have three equal channels.
    """

    def __init__(self, seed: int, index: int, size: tuple[int, int]) -> None:
        self.seed, self.index, self.size = seed, index, size

    def _stream(self, purpose: str) -> np.random.Generator:
        return np.random.default_rng([self.seed, self.index, _PURPOSES.index(purpose), TOY_WORLD_VERSION])

    @cached_property
    def _layout(self) -> Layout:
        return lay_out(self._stream('geometry'), self.size)

    @cached_property
    def _weather(self) -> render.Weather:
        return render.draw_weather(self._stream('weather'), self._layout.shadow)

    @cached_property
    def _appearance(self) -> Appearance:
        return furnish(self._layout.surfaces, self._weather.towards_sun, self._layout.camera.x,
                       self._stream('colours'), self._stream('heats'))

    def _look_from(self, *cameras: Camera) -> GBuffer:
        buffer = GBuffer(*cameras)
        buffer.draw_ground(self._layout.ground)
        buffer.draw(1 + len(GROUND), self._layout.surfaces)
        return buffer

    @cached_property
    def _buffer(self) -> GBuffer:
        return self._look_from(self._layout.camera)

    def _radiance(self, buffer: GBuffer, grain: float, sight: float) -> np.ndarray:
        return render.radiance(buffer, self._layout.ground, self._appearance, self._weather, grain, sight)

    @property
    def label(self) -> np.ndarray:
        """Class index of each pixel in the label space 'madm11', (H, W) uint8; no pixel is ignored."""
        return class_table(self._layout.surfaces)[self._buffer.code]

    @property
    def depth(self) -> np.ndarray:
        """Distance along the optical axis in metres, (H, W) float32; 1000 where the sky is."""
        return self._buffer.depth

    def rgb(self, look: str = 'synthetic') -> np.ndarray:
        """Colour picture, (H, W, 3) uint8 in MMSeg's order BGR.

        Args:
            look: 'synthetic' is clean and game-like, 'real' has haze, texture, a lens and a noisy sensor.
        """
        if look == 'synthetic':
            return render.synthetic_look(self._radiance(self._buffer, grain=0.5, sight=900.0))
        if look == 'real':
            image = self._radiance(self._buffer, grain=1.5, sight=self._weather.sight)
            return render.real_look(image, self._stream('rgb'))
        raise ValueError(f"A toy scene has the looks 'synthetic' and 'real', not {look!r}.")

    def picture(self, modality: str, look: str | None = None) -> np.ndarray:
        """What one of :data:`MODALITIES` sees, (H, W, 3) uint8 BGR; ``look`` is that of :meth:`rgb`."""
        if modality == 'rgb':
            return self.rgb(look or 'synthetic')
        return dict(depth=self.depth8, infrared=self.infrared, event=self.event_image)[modality]()

    def depth8(self) -> np.ndarray:
        """Depth in CARLA's logarithmic code: near is dark, 1000 metres and the sky are white."""
        return render.log_depth(self.depth)

    def infrared(self) -> np.ndarray:
        """Thermal image, white is hot."""
        return render.infrared(self._buffer, self._layout.ground, self._appearance, self._weather,
                               self._stream('infrared'))

    @cached_property
    def _event_counts(self) -> np.ndarray:
        rng = self._stream('event')
        step = rng.uniform(0.25, 0.6), rng.uniform(-0.06, 0.06), rng.uniform(-0.012, 0.012)
        camera = self._layout.camera
        pair = self._look_from(camera.moved(*(-part for part in step)), camera)
        self._buffer = pair.view(1)  # who wants the label too need not look again
        before, after = np.split(self._radiance(pair, 1.2, self._weather.sight), 2)
        return render.event_counts(before, after, rng.uniform(0.15, 0.25), rng)

    def events(self, microseconds: int = 50_000) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Events (t, x, y, p) of a step of ego-motion that ends at this scene's camera, in order of time.

        Returns:
            (E,) arrays: int64 microseconds from 0 to ``microseconds``, uint16 columns, uint16 rows, uint8 polarity (1
            brighter, 0 darker).
        """
        return render.expand_events(self._event_counts, microseconds, self._stream('event times'))

    def event_image(self) -> np.ndarray:
        """The events summed by sign round mid-grey: 128 where nothing happened, brighter where it got brighter."""
        return render.accumulate(self._event_counts)
