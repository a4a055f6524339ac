"""The test pipeline of a config, for images without labels that come from anywhere."""

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import mmcv
import numpy as np
from mmcv.transforms import BaseTransform, Compose, LoadImageFromFile
from mmengine.config import Config, ConfigDict

from mmdass.datasets.events import open_recording
from mmdass.datasets.transforms import LoadDepth, LoadEvents, LoadInfrared, LoadModalityImage
from mmdass.datasets.transforms.loading import read_image, set_image
from mmdass.registry import TRANSFORMS

from .inference_inputs import IMAGE_SUFFIXES, InferenceInput

_OF_LABELS = ('LoadAnnotations', 'LoadOneDLAnnotations', 'LoadDepthAnnotation', 'LoadMappedLabel',
              'EvaluateAtCurrentSize')  # the last one: predictions are made at the size of the file
_INNER = ('dataset', 'datasets')  # where a data set that wraps others names them


class InferencePipeline:
    """Loads and prepares an image by a config's transforms, so that inference sees what testing sees.

    Args:
        transforms: Configs, the one that loads first. Those of labels are left out.
        modality: What the images are, for models with an adapter for each modality.

    Attributes:
        transforms: Configs of the transforms that are used.
    """

    def __init__(self, transforms: Sequence[Mapping], modality: str = 'rgb') -> None:
        transforms = [dict(each) for each in _flat(transforms) if _kind(each) not in _OF_LABELS]
        if _kind(transforms[0]) == 'RenderToyScene':  # is drawn, not loaded; its pictures in files are like any other
            transforms[0] = dict(type='mmdass.LoadModalityImage')
        self.transforms = transforms
        self.loader: BaseTransform = TRANSFORMS.build(transforms[0])
        self.rest = Compose([TRANSFORMS.build(each) for each in transforms[1:]])
        self.modality = modality

    @property
    def suffixes(self) -> tuple[str, ...]:
        """Of the files that it loads."""
        if isinstance(self.loader, LoadEvents):
            return ('.h5', '.hdf5', '.npz', '.txt')
        return (*IMAGE_SUFFIXES, '.npy') if isinstance(self.loader, (LoadDepth, LoadInfrared)) else IMAGE_SUFFIXES

    def window_ends(self, path: str) -> list[int]:
        """The time stamps at which windows of a recording end, one after the other, if the config cuts it into windows.

        A file that cannot be read has one, so that loading it says why.
        """
        try:
            with open_recording(path, self.loader.sensor, self.loader.time_unit) as recording:
                first, last = (int(recording.read(i, i + 1).t[0]) for i in (0, len(recording) - 1))
        except (OSError, ValueError, IndexError):
            return [0]
        return list(range(first + self.loader.duration, last + 2, self.loader.duration)) or [last + 1]

    @property
    def cuts_recordings(self) -> bool:
        """Whether a file is a recording of many images."""
        return isinstance(self.loader, LoadEvents) and self.loader.duration is not None

    def load(self, source: InferenceInput | str | Path | np.ndarray) -> dict[str, Any]:
        """The sample as loaded: 'img' and what belongs to it.

        Args:
            source: A file, or what :func:`list_inputs` gives; or a picture, (H, W) or (H, W, 3) uint8, BGR.

        Raises:
            FileNotFoundError, OSError, ValueError: As of the config's loading transform; the message names the file.
        """
        results = dict(img_path='', modality=self.modality, seg_fields=[], reduce_zero_label=False, label_map=None)
        if isinstance(source, np.ndarray):
            return self._set_picture(results, source, 'An array')
        if not isinstance(source, InferenceInput):
            source = InferenceInput(str(source), Path(source).stem)
        results['img_path'] = source.path
        if source.frame is not None:
            return self._set_picture(results, _read_frame(source), str(source))
        if source.timestamp is not None:
            results['timestamp'] = source.timestamp
        if isinstance(self.loader, LoadImageFromFile):
            read_image(source.path)  # OpenCV makes a picture of half a file, too
        return self.loader(results)

    def __call__(self, source: InferenceInput | str | Path | np.ndarray | dict) -> dict[str, Any]:
        """``inputs`` and ``data_samples`` of a source, or of what :meth:`load` made of it."""
        return self.rest(source if isinstance(source, dict) else self.load(source))

    def _set_picture(self, results: dict, picture: np.ndarray, what: str) -> dict:
        if not isinstance(self.loader, (LoadModalityImage, LoadImageFromFile)):
            raise ValueError(f'{what} is a picture, but this config makes its pictures of measurements, by '
                             f'{type(self.loader).__name__}: give it files.')
        if picture.dtype != np.uint8 or picture.shape[2:] not in ((), (1,), (3,)):
            raise ValueError(f'{what} is {picture.dtype} of shape {picture.shape}; a picture is (height, width) or '
                             '(height, width, 3) uint8, BGR.')
        return set_image(results, picture if picture.shape[2:] == (3,) else mmcv.gray2bgr(picture))


def inference_pipeline(cfg: Config, modality: str | None = None) -> InferencePipeline:
    """The pipeline by which a config tests, or would test if it had labels.

    Args:
        cfg: Its ``test_dataloader`` counts, else ``val_dataloader``; without both, ``test_pipeline`` and the way in
            which the training loads its target.
        modality: Which of the data sets, if it tests on several; what the images are, if the config does not say it.

    Raises:
        ValueError: The config says nothing of testing, or tests on several modalities and none of them was chosen.
    """
    by_modality = tested_datasets(cfg)
    if len(by_modality) == 1:
        (known, dataset), = by_modality.items()
        return InferencePipeline(dataset.pipeline, modality or known)
    if modality not in by_modality:
        raise ValueError(f'What are the images? {cfg.filename or "The config"} tests on '
                         f'{", ".join(sorted(by_modality))}: choose one as `modality`, not {modality}.')
    return InferencePipeline(by_modality[modality].pipeline, modality)


def tested_datasets(cfg: Config) -> dict[str, ConfigDict]:
    """Modality to the data set that :func:`inference_pipeline` takes for it.

    Raises:
        ValueError: The config says nothing of testing.
    """
    loaders = [cfg.get(name) for name in ('test_dataloader', 'val_dataloader')]
    datasets = [each for loader in loaders if loader for each in _leaves(loader.dataset)] or list(_unlabelled(cfg))
    if not datasets:
        raise ValueError(f'{cfg.filename or "The config"} does not say how test images are loaded: it has neither '
                         'test_dataloader nor val_dataloader nor test_pipeline.')
    return {each.get('modality', 'rgb'): each for each in reversed(datasets)}  # the first of each


def as_picture(img: np.ndarray) -> np.ndarray:
    """What the eye can see of a loaded image: (H, W, 3) uint8, BGR. Channels of numbers become their mean size."""
    if img.dtype == np.uint8 and img.shape[2:] == (3,):
        return img
    size = np.nan_to_num(np.abs(np.atleast_3d(img).astype(np.float32)).mean(axis=2))
    return mmcv.gray2bgr(np.rint(255 * size / max(size.max(), 1e-12)).astype(np.uint8))


def _leaves(dataset: ConfigDict) -> Iterator[ConfigDict]:
    inner = [dataset[key] for key in _INNER if key in dataset]
    for each in inner:
        for leaf in each if isinstance(each, (list, tuple)) else [each]:
            yield from _leaves(leaf)
    if not inner and 'pipeline' in dataset:
        yield dataset


def _unlabelled(cfg: Config) -> Iterator[ConfigDict]:
    """The training's targets with the test pipeline, for a config that has no labels to test with."""
    train = (cfg.get('train_dataloader') or {}).get('dataset', {})
    if 'test_pipeline' in cfg:
        for target in _leaves(train.get('target', train)) if train else ():
            yield ConfigDict(target, pipeline=[target.pipeline[0], *cfg.test_pipeline[1:]])


def _flat(transforms: Sequence[Mapping]) -> Iterator[Mapping]:
    for each in transforms:
        yield from _flat(each['transforms']) if _kind(each) == 'Cached' else [each]


def _kind(transform: Mapping) -> str:
    return str(transform['type']).rpartition('.')[2]


def _read_frame(source: InferenceInput) -> np.ndarray:
    frame = _open_video(source.path).get_frame(source.frame)
    if frame is None:
        raise OSError(f'{source} cannot be decoded: the video is cut off or damaged there.')
    return frame


@lru_cache(maxsize=1)
def _open_video(path: str) -> mmcv.VideoReader:
    return mmcv.VideoReader(path)
