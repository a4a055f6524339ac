"""Rare-class sampling: draw a class, the rarer the likelier, then an image that has enough of it."""

from dataclasses import dataclass

import numpy as np
from mmengine.logging import print_log


@dataclass(frozen=True)
class RareClass:
    """What a sample was drawn for: a class, by its id in the label *file*, before mapping."""

    label_id: int
    min_pixels: float
    min_crop_ratio: float

    def fills(self, crop: np.ndarray) -> bool:
        """Whether a crop (H, W) of the file's ids holds more than ``min_pixels * min_crop_ratio`` pixels of it."""
        needed = self.min_crop_ratio * _pixels(self.min_pixels, crop.size)
        return bool(np.count_nonzero(crop == self.label_id) > needed)


def _pixels(number: float, size: np.ndarray | int) -> np.ndarray | float:
    """A number of pixels; below 1 it is a share of ``size``."""
    return number * size if number < 1 else number


class RareClassSampler:
    """Rare-class sampling of DAFormer (section 3.3; ``uda_dataset.py``) with MADM's values as defaults.

    Class c with pixel share f_c is drawn with probability softmax((1 - f) / temperature)_c, then one of the images
    with more than ``min_pixels`` pixels of it, uniformly. Statistics are in the label space of the files, before any
    mapping, as in the official code: a merged class is drawn through each of its parts.

    Args:
        counts: (images, classes) pixel counts.
        pixels: (images,) size of each label in pixels.
        names: Class names, for the log.
        ignored: (classes,) bool, which of them are not drawn for; None: all are.
        first_id: Id of the first class in the files.
        temperature: Smaller favours rare classes more.
        min_pixels: Least pixels of the class in a file that is drawn for it; below 1, a share of the image.
        min_crop_ratio: The crop must keep more than this share of ``min_pixels`` (of the crop, if that is a share).

    Raises:
        ValueError: No image has enough pixels of any class.
    """

    def __init__(
        self,
        counts: np.ndarray,
        pixels: np.ndarray,
        names: tuple[str, ...],
        ignored: np.ndarray | None = None,
        first_id: int = 0,
        temperature: float = 0.01,
        min_pixels: float = 3000,
        min_crop_ratio: float = 0.5,
    ) -> None:
        ignored = np.zeros(len(names), bool) if ignored is None else ignored
        counts = np.where(ignored, 0, counts)
        enough = counts > _pixels(min_pixels, pixels[:, None])
        drawable = enough.any(axis=0) & ~ignored
        if not drawable.any():
            raise ValueError(
                f'Rare-class sampling: no image has more than min_pixels={min_pixels} pixels of any class. Lower '
                '`min_pixels` (below 1 it is a share of the image) or check `raw_labels` of the source.'
            )
        if not (drawable | ignored).all():
            absent = ', '.join(name for name, found in zip(names, drawable | ignored, strict=True) if not found)
            print_log(f'Rare-class sampling: no image has more than {min_pixels} pixels of {absent}.', logger='current')
        self.classes = np.flatnonzero(drawable)
        self.images = [np.flatnonzero(enough[:, index]) for index in self.classes]
        self.probabilities = class_probabilities(counts.sum(axis=0), temperature)[self.classes]
        self.probabilities /= self.probabilities.sum()
        self.first_id = first_id
        self.min_pixels = min_pixels
        self.min_crop_ratio = min_crop_ratio

    def draw(self, random: np.random.Generator) -> tuple[int, RareClass]:
        """Draw an image index and the class that it was drawn for."""
        choice = random.choice(len(self.classes), p=self.probabilities)
        image = random.choice(self.images[choice])
        label_id = self.first_id + int(self.classes[choice])
        return int(image), RareClass(label_id, self.min_pixels, self.min_crop_ratio)


def class_probabilities(pixels: np.ndarray, temperature: float) -> np.ndarray:
    """softmax((1 - share) / temperature) of each class's share of all labelled pixels; (classes,) to (classes,)."""
    scores = (1 - pixels / pixels.sum()) / temperature
    weights = np.exp(scores - scores.max())
    return weights / weights.sum()
