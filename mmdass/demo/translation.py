"""A translator as the page shows it: the walk back from noise, step by step."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from mmengine.registry import init_default_scope
from torch import Tensor

from mmdass.apis.inference_pipeline import InferencePipeline
from mmdass.apis.translate_command import build_translator, load_translation_config
from mmdass.registry import DATASETS
from mmdass.structures import VOID, ReverseStep

from .safe_image import require_image

_KEPT = 25


@dataclass(frozen=True)
class Frame:
    """A state of the walk.

    Attributes:
        timestep: 0-based, as the chain counts.
        noisy: (3, H, W), RGB around [-1, 1], the state as a picture.
        clean: (3, H, W), the picture that the denoiser sees in it.
    """

    timestep: int
    noisy: Tensor
    clean: Tensor


@dataclass(frozen=True)
class Walk:
    """A translation.

    Attributes:
        source: (3, H, W), RGB in [-1, 1], what was translated.
        label: (H, W) int64, 255 for void; None of an uploaded picture.
        frames: At most 25 of the states, from the noisiest.
        result: (3, H, W), RGB in [-1, 1].
        guided: Whether the label guided it.
    """

    source: Tensor
    label: Tensor | None
    frames: list[Frame]
    result: Tensor
    guided: bool


class DemoTranslator:
    """A translator and the pictures that it can be shown: those of the config's source, and uploaded ones.

    Args:
        config: One that translates, such as 'mmdass::sgg_ptl/toy.py'.
        segmentor: Checkpoint of the guide; without, nothing is guided.
        denoiser: Checkpoint or folder; the config's if None.
        device: Where to run.

    Attributes:
        num_images: Pictures of the source.
        has_guide: Whether labels can guide.
        length: Steps of the whole chain.
        start: Steps of noise to begin with: those of the last stage, if the config has stages.
        colours: RGB colours of the classes.

    Raises:
        OSError, ValueError: As of ``mmdass translate``.
    """

    def __init__(
        self, config: str, segmentor: str | Path | None = None, denoiser: str | None = None, device: str = 'cpu'
    ) -> None:
        cfg = load_translation_config(config)
        init_default_scope(cfg.get('default_scope', 'mmdass'))
        if segmentor is None:
            cfg.translator.sgg_hooks = []
        self._translator = build_translator(cfg, denoiser, segmentor and str(segmentor)).to(device)
        self._hooks = self._translator.sgg_hooks
        self._source = DATASETS.build(cfg.source_dataset)
        self._pipeline = InferencePipeline(cfg.source_dataset.pipeline)
        self.num_images, self.has_guide = len(self._source), bool(self._hooks)
        self.length = self._translator.denoiser.scheduler.config.num_train_timesteps
        stages = cfg.get('train_cfg', {}).get('stages')
        self.start = stages[-1] if isinstance(stages, list) else self._translator.start
        self.colours = self._source.metainfo['palette']

    def walk(
        self, source: int | str, start: int, guided: bool = True, progress: Callable[[float], None] | None = None
    ) -> Walk:
        """Translate a picture.

        Args:
            source: The number of a picture of the source, or the path of an uploaded file.
            start: Steps of noise, 1 to ``length``.
            guided: Let the label guide, where there is one and a guide.
            progress: Called with the share of the steps that are done.

        Raises:
            RefusedImageError: The file is none that the page decodes.
            OSError, ValueError, RuntimeError, FloatingPointError: It cannot be loaded or translated.
        """
        image, label = self._load(source)
        frames: list[Frame] = []
        steps = len(self._translator.timesteps(start))

        def watch(x: Tensor, step: ReverseStep) -> None:
            done = steps - 1 - step.remaining
            if progress is not None:
                progress(done / steps)
            if done * _KEPT // steps >= len(frames):
                noisy, clean = (step.to_image(state)[0].cpu() for state in (x, step.clean(x)))
                frames.append(Frame(step.timestep, noisy, clean))

        guided = guided and self.has_guide and label is not None
        self._translator.sgg_hooks = self._hooks if guided else []
        labels = torch.full(image.shape[1:], VOID) if label is None else label
        output = self._translator.translate(image[None], labels[None], [str(source)], start=start, watch=watch)
        return Walk(image, label, frames, output.images[0].cpu(), guided and not output.unguided)

    def _load(self, source: int | str) -> tuple[Tensor, Tensor | None]:
        if isinstance(source, str):
            require_image(source)
            sample = self._pipeline(source)
        else:
            sample = self._source[source]
        image = sample['inputs'].flip(0).float() / 127.5 - 1  # BGR to RGB
        label = sample['data_samples'].gt_sem_seg.data[0].long() if not isinstance(source, str) else None
        return image, label
