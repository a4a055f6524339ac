"""What came of a translation: how well the images fit their labels and the target, and a picture of some."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmseg.models.segmentors import BaseSegmentor
from PIL import Image
from prettytable import PrettyTable
from torch import Tensor, nn
from torch.utils.data import Dataset

from mmdass.checkpoints.saver import remove_partials, replace_atomically
from mmdass.datasets import ModalityDataset
from mmdass.datasets.label_space import LabelSpace
from mmdass.evaluation.metrics import extract_features, frechet_distance, kernel_distance, label_consistency
from mmdass.visualization import DomainVisualizer

from .translation_manifest import read_manifest
from .translator import image_ids

_LOAD = [dict(type='mmdass.LoadModalityImage'), dict(type='mmdass.LoadMappedLabel'), dict(type='PackSegInputs')]
_WORST = 10
"""Images that the text names; the JSON has all."""


def translated_dataset(
    folder: str | Path, metainfo: dict, pipeline: Sequence[dict] = _LOAD, **kwargs: Any
) -> ModalityDataset:
    """A translated folder as a data set.

    Args:
        folder: As :func:`~mmdass.apis.translate_dataset` writes it.
        metainfo: Classes and palette of the data set that was translated.
        pipeline: Transforms, from loading to packing.
        **kwargs: Further arguments of :class:`ModalityDataset`.
    """
    return ModalityDataset(
        data_root=str(folder), images='images.txt', labels=('^image/', 'label/'), pipeline=list(pipeline),
        label_space=LabelSpace(metainfo['classes'], metainfo.get('palette') or ()), **kwargs)


def measure_consistency(folder: Path, metainfo: dict, judge: BaseSegmentor) -> dict[str, Any]:
    """How well an independent segmentor finds the labels in the translated images, in percent.

    Returns:
        'mIoU', 'interval' (95 %, bootstrap over images), 'classes' (name to IoU), 'images' (id to mIoU, worst first).
    """
    measured = label_consistency(judge, translated_dataset(folder, metainfo))
    images = {_id(folder, path): iou for path, iou in measured.per_image.items()}
    return dict(
        mIoU=measured.miou, interval=measured.interval, classes=measured.per_class,
        images=dict(sorted(images.items(), key=lambda item: (np.isnan(item[1]), item[1]))))


def measure_distance(folder: Path, metainfo: dict, target: Dataset, network: nn.Module) -> dict[str, Any]:
    """Distances of the translated images from those of the target, both as the features of a network.

    Args:
        folder: The translated folder.
        metainfo: Of the data set that was translated.
        target: Unlabelled images, (3, H, W) uint8 BGR, of the same size.
        network: Images (N, 3, H, W) uint8 RGB to features (N, D).
    """
    translated, wanted = (
        extract_features(network, data) for data in (translated_dataset(folder, metainfo), target))
    return dict(
        network=type(network).__name__, images=[len(translated), len(wanted)],
        kernel_distance=asdict(kernel_distance(translated, wanted)),
        frechet_distance=frechet_distance(translated, wanted))


def contact_sheet(folder: Path, source: Dataset, rows: int = 6) -> np.ndarray:
    """Source, label and translation of some images, evenly spaced, with a legend.

    Args:
        folder: The translated folder.
        source: The data set that was translated.
        rows: Images.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    indices = {id_: index for index, id_ in enumerate(image_ids(source))}
    entries = [entry for entry in read_manifest(folder) if entry.id in indices]
    panels: dict[str, Tensor] = {}
    for position in np.linspace(0, len(entries) - 1, min(rows, len(entries)), dtype=int):
        entry = entries[position]
        row = f'{position} {entry.id[-24:].replace("/", "_")}'
        panels[f'{row}/image'] = source[indices[entry.id]]['inputs'].flip(0) / 127.5 - 1
        panels[f'{row}/label'] = torch.from_numpy(_read(folder / entry.label))
        panels[f'{row}/translated'] = torch.from_numpy(_read(folder / entry.image)).permute(2, 0, 1) / 127.5 - 1
    return DomainVisualizer(name='translation').draw_panels(
        panels, source.metainfo['classes'], source.metainfo['palette'])


def write_json(path: Path, report: dict) -> None:
    """Write a report; what is no number is null."""
    with replace_atomically(path) as partial:
        partial.write_text(json.dumps(_without_nan(report), indent=1) + '\n')


def write_picture(path: Path, picture: np.ndarray) -> None:
    """Write (H, W, 3) uint8 RGB as PNG; one process alone writes it, whose killed forerunner may have left a part."""
    remove_partials([path])
    with replace_atomically(path) as partial:
        Image.fromarray(picture).save(partial, format='PNG')


def format_report(report: dict) -> str:
    """The report for a person."""
    unguided, dropped = report['unguided'], report.get('dropped')
    parts = [f'{report["images"]} images translated, {report["images"] - len(unguided)} guided by their labels']
    if 0 < len(unguided) < report['images']:
        parts.append('Without guidance, since with it they were not finite:\n  ' + '\n  '.join(unguided))
    if 'consistency' in report:
        parts.append(_format_consistency(report['consistency']))
    if 'distance' in report:
        parts.append(_format_distance(report['distance']))
    if dropped:
        parts.append(f'{len(dropped)} images left out of images.txt:\n  ' + '\n  '.join(dropped))
    return '\n\n'.join(parts)


def _format_consistency(measured: dict) -> str:
    table = PrettyTable(['class', 'IoU in %'], align='r')
    table.align['class'] = 'l'
    for name, iou in [*measured['classes'].items(), ('mIoU', measured['mIoU'])]:
        table.add_row([name, '-' if np.isnan(iou) else f'{iou:.2f}'])
    low, high = measured['interval']
    worst = [f'  {iou:6.2f}  {id_}' for id_, iou in list(measured['images'].items())[:_WORST]]
    return '\n'.join([
        'Label consistency, by an independent segmentor:', table.get_string(),
        f'95 % interval of the mIoU: {low:.2f} to {high:.2f}', 'Worst images (mIoU over their classes):', *worst])


def _format_distance(measured: dict) -> str:
    kernel = measured['kernel_distance']
    return (f'Distance from the target by {measured["network"]}, {measured["images"][0]} against '
            f'{measured["images"][1]} images: kernel {kernel["mean"]:.5f} (standard deviation {kernel["std"]:.5f}), '
            f'Frechet {measured["frechet_distance"]:.4f}')


def _id(folder: Path, path: str) -> str:
    return Path(path).relative_to(folder / 'image').with_suffix('').as_posix()


def _read(path: Path) -> np.ndarray:
    return np.array(Image.open(path))


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nan(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_nan(entry) for entry in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value
