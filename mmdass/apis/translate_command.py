"""`mmdass translate CONFIG --out DIR`: labelled images in the target's look, with a trained denoiser and segmentor.

Killed or interrupted, it continues when it is run again. On several GPUs: `torchrun --nproc_per_node N -m mmdass
translate ...`, or --shard 0/N to --shard N-1/N by hand, anywhere; the shard that finishes last writes manifest and
report.

Exit status: 0 if every image of this shard is translated (those whose guidance was not finite were translated without
it, and are listed), 1 if some could not be or nothing could begin, 130 if interrupted.
"""

import argparse
import os
import re
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config, ConfigDict, DictAction
from mmengine.device import get_device
from mmengine.registry import init_default_scope
from PIL import Image
from torch import nn
from torch.utils.data import Dataset

from mmdass.checkpoints.convert import find_state_dict
from mmdass.checkpoints.loader import CheckpointError, load_checkpoint_file
from mmdass.datasets import LabelSpace, ModalityDataset
from mmdass.evaluation.metrics import InceptionFeatures, RandomFeatures
from mmdass.models.translators.profiles import PROFILES, set_profile
from mmdass.prepare.run import positive
from mmdass.registry import DATASETS, MODELS
from mmdass.utils.config import load_config

from .load_segmentor import load_segmentor
from .translation_manifest import (
    FailedImagesError,
    TranslationError,
    TranslationFolder,
    list_images,
    read_manifest,
    recipe_hash,
)
from .translation_report import (
    contact_sheet,
    format_report,
    measure_consistency,
    measure_distance,
    write_json,
    write_picture,
)
from .translator import image_ids, translate_dataset, translation_recipe

_SUFFIXES = ('.png', '.jpg', '.jpeg', '.bmp', '.webp', '.tif', '.tiff')
_LABEL_NAMES = (
    ('_leftImg8bit', '_gtFine_labelTrainIds'),  # Cityscapes
    ('', '_labelTrainIds'),  # as `mmdass prepare` writes for GTA5 and SYNTHIA
    ('', ''),
)
"""What the names of an image and of its label end with, before the suffix; the first that exists counts."""


def main(argv: Sequence[str]) -> int:
    """The verb."""
    parser = _parser()
    args = parser.parse_args(argv)
    if (args.source is None) != (args.labels is None):
        parser.error('--source and --labels go together')
    if args.drop_below is not None and args.judge is None:
        parser.error('--drop-below needs --judge CONFIG CHECKPOINT, which measures the images')
    try:
        return _run(args)
    except (ValueError, OSError, FloatingPointError) as error:  # ours all say what is wrong
        print(f'mmdass translate: {error}', file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print('mmdass translate: interrupted. Run it again to continue.', file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog='mmdass translate', description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='of configs/sgg_ptl: with `translator`, `model` (the guide), `source_dataset`')
    parser.add_argument('--out', required=True, type=Path, metavar='DIR', help='folder for images, labels, manifest')
    parser.add_argument('--source', type=Path, metavar='DIR', help="images to translate (default: the config's)")
    parser.add_argument(
        '--labels', type=Path, metavar='DIR',
        help='their labels: the same relative names, as PNG, or with the endings of Cityscapes and `mmdass prepare`')
    parser.add_argument('--denoiser', metavar='FILE', help="checkpoint or folder (default: the config's weights)")
    parser.add_argument('--segmentor', metavar='FILE', help="the guide's checkpoint (default: the config's load_from)")
    parser.add_argument('--profile', choices=PROFILES, help='how thorough; over what the config sets')
    parser.add_argument('--batch-size', type=positive, default=1, metavar='N', help='images at once (%(default)s)')
    parser.add_argument('--workers', type=int, default=1, metavar='N', help='processes that load (%(default)s)')
    parser.add_argument('--limit', type=positive, metavar='N', help='only the first N images')
    parser.add_argument(
        '--shard', type=_shard, metavar='I/N', help='this part, from 0, of so many (default: all, or by torchrun)')
    parser.add_argument(
        '--judge', nargs=2, metavar=('CONFIG', 'CHECKPOINT'),
        help='an independent segmentor, which measures how well the images fit their labels')
    parser.add_argument(
        '--drop-below', type=float, metavar='PERCENT',
        help='leave images with less mIoU by the judge out of images.txt, the list to train on')
    parser.add_argument('--target', type=Path, metavar='DIR', help='images of the target, to measure the distance from')
    parser.add_argument(
        '--inception', metavar='FILE', help='TorchScript weights for KID and FID; without, random filters compare')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE')
    return parser


def _shard(text: str) -> tuple[int, int]:
    index, _, count = text.partition('/')
    if not (index.isdigit() and count.isdigit() and int(index) < int(count)):
        raise argparse.ArgumentTypeError(f'{text} is no shard: write 0/4, 1/4, 2/4 or 3/4 for one of four')
    return int(index), int(count)


def _run(args: argparse.Namespace) -> int:
    cfg = _read_config(args)
    init_default_scope(cfg.get('default_scope', 'mmdass'))
    translator = build_translator(cfg, args.denoiser, args.segmentor).to(_device())
    source = DATASETS.build(cfg.source_dataset)
    recipe = translation_recipe(translator, cfg)
    indices = range(len(source))[:args.limit]
    shard = args.shard or (int(os.environ.get('RANK', 0)), int(os.environ.get('WORLD_SIZE', 1)))
    status = 0
    try:
        translate_dataset(
            translator, source, args.out, recipe_hash(recipe), batch_size=args.batch_size, shard=shard,
            indices=indices, recipe=recipe, num_workers=args.workers)
    except FailedImagesError as error:
        print(f'mmdass translate: {error}', file=sys.stderr)
        status = 1
    names, folder = image_ids(source), TranslationFolder(args.out, shard)
    ids = [names[index] for index in indices]
    if folder.is_finished(ids):
        _report(args, source)
    else:
        print(f'Shard {shard[0]}/{shard[1]} is done. The one that finishes last writes the manifest and the report.')
    while status and not args.shard and not folder.is_finished(ids):
        time.sleep(5)  # torchrun ends all ranks as soon as one fails
    return status


def load_translation_config(config: str | Path, options: Mapping[str, Any] | None = None) -> Config:
    """Read a config that says how to translate; ``options`` as of ``load_config``.

    Raises:
        TranslationError: It has no translator, no guide or no source.
    """
    cfg = load_config(config, options)
    missing = [name for name in ('translator', 'model', 'source_dataset') if name not in cfg]
    if missing:
        raise TranslationError(
            f'{config} has no {", ".join(missing)}. Take a config of configs/sgg_ptl that translates, such as '
            'gta_to_cityscapes.py.')
    return cfg


def _read_config(args: argparse.Namespace) -> Config:
    cfg = load_translation_config(args.config, args.cfg_options)
    if args.profile:
        set_profile(cfg.translator, args.profile)
        cfg.merge_from_dict(args.cfg_options or {})
    if args.source:
        _set_folders(cfg.source_dataset, args.source.resolve(), args.labels.resolve())
    return cfg


def _set_folders(source: ConfigDict, images: Path, labels: Path) -> None:
    """Make the config's source set read other folders; what the labels mean stays."""
    if 'images' not in source:
        raise TranslationError(
            f'--source: the source_dataset of the config is a {source.type}, which reads no folder of images. Take a '
            'config whose source_dataset is a ModalityDataset, such as gta_to_cityscapes.py.')
    patterns = _patterns(images)
    first = min(path for pattern in patterns for path in images.glob(pattern)).relative_to(images).as_posix()
    for image_end, label_end in _LABEL_NAMES:
        # An absolute path takes the place of data_root.
        rule = rf'^(.*){image_end}\.\w+$', str(labels).replace('\\', r'\\') + rf'/\1{label_end}.png'
        label, fits = re.subn(*rule, first)
        if fits and Path(label).is_file():
            source.update(data_root=str(images), images=patterns, labels=rule, list_entry='{}')
            return
    tried = ', '.join(f'*{image_end}.* with *{label_end}.png' for image_end, label_end in _LABEL_NAMES)
    raise TranslationError(
        f'--labels: {labels} has no label for {first} of {images} (tried {tried}). Other names are described by the '
        'config: set `images` and `labels` of source_dataset there.')


def _patterns(folder: Path) -> list[str]:
    """Globs of all image files below a folder."""
    found = {path.suffix for path in folder.rglob('*') if path.suffix.lower() in _SUFFIXES}
    if not found:
        raise TranslationError(f'{folder} has no images ({", ".join(_SUFFIXES)}) in it.')
    return [f'**/*{suffix}' for suffix in sorted(found)]


def build_translator(cfg: Config, denoiser: str | None = None, segmentor: str | None = None) -> nn.Module:
    """The translator of a config with its denoiser's weights and, if it has SGG hooks, its guide.

    Args:
        cfg: What :func:`load_translation_config` gives.
        denoiser: The denoiser's checkpoint, or a folder in diffusers' layout; None for those that the config names.
        segmentor: Checkpoint of the guide; None for the config's ``load_from``.

    Raises:
        TranslationError: There are no weights.
        CheckpointError: Weights do not fit.
    """
    weights = cfg.translator.denoiser
    if denoiser and Path(denoiser).is_dir():
        weights.pop('unet', None)
        is_adapter = Path(denoiser, 'pytorch_lora_weights.safetensors').is_file()
        weights['lora' if is_adapter else 'pretrained'], denoiser = denoiser, None
    elif not denoiser:
        require_weights(cfg)
    translator = MODELS.build(cfg.translator)
    if denoiser:
        _load(translator.denoiser, denoiser)
    if translator.sgg_hooks:
        checkpoint = segmentor or cfg.get('load_from')
        if not checkpoint:
            raise TranslationError(
                'Labels guide through a trained segmentor: give the checkpoint of the model in '
                f'{cfg.filename} as --segmentor, or translate without guidance '
                '(--cfg-options translator.sgg_hooks=[]).')
        translator.guide_with(load_segmentor(cfg, checkpoint))
    return translator


def require_weights(cfg: Config) -> None:
    """Refuse a translator whose denoiser would be random.

    Raises:
        TranslationError: Its config names no weights.
    """
    if not any(cfg.translator.denoiser.get(name) for name in ('pretrained', 'init_cfg')):
        raise TranslationError(
            f'{cfg.filename} names no weights of its denoiser. Train one (configs/sgg_ptl/denoiser_*.py) and give its '
            'folder as translator.denoiser.pretrained, or to `mmdass translate` as --denoiser.')


def _load(denoiser: nn.Module, checkpoint: str) -> None:
    try:
        denoiser.load_state_dict(find_state_dict(load_checkpoint_file(checkpoint)))
    except RuntimeError as error:
        raise CheckpointError(f"{checkpoint} does not fit the config's denoiser: {error}") from error


def _device() -> str:
    device = get_device()
    if device == 'cuda':
        torch.cuda.set_device(int(os.environ.get('LOCAL_RANK', 0)))
    return device


def _report(args: argparse.Namespace, source: Dataset) -> None:
    entries = read_manifest(args.out)
    if not entries:
        return
    report = dict(images=len(entries), unguided=[entry.id for entry in entries if not entry.guided])
    if args.judge:
        judge = load_segmentor(*args.judge, device=_device())
        report['consistency'] = measure_consistency(args.out, source.metainfo, judge)
    if args.target:
        network = InceptionFeatures(args.inception) if args.inception else RandomFeatures()
        size = Image.open(args.out / entries[0].image).size
        report['distance'] = measure_distance(
            args.out, source.metainfo, _target(args.target, size, source.metainfo), network.to(_device()))
    if args.drop_below is not None:
        report['dropped'] = [id_ for id_, iou in report['consistency']['images'].items() if iou < args.drop_below]
        list_images(args.out, without=report['dropped'])
    write_json(args.out / 'report.json', report)
    write_picture(args.out / 'contact_sheet.png', contact_sheet(args.out, source))
    print(format_report(report))
    print(f'{args.out}: manifest.jsonl, images.txt, report.json, contact_sheet.png')


def _target(folder: Path, size: tuple[int, int], metainfo: dict) -> Dataset:
    """Images of a folder, all at one (width, height)."""
    return ModalityDataset(
        data_root=str(folder), images=_patterns(folder), label_space=LabelSpace(metainfo['classes']),
        pipeline=[dict(type='mmdass.LoadModalityImage'), dict(type='Resize', scale=size), dict(type='PackSegInputs')])
