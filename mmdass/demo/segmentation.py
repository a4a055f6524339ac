"""A trained segmentor as the page shows it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from torch import Tensor

from mmdass.apis import DASegInferencer
from mmdass.apis.inference_pipeline import as_picture, inference_pipeline, tested_datasets
from mmdass.datasets.toy import MODALITIES, ToyStreet
from mmdass.datasets.toy.appearance import LABEL_SPACE
from mmdass.models import StableDiffusionBackbone
from mmdass.utils.config import load_config

from .safe_image import require_image

NUM_SCENES = 100
_STREET, _FIRST = ToyStreet(seed=1), 1_000_000
"""Where the scenes that the toy configs are tested on begin; none is trained on."""


@dataclass(frozen=True)
class Segmentation:
    """What a segmentor says of a picture.

    Attributes:
        picture: (H, W, 3) uint8 RGB, as the eye sees it.
        label: (H, W) int64, class indices.
        confidence: (H, W) float32 in [0, 1].
        palette: (3, h, w), RGB around [-1, 1], the VAE's picture of what the U-Net regresses (LPLR); None if the model
            makes none of the whole picture.
        truth: (H, W) uint8, the label of a toy scene; None for other pictures.
    """

    picture: np.ndarray
    label: Tensor
    confidence: Tensor
    palette: Tensor | None
    truth: np.ndarray | None


class DemoSegmentor:
    """A segmentor and the pictures that it can be shown.

    Args:
        config: Of the training: a path, or a name such as 'mmdass::madm/toy_event.py'.
        checkpoint: Its weights.
        device: Where to run; the best that there is if None.

    Attributes:
        modalities: Those that the page offers, the one that the config tests on first.
        last_timestep: The largest that the noise schedule has; None of a model without diffusion.
        classes, colours: Names and RGB colours of the classes.

    Raises:
        OSError, ValueError: As of ``DASegInferencer``.
    """

    def __init__(self, config: str, checkpoint: str | Path, device: str | None = None) -> None:
        cfg = load_config(config)
        tested = tested_datasets(cfg)
        self.modalities = list(tested)
        is_toy = len(tested) == 1 and tested[self.modalities[0]].pipeline[0].type.endswith('RenderToyScene')
        if is_toy:  # all its sensors' pictures are loaded alike
            self.modalities += [name for name in MODALITIES if name not in tested]
        self._pipelines = {name: inference_pipeline(cfg, name) for name in self.modalities}
        self._inferencer = DASegInferencer(cfg, str(checkpoint), device=device, modality=self.modalities[0])
        model = self._inferencer.model
        backbone = getattr(getattr(model, 'predictor', model), 'backbone', None)
        self._backbone = backbone if isinstance(backbone, StableDiffusionBackbone) else None
        self.last_timestep = self._backbone and self._backbone.scheduler.config.num_train_timesteps - 1
        self.classes, self.colours = model.dataset_meta['classes'], model.dataset_meta['palette']
        self.segment = lru_cache(maxsize=4)(self._segment_once)  # the clean prediction is compared with all others

    def _segment_once(self, source: int | str, modality: str, timestep: int = 0) -> Segmentation:
        """Segment a picture.

        Args:
            source: The number of a toy scene, or the path of an uploaded file.
            modality: One of ``modalities``.
            timestep: Noise that a diffusion backbone adds before it looks.

        Raises:
            RefusedImageError: The file is none that the page decodes.
            OSError, ValueError, RuntimeError: The pipeline cannot load it, or the model cannot segment it.
        """
        truth = None
        if isinstance(source, str):
            require_image(source)
            picture: str | np.ndarray = source
        else:
            scene = _STREET.scene(_FIRST + source)
            if modality not in MODALITIES:
                raise ValueError(f'The toy world has no pictures of {modality!r}: upload one.')
            picture = scene.picture(modality, 'real')
            truth = scene.label if tuple(self.classes) == LABEL_SPACE.classes else None  # else indices of others
        pipeline = self._pipelines[modality]
        loaded = pipeline.load(picture)
        shown = as_picture(loaded['img'])[..., ::-1]
        sample = pipeline(loaded)
        with self._decoded() as decoded:
            prediction, = self._inferencer.forward(
                self._inferencer.collate_fn([sample]), timestep=None if self._backbone is None else timestep,
                with_logits=False)
        height, width = sample['inputs'].shape[-2:]
        palette = decoded[0][0, :, :height, :width] if len(decoded) == 1 else None  # several: of windows
        return Segmentation(np.ascontiguousarray(shown), prediction.pred_sem_seg.data[0],
                            prediction.pred_confidence.data[0], palette, truth)

    @contextmanager
    def _decoded(self) -> Iterator[list[Tensor]]:
        """The pictures (N, 3, H, W) that the backbone decodes from its output meanwhile."""
        decoded: list[Tensor] = []
        if self._backbone is None or not self._backbone.decode_output:
            yield decoded
            return
        hook = self._backbone.register_forward_hook(lambda module, args, output: decoded.append(output[0].cpu()))
        try:
            yield decoded
        finally:
            hook.remove()
