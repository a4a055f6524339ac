"""The files of a prediction."""

import os
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import mmcv
import numpy as np
from mmseg.structures import SegDataSample
from PIL import Image

from mmdass.visualization.overlay import colour_label, draw_overlay

from .inference_inputs import InferenceInput

SUFFIXES = dict(label='.png', colour='.png', overlay='.jpg', confidence='.png', logits='.npy')
"""Of the files of each kind of output."""


def output_writers(
    picture: np.ndarray, prediction: SegDataSample, meta: Mapping[str, Any], kinds: Iterable[str]
) -> dict[str, Callable[[Path], None]]:
    """What writes each kind of output to a path.

    Args:
        picture: The image as the eye sees it, (H, W, 3) uint8 BGR.
        prediction: With ``pred_sem_seg``, ``pred_confidence`` and, for 'logits', ``seg_logits``, of its size.
        meta: ``classes`` and ``palette``.
        kinds: Keys of :data:`SUFFIXES`.
    """
    label = prediction.pred_sem_seg.data[0].numpy()
    label = label.astype(np.min_scalar_type(len(meta['classes']) - 1))

    def image(pixels: np.ndarray, **options: Any) -> Callable[[Path], None]:
        return lambda path: Image.fromarray(pixels).save(path, **options)

    def overlay(path: Path) -> None:
        drawn = draw_overlay(picture[..., ::-1], label, meta['classes'], meta['palette'])
        Image.fromarray(drawn).save(path, format='jpeg', quality=92)

    def logits(path: Path) -> None:
        with path.open('wb') as file:
            np.save(file, prediction.seg_logits.data.half().numpy())

    confidence = (prediction.pred_confidence.data[0] * 255).round().byte().numpy()
    writers = dict(
        label=image(label, format='png'), colour=image(colour_label(label, meta['palette']), format='png'),
        overlay=overlay, confidence=image(confidence, format='png'), logits=logits)
    return {kind: writers[kind] for kind in kinds}


def join_frames(root: Path, inputs: Iterable[InferenceInput]) -> None:
    """Make a video, 'overlay/NAME.mp4', of the overlays of each video of which every frame is among the inputs."""
    frames: dict[str, list[InferenceInput]] = {}
    for each in inputs:
        if each.frame is not None:
            frames.setdefault(each.path, []).append(each)
    for path, sources in frames.items():
        video = mmcv.VideoReader(path)
        if len(sources) == len(video):
            pictures = root / 'overlay' / os.path.dirname(sources[0].name)
            with tempfile.TemporaryDirectory(prefix='.video.', dir=root) as partial:
                made = Path(partial, 'overlay.mp4')
                mmcv.frames2video(str(pictures), str(made), fps=video.fps, fourcc='mp4v', show_progress=False)
                os.replace(made, f'{pictures}.mp4')
