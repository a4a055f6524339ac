"""`DASegInferencer`: MMSeg's inferencer for every model of ours and MMSeg's, every modality, and images of any size."""

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmseg.apis import MMSegInferencer
from mmseg.structures import SegDataSample
from mmseg.utils import get_classes, get_palette
from torch import Tensor, nn

from mmdass.datasets.label_space import LabelSpace
from mmdass.models import StableDiffusionBackbone
from mmdass.models.utils.class_logits import class_logits
from mmdass.utils.config import load_config
from mmdass.utils.names import names_below
from mmdass.visualization import DomainVisualizer

from .inference_inputs import InferenceInput, list_inputs
from .inference_pipeline import InferencePipeline, as_picture, inference_pipeline
from .load_segmentor import config_metainfo, load_segmentor
from .prediction import Prediction, fill_predictions
from .sliding_window import logit_bands

LARGEST_WHOLE = 4096 * 4096
"""Pixels of the largest image that goes through a network at once without being asked for: more is a killed process."""


class DASegInferencer(MMSegInferencer):
    """Segments images of any modality, without labels, by a config and a checkpoint.

    Called as MMSeg's ``MMSegInferencer``, and returns what that returns. Images are loaded and prepared by the config's
    own test pipeline, so a 16-bit depth map, an infrared NPY file or raw events give what testing on them would.
    Checkpoints are read without executing anything in them, and must fit the config to the last weight.

    Example:
        >>> segment = DASegInferencer('configs/madm/event.py', 'work_dirs/event/iter_10000.pth')
        >>> label = segment('edges/000002.png')['predictions']  # (H, W) class indices
        >>> segment('edges/', out_dir='out', batch_size=4)
        >>> noisy = segment('edges/000002.png', timestep=50, return_datasamples=True)  # as DPLG's teacher sees it
        >>> noisy.pred_confidence.data  # (1, H, W) in [0, 1]

    Args:
        model: A config, its path, or a name in MMSeg's or our metafiles.
        weights: The checkpoint; needed, but for a name.
        classes, palette: Class names and RGB colours, instead of those in the checkpoint or the config.
        dataset_name: A data set of MMSeg whose classes and colours are meant.
        device: Where to run; the best that there is if None.
        scope: MMEngine's scope; the config's own if None.
        show_progress: Draw a progress bar.
        role: Who predicts of a domain-adaptation model: 'student' or 'teacher'; None: who is tested, by the config.
        modality: What the images are, where the config tests on several modalities or on none.
        window: Height and width of a sliding window; None: as the config tests, whole if it does not say.
        overlap: Pixels by which windows overlap; None: a quarter of the window, or as the config tests.

    Raises:
        CheckpointError: The checkpoint is damaged, or of another model.
        ValueError: No checkpoint is given, or an option does not fit the model.
    """

    forward_kwargs = MMSegInferencer.forward_kwargs | {'timestep', 'with_logits'}

    def __init__(
        self,
        model: str | Path | Config,
        weights: str | Path | None = None,
        classes: Sequence[str] | None = None,
        palette: Sequence[Sequence[int]] | None = None,
        dataset_name: str | None = None,
        device: str | None = None,
        scope: str | None = None,
        show_progress: bool = True,
        role: str | None = None,
        modality: str | None = None,
        window: tuple[int, int] | None = None,
        overlap: int | None = None,
    ) -> None:
        self.role, self.modality = role, modality
        self.window, self.overlap = window, overlap
        if dataset_name is not None:
            classes, palette = classes or get_classes(dataset_name), palette or get_palette(dataset_name)
        self._named = dict(classes=classes, palette=palette)
        if isinstance(model, Path) or isinstance(model, str) and Path(model).suffix == '.py':
            model = load_config(model)
        elif isinstance(model, dict):
            model = Config(model)
        scope = scope or (model.get('default_scope', 'mmseg') if isinstance(model, Config) else 'mmdass')
        super().__init__(model, weights, device=device, scope=scope)
        self.show_progress = show_progress

    def __call__(
        self,
        inputs: str | Path | np.ndarray | Sequence,
        return_datasamples: bool = False,
        batch_size: int = 1,
        **kwargs: Any,
    ) -> dict[str, Any] | SegDataSample | list[SegDataSample]:
        """Segment images.

        Args:
            inputs: A file, folder, glob, list file, video or recording, see :func:`list_inputs`; a picture (H, W, 3)
                uint8, BGR; or a sequence of them.
            return_datasamples: Return MMSeg's data samples, with ``pred_sem_seg`` (1, H, W), ``seg_logits``
                (C, H, W) and ``pred_confidence`` (1, H, W) in [0, 1].
            batch_size: Images that the model gets at once; they must have one size after the test pipeline.
            kwargs: ``timestep``: noise that a diffusion backbone adds before it looks (0, as in testing, to 999);
                ``return_vis``, ``show``, ``wait_time``, ``out_dir``, ``img_out_dir``, ``pred_out_dir``, ``opacity``,
                ``with_labels``: as of ``MMSegInferencer``.

        Returns:
            'predictions', (H, W) class indices, and 'visualization', (H, W, 3) RGB if ``return_vis``; lists of them
            for several images. Or data samples.
        """
        return super().__call__(
            inputs, return_datasamples=return_datasamples, batch_size=batch_size, with_logits=return_datasamples,
            **kwargs)

    @torch.no_grad()
    def forward(
        self, inputs: dict, timestep: int | None = None, with_logits: bool = True, **kwargs: Any
    ) -> list[SegDataSample]:
        """Predict a batch.

        Args:
            inputs: What the pipeline makes, collated: ``inputs`` and ``data_samples``.
            timestep: See :meth:`__call__`.
            with_logits: Keep the logits of all classes, which take most of the memory.

        Raises:
            ValueError: An image is too large to go through the model at once.
        """
        size = tuple(inputs['inputs'][0].shape[-2:])
        if self.window is None and size[0] * size[1] > LARGEST_WHOLE:
            raise ValueError(
                f'An image of {size[0]} x {size[1]} pixels may take all memory if it goes through the model at once: '
                'choose a sliding window, --window 512 or window=(512, 512).')
        batch = self.model.data_preprocessor(inputs, False)
        images, samples = batch['inputs'], batch['data_samples']
        predictions = [Prediction(tuple(each.ori_shape[:2]), with_logits, self._threshold) for each in samples]
        with self._looking_at(timestep):
            bands = logit_bands(lambda crop: self._predict(crop, samples), images, self.window, self.overlap)
            fill_predictions(predictions, bands, size, self.model.align_corners)
        return [prediction.fill(sample) for prediction, sample in zip(predictions, samples, strict=True)]

    def visualize(
        self, inputs: list, preds: list[SegDataSample], return_vis: bool = False, show: bool = False,
        wait_time: int = 0, img_out_dir: str = '', opacity: float = 0.8, with_labels: bool = True,
    ) -> list[np.ndarray] | None:
        """Draw predictions over what the images look like; see ``MMSegInferencer``."""
        if not (show or img_out_dir or return_vis):
            return None
        self.visualizer.set_dataset_meta(**self.model.dataset_meta)
        self.visualizer.alpha = opacity
        drawn = []
        for source, sample in zip(inputs, preds, strict=True):
            picture = as_picture(self.pipeline.load(source)['img'])[..., ::-1]
            name = f'{self.num_visualized_imgs:08d}_vis.jpg'
            if isinstance(source, InferenceInput):
                name = f'{source.name}.png'
            self.visualizer.add_datasample(
                name, picture, sample, draw_gt=False, show=show, wait_time=wait_time, with_labels=with_labels,
                out_file=str(Path(img_out_dir, name)) if img_out_dir else None)
            drawn.append(self.visualizer.get_image())
            self.num_visualized_imgs += 1
        return drawn if return_vis else None

    def list_inputs(self, source: str | Path, without: Path | None = None) -> list[InferenceInput]:
        """The images of a file, folder, glob, list file, video or recording that this config can load."""
        ends = self.pipeline.window_ends if self.pipeline.cuts_recordings else None
        return list_inputs(source, self.pipeline.suffixes, ends, without)

    def _inputs_to_list(self, inputs: Any) -> list:
        if isinstance(inputs, (str, Path)):
            return self.list_inputs(inputs)
        inputs = inputs if isinstance(inputs, (list, tuple)) else [inputs]
        paths = [os.path.abspath(each) for each in inputs if isinstance(each, (str, Path))]
        names = iter(names_below(os.path.commonpath(map(os.path.dirname, paths)), paths) if paths else ())
        return [InferenceInput(str(each), next(names)) if isinstance(each, (str, Path)) else each for each in inputs]

    def _init_model(self, cfg: Config, weights: str | None, device: str = 'cpu') -> nn.Module:
        self._take_over_windows(cfg.model.get('segmentor', cfg.model))
        model = self._load_model(cfg, weights, device)
        model.cfg = cfg
        if self.role is not None:
            if not hasattr(model, 'predict_role'):
                raise ValueError(f'A {type(model).__name__} is no pair of student and teacher: leave out `role`.')
            model.predict_role = self.role
        model.dataset_meta = self._label_space(cfg, model).metainfo
        self._threshold = getattr(model.decode_head, 'threshold', None)
        return model

    def _load_model(self, cfg: Config, weights: str | None, device: str) -> nn.Module:
        if weights is None:
            raise ValueError('DASegInferencer needs `weights`, a checkpoint: a model with random weights segments '
                             'nothing.')
        return load_segmentor(cfg, weights, device)

    def _take_over_windows(self, segmentor: dict) -> None:
        """The windows by which the config tests are ours, unless others were asked for; the model itself sees whole."""
        test_cfg = segmentor.get('test_cfg') or {}
        if self.window is None and test_cfg.get('mode') == 'slide':
            self.window = tuple(test_cfg.crop_size)
            if self.overlap is None:
                self.overlap = max(size - step for size, step in zip(self.window, test_cfg.stride, strict=True))
        if self.overlap is None:
            self.overlap = min(self.window) // 4 if self.window else 0
        if self.window is not None and not 0 <= self.overlap < min(self.window):
            raise ValueError(f'Windows of {self.window[0]} x {self.window[1]} cannot overlap by {self.overlap} pixels.')
        segmentor['test_cfg'] = dict(test_cfg, mode='whole')

    def _label_space(self, cfg: Config, model: nn.Module) -> LabelSpace:
        """Names and colours: those given, those of the checkpoint, those of the config, or numbers."""
        found = {key: value for key, value in (model.dataset_meta or {}).items() if value} or config_metainfo(cfg)
        found |= {key: value for key, value in self._named.items() if value}
        classes = found.get('classes') or [f'class {index}' for index in range(max(model.out_channels, 2))]
        palette = found.get('palette') or ()
        return LabelSpace(tuple(classes), palette if len(palette) == len(classes) else ())

    def _init_pipeline(self, cfg: Config) -> InferencePipeline:
        return inference_pipeline(cfg, self.modality)

    def _init_collate(self, cfg: Config) -> Any:
        return pseudo_collate

    def _init_visualizer(self, cfg: Config) -> DomainVisualizer:
        # Not the config's, whose backends would report to where the training reports.
        return DomainVisualizer(name=f'inferencer {id(self)}')

    @contextmanager
    def _looking_at(self, timestep: int | None) -> Iterator[None]:
        """Let diffusion backbones see noisy images, as DPLG's teacher does."""
        with ExitStack() as stack:
            if timestep is not None:
                backbones = [each for each in self.model.modules() if isinstance(each, StableDiffusionBackbone)]
                if not backbones:
                    raise ValueError('`timestep` needs a model with a StableDiffusionBackbone.')
                for backbone in backbones:
                    last = backbone.scheduler.config.num_train_timesteps - 1
                    if not 0 <= timestep <= last:
                        raise ValueError(f'`timestep` is 0 (a clean image) to {last} (noise), not {timestep}.')
                    stack.callback(backbone.register_forward_pre_hook(
                        lambda module, args, kwargs: (args, dict(kwargs, timestep=timestep)), with_kwargs=True).remove)
            yield

    def _predict(self, images: Tensor, samples: list[SegDataSample]) -> Tensor:
        """Logits (N, C, H, W) of images that are a part of what the samples are about."""
        size = images.shape[-2:]  # torch.Size: MMSeg's heads take `img_shape` for the size of a window then
        parts = dict(img_shape=size, ori_shape=size, pad_shape=size, img_padding_size=[0] * 4)
        views = [SegDataSample(metainfo=sample.metainfo | parts) for sample in samples]
        predicted = torch.stack([view.seg_logits.data for view in self.model.predict(images, views)])
        return class_logits(self.model.decode_head, predicted)
