"""Translating a labelled data set into the target's look: sharded, resumable, and checked."""

import errno
import hashlib
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.dist import get_rank, get_world_size
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from mmdass.evaluation.batching import same_sized_batches
from mmdass.prepare.images import png_bytes
from mmdass.utils.names import names_below

from .translation_manifest import FailedImagesError, TranslationError, TranslationFolder, open_folder

_VOID = 255
_NO_PIXELS = ('chunk', 'with_cp', 'pretrained', 'init_cfg', 'vae', 'lora', 'guide_decoder')
_SHOWN = 20
"""Failed images that an error lists before '... and N more'."""


def translate_dataset(
    translator: nn.Module,
    dataset: Dataset,
    out_dir: str | Path,
    config_hash: str,
    stage: int = 0,
    start: int | None = None,
    batch_size: int = 1,
    shard: tuple[int, int] | None = None,
    indices: Sequence[int] | None = None,
    recipe: Mapping[str, Any] | None = None,
    num_workers: int = 0,
) -> Path:
    """Translate the images of a data set into a folder that is then a source set itself.

    Images that are in the folder and whole are not made again; so a killed run continues with its first missing image,
    to the same result. The folder (see :mod:`mmdass.apis.translation_manifest`) is trained on by::

        dict(type='ModalityDataset', data_root=OUT, images='images.txt', labels=('^image/', 'label/'), label_space=...)

    Batches are cut from the whole list before it is dealt to the shards, and an incomplete one is translated as a
    whole: not even rounding depends on the number of shards or on where a run was killed.

    Args:
        translator: A ``DiffusionTranslator`` with its guide.
        dataset: An MMSeg data set. A sample is ``dict(inputs=(3, H, W) uint8 BGR, data_samples=SegDataSample)`` with
            ``gt_sem_seg`` of the image's size, 255 for no class, and ``img_path``.
        out_dir: The folder.
        config_hash: :func:`~mmdass.apis.translation_manifest.recipe_hash` of ``recipe``, or another text that changes
            with whatever changes pixels.
        stage: Round of progressive translation; a key of the noise.
        start: Noise steps; the translator's own if None.
        batch_size: Images that the translator gets at once.
        shard: Number of this part, from 0, and of parts; this process among those of torchrun if None. Parts run at the
            same time or one after the other; the last to finish writes the manifest.
        indices: Items to translate; all if None.
        recipe: What ``config_hash`` was made of, for ``manifest.json`` and for messages: :func:`translation_recipe`.
        num_workers: Processes that load images.

    Returns:
        Path of ``manifest.jsonl``; it exists when all shards are done.

    Raises:
        TranslationError: The folder is another translation's or damaged, another process is at work on this shard, or
            the disk or the memory is full.
        FailedImagesError: Images could not be translated; all others were.
        FloatingPointError: The denoiser's output is not finite even without guidance, from the first image on.
    """
    start = translator.start if start is None else start
    shard = shard or (get_rank(), get_world_size())
    names = image_ids(dataset)
    wanted = list(range(len(dataset))) if indices is None else sorted(set(indices))
    mine = [wanted[first:first + batch_size] for first in range(0, len(wanted), batch_size)][shard[0]::shard[1]]
    header = dict(config_hash=config_hash, seed=translator.seed, stage=stage, start=start, recipe=recipe)
    with open_folder(out_dir, header, shard) as folder, _explain_full_disk():
        missing = _missing(folder, [names[index] for batch in mine for index in batch])
        folder.clean(missing)
        todo = [batch for batch in mine if any(names[index] in missing for index in batch)]
        num_classes = getattr(translator.guide, 'num_classes', None) if translator.sgg_hooks else None
        samples = DataLoader(
            _Samples(dataset, todo, num_classes), batch_size=None, num_workers=num_workers, collate_fn=_as_is)
        facts = dict(seed=translator.seed, stage=stage, start=start)
        failures: dict[str, str] = {}
        with _progress(Path(out_dir).name, sum(map(len, mine)), len(missing)) as bar:
            for batch in samples:
                images = {names[index]: sample for index, sample in batch.items()}
                failures |= _translate(translator, images, missing, folder, facts)
                bar.update(sum(id_ in missing for id_ in images))
        folder.merge([names[index] for index in wanted])
    if failures:
        _raise_failures(failures, len(missing))
    return Path(out_dir) / 'manifest.jsonl'


def translation_recipe(
    translator: nn.Module, cfg: Mapping[str, Any], stage: int = 0, start: int | None = None
) -> dict[str, Any]:
    """Everything that changes the pixels of a translation, as JSON can hold it.

    Args:
        translator: A ``DiffusionTranslator`` with its guide.
        cfg: The config, of which 'translator', 'model' (the guide's) and 'source_dataset' count.
        stage, start: As for :func:`translate_dataset`.
    """
    schedule = {key: value for key, value in translator.denoiser.scheduler.config.items() if not key.startswith('_')}
    return dict(
        stage=stage,
        start=translator.start if start is None else start,
        num_steps=translator.num_steps,
        seed=translator.seed,
        dtype=str(translator.autocast_dtype or translator.dtype),
        sgg_hooks=[_plain(dict(type=type(hook).__name__, **vars(hook))) for hook in translator.sgg_hooks],
        schedule=_plain(schedule),
        denoiser=_plain(cfg['translator']['denoiser']),
        denoiser_weights=exact_hash(translator.denoiser),
        guide=translator.guide and _plain(cfg['model']),
        guide_weights=translator.guide and exact_hash(translator.guide),
        source=_plain(cfg['source_dataset']),
    )


def exact_hash(module: nn.Module) -> str:
    """16 hex digits that change with the name, type, shape or any bit of a parameter or buffer, saved or not."""
    digest = hashlib.sha256()
    for name, value in (*module.named_parameters(), *module.named_buffers()):
        value = value.detach().cpu().contiguous()
        digest.update(f'{name} {value.dtype} {tuple(value.shape)}'.encode())
        digest.update(value.flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()[:16]


def image_ids(dataset: Dataset) -> list[str]:
    """A name for each image: its path below the data root, without suffix where that suffices, and safe as a path.

    Raises:
        TranslationError: Two samples have the same path.
    """
    paths = [dataset.get_data_info(index)['img_path'] for index in range(len(dataset))]
    ids = names_below(getattr(dataset, 'data_root', None) or '.', paths)
    twice = [id_ for id_, count in Counter(ids).items() if count > 1]
    if twice:
        raise TranslationError(
            f'{len(twice)} image paths occur several times in the source set, for example {twice[0]}. Translated '
            'images are named after their sources, so give each sample a file of its own.')
    return ids


def _missing(folder: TranslationFolder, ids: Sequence[str]) -> set[str]:
    done = folder.done()
    return {id_ for id_ in ids if id_ not in done or not folder.is_whole(done[id_])}


class _Samples(Dataset):
    """Batches of samples, ``{index: sample}``; what cannot be loaded is the sentence about it."""

    def __init__(self, dataset: Dataset, batches: Sequence[Sequence[int]], num_classes: int | None) -> None:
        self.dataset = dataset
        self.batches = batches
        self.num_classes = num_classes

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, position: int) -> dict[int, dict | str]:
        return {index: self._load(index) for index in self.batches[position]}

    def _load(self, index: int) -> dict | str:
        try:
            sample = self.dataset[index]
            _check(sample['inputs'], sample['data_samples'], self.num_classes)
        # Libraries raise what they like at a broken file; whatever it is, the other images are still to be done.
        except Exception as error:
            return str(error) if isinstance(error, (OSError, ValueError)) else f'{type(error).__name__}: {error}'
        return sample


def _as_is(batch: dict) -> dict:
    return batch


def _check(image: Tensor, sample: Any, num_classes: int | None) -> None:
    """Refuse an image without a label, with one of another size, or with classes that the guide does not have."""
    image_path, label_path = sample.img_path, sample.get('seg_map_path', None) or 'its label'
    if 'gt_sem_seg' not in sample:
        raise ValueError(f'{image_path} has no label: the data set needs `labels`, and its pipeline LoadMappedLabel.')
    label = sample.gt_sem_seg.data
    if label.shape[-2:] != image.shape[-2:]:
        sizes = [' x '.join(map(str, each.shape[-2:])) for each in (image, label)]
        raise ValueError(
            f'Image and label differ in size (height x width): {image_path} is {sizes[0]}, {label_path} is {sizes[1]}. '
            'Load both before Resize, and have files of one size.')
    known = label[label != _VOID]
    if num_classes is not None and known.numel() and int(known.max()) >= num_classes:
        raise ValueError(
            f'{label_path} of {image_path} has class {int(known.max())}, but the segmentor that guides knows '
            f'0 to {num_classes - 1}. Set `label_space` and `class_mapping` of the source set to its classes.')


def _translate(
    translator: nn.Module, samples: Mapping[str, dict | str], missing: set[str], folder: TranslationFolder,
    facts: Mapping[str, Any],
) -> dict[str, str]:
    """Translate a batch into the folder; return what failed, with reasons."""
    failures = {id_: sample for id_, sample in samples.items() if isinstance(sample, str)}
    whole = [dict(sample, id=id_) for id_, sample in samples.items() if id_ not in failures]
    for batch in same_sized_batches(whole, len(samples)):
        failures |= _translate_batch(translator, batch, missing, folder, facts)
    for id_, reason in failures.items():
        folder.add_failure(id_, reason)
    return failures


def _translate_batch(
    translator: nn.Module, batch: Sequence[dict], missing: set[str], folder: TranslationFolder, facts: Mapping[str, Any]
) -> dict[str, str]:
    """Translate images of one size into the folder; return which of them cannot be made finite, with reasons."""
    ids = [sample['id'] for sample in batch]
    images = torch.stack([sample['inputs'] for sample in batch]).flip(1).float() / 127.5 - 1  # BGR to RGB
    labels = torch.stack([sample['data_samples'].gt_sem_seg.data.squeeze(0) for sample in batch])
    try:
        with _explain_out_of_memory(images):
            output = translator.translate(images, labels, ids, stage=facts['stage'], start=facts['start'])
    except FloatingPointError as error:
        if len(batch) > 1:
            return {id_: reason for sample in batch
                    for id_, reason in _translate_batch(translator, [sample], missing, folder, facts).items()}
        if not folder.done():  # none has ever come out: it is the denoiser
            raise
        return {ids[0]: str(error)}
    guided = set(ids) - set(output.unguided) if translator.sgg_hooks else set()
    for position in [position for position, id_ in enumerate(ids) if id_ in missing]:
        folder.add(
            ids[position], png_bytes(_pixels(output.images[position])),
            png_bytes(labels[position].to(torch.uint8).numpy()),
            guided=ids[position] in guided, losses=_rounded(output.losses[position]), **facts)
    return {}


def _pixels(image: Tensor) -> np.ndarray:
    """(3, H, W) RGB in [-1, 1] to (H, W, 3) uint8 BGR."""
    pixels = ((image + 1) * 127.5).round().to(torch.uint8)
    return pixels.flip(0).permute(1, 2, 0).cpu().numpy()


def _rounded(losses: Mapping[str, float]) -> dict[str, float]:
    return {name: float(f'{float(value):.4g}') for name, value in losses.items()}


def _plain(value: Any) -> Any:
    """A config as JSON can hold it, without what changes no pixel or has its hash beside it."""
    if isinstance(value, Mapping):
        return {str(key): _plain(entry) for key, entry in value.items() if key not in _NO_PIXELS}
    if isinstance(value, (list, tuple)):
        return [_plain(entry) for entry in value]
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)


@contextmanager
def _explain_full_disk() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise TranslationError(
            f'The disk is full ({error}). What was translated before is whole, and nothing half-written counts. Free '
            'space and run the same again: it continues.') from error


@contextmanager
def _explain_out_of_memory(images: Tensor) -> Iterator[None]:
    try:
        yield
    except torch.OutOfMemoryError as error:
        num, _, height, width = images.shape
        fewer = 'fewer images at once (translate_batch_size, or --batch-size); ' if num > 1 else ''
        raise TranslationError(
            f'{num} images of {height} x {width} take too much memory. What takes less: {fewer}a smaller `chunk` of '
            "the sgg_hooks; dtype='bfloat16'; with_cp=True of a LatentDenoiser; smaller images. Batch size, `chunk` "
            f'and with_cp may change when this is continued. {error}') from error


def _progress(name: str, total: int, missing: int) -> tqdm:
    """Images a second and the time that remains; one bar a machine."""
    other_rank = os.environ.get('LOCAL_RANK', '0') != '0'
    return tqdm(
        total=total, initial=total - missing, desc=f'translating into {name}', unit='image',
        disable=other_rank or None)


def _raise_failures(failures: Mapping[str, str], total: int) -> None:
    lines = [f'{id_}: {reason}' for id_, reason in failures.items()][:_SHOWN]
    if len(failures) > _SHOWN:
        lines.append(f'... and {len(failures) - _SHOWN} more')
    raise FailedImagesError('\n  '.join([f'{len(failures)} of {total} images could not be translated:', *lines]))
