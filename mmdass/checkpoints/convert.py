"""`mmdass convert`: another code base's checkpoint as one of ours (--from FAMILY), or ours as MMSeg's (--to mmseg)."""

import argparse
import os
import pkgutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from .loader import CheckpointError, load_checkpoint_file
from .saver import replace_atomically

StateDict = dict[str, torch.Tensor]

# family: 'module:function', each function is convert(state_dict) -> ConvertReport, or raises CheckpointError
FAMILIES = {
    'adm': 'mmdass.checkpoints.adm:convert',
    'daformer': 'mmdass.checkpoints.daformer:convert',
    'madm': 'mmdass.checkpoints.madm:convert',
    'mic': 'mmdass.checkpoints.daformer:convert',
    'mmseg': 'mmdass.checkpoints.mmseg:convert',
}


@dataclass
class ConvertReport:
    """What a family's converter made of a state dict.

    Attributes:
        state_dict: Our names to tensors.
        used: Names in the file that went into ``state_dict``.
        unused: Names in the file that did not.
        missing: Names that the family's files should hold and this one does not.
        model: A diffusers model or pipeline with these weights, where the result is a folder of diffusers' layout.
    """

    state_dict: StateDict
    used: list[str] = field(default_factory=list)
    unused: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    model: Any = None

    def __str__(self) -> str:
        sections = [f'{len(self.used)} keys used']
        for title in ('unused', 'missing'):
            keys = getattr(self, title)
            sections.append('\n  '.join([f'{len(keys)} keys {title}', *keys]))
        return '\n'.join(sections)


def convert_file(family: str, source: Path, target: Path) -> ConvertReport:
    """Convert ``source`` to ``target``: a folder where the report has a model, safetensors by the suffix, else an
    MMEngine checkpoint.

    Raises:
        CheckpointError: The file cannot be read, or is not of the family.
        FileExistsError: A folder would replace what is at ``target``.
    """
    checkpoint = load_checkpoint_file(source)
    report = convert_weights(family, source, find_state_dict(checkpoint))
    if report.model is not None:
        _write_folder(report.model, target)
        return report
    with replace_atomically(target) as partial:
        if target.suffix == '.safetensors':
            save_file({name: tensor.contiguous() for name, tensor in report.state_dict.items()}, partial)
        else:
            meta = dict(converted_from=family, source=source.name) | find_dataset_meta(checkpoint)
            torch.save(dict(meta=meta, state_dict=report.state_dict), partial)
    return report


def convert_weights(family: str, source: Path, state_dict: StateDict) -> ConvertReport:
    """What the family's converter makes of the weights in the file ``source``.

    Raises:
        CheckpointError: They are not of the family.
    """
    converter: Callable[[StateDict], ConvertReport] = pkgutil.resolve_name(FAMILIES[family])
    try:
        return converter(state_dict)
    except CheckpointError as error:
        raise CheckpointError(f'{source} is no {family} checkpoint: {error}') from error


def _write_folder(model: Any, target: Path) -> None:
    if target.exists():
        raise FileExistsError(f'{target} exists already; name a new folder for the converted model.')
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f'.{target.name}.', dir=target.parent) as partial:
        model.save_pretrained(Path(partial, target.name))
        os.replace(Path(partial, target.name), target)


def find_state_dict(checkpoint: dict[str, Any]) -> StateDict:
    """The weights in a checkpoint: below ``state_dict`` (MMEngine), ``model`` (detectron2), or in the dict itself."""
    inner = [checkpoint[key] for key in ('state_dict', 'model') if isinstance(checkpoint.get(key), dict)]
    found = inner[0] if inner else checkpoint
    return {name: value for name, value in found.items() if isinstance(name, str) and isinstance(value, torch.Tensor)}


def find_meta(checkpoint: dict[str, Any]) -> dict[str, Any]:
    """What MMEngine or MMCV wrote about the training, or nothing."""
    meta = checkpoint.get('meta')
    return meta if isinstance(meta, dict) else {}


def find_dataset_meta(checkpoint: dict[str, Any]) -> dict[str, dict]:
    """``dataset_meta`` with the classes and palette that MMSeg 1.x or 0.x wrote into a checkpoint, or nothing."""
    meta = find_meta(checkpoint)
    found = meta.get('dataset_meta') or {key.lower(): meta[key] for key in ('CLASSES', 'PALETTE') if meta.get(key)}
    known = {key: found[key] for key in ('classes', 'palette') if key in found} if isinstance(found, dict) else {}
    return dict(dataset_meta=known) if known else {}


def main(argv: list[str]) -> int:
    """The verb; exit status 1 and one sentence when the file is refused."""
    parser = argparse.ArgumentParser(prog='mmdass convert', description=__doc__)
    parser.add_argument('--from', dest='family', choices=FAMILIES, help='the code base it comes from, if not mmdass')
    parser.add_argument('--to', choices=('mmdass', 'mmseg'), default='mmdass', help='the code base that shall read it')
    parser.add_argument('--role', choices=('student', 'teacher'), default='student', help='who --to mmseg takes')
    parser.add_argument('--config', help='config of the training, where --to mmseg does not find it in the checkpoint')
    parser.add_argument('source', metavar='IN', type=Path)
    parser.add_argument('target', metavar='OUT', type=Path, help='.pth; --to mmdass: or .safetensors; adm: a folder')
    args = parser.parse_args(argv)
    if args.family is None and args.to == 'mmdass':
        parser.error('say --from FAMILY, or --to mmseg')
    try:
        if args.to == 'mmseg':
            export_file = pkgutil.resolve_name('mmdass.checkpoints.mmseg:export_file')
            report = export_file(args.source, args.target, args.role, args.config, args.family)
        else:
            report = convert_file(args.family, args.source, args.target)
    except (CheckpointError, FileNotFoundError, FileExistsError) as error:
        print(f'mmdass convert: {error}', file=sys.stderr)
        return 1
    print(report)
    print(f'wrote {args.target}')
    return 0
