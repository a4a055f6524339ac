"""What is wrong with the data, and what to do about it."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from .inspection import Item
from .orphans import labels_without_image
from .splits import Split

_SHOWN = 5  # files named in a finding
_LABEL_FOLDERS = {'label', 'labels', 'mask', 'masks', 'gt', 'annotation', 'annotations', 'segmentation'}


@dataclass
class Finding:
    """One kind of problem in one split.

    Args:
        level: 'error' (training would stop, or learn something wrong) or 'warning'.
        split: Name of the split.
        kind: The problem in a few words.
        message: Details and what to do, of the first file if there are several.
        count: How many files have it; 0 if it is not about files.
        files: The first of them.
    """

    level: str
    split: str
    kind: str
    message: str
    count: int = 0
    files: list[str] = field(default_factory=list)


def find_problems(walked: Sequence[tuple[Split, list[Item]]]) -> list[Finding]:
    """The findings about splits and their items, errors first."""
    findings = [finding for split, items in walked for finding in _of_split(split, items)]
    findings += _unlearnable(walked) + _shared(walked) + _other_classes([split for split, _ in walked])
    return sorted(findings, key=lambda finding: finding.level)


def mapped_counts(split: Split, items: Sequence[Item]) -> np.ndarray:
    """(256,) int64: pixels of each class index after mapping."""
    raw = sum((item.counts for item in items if item.counts is not None), np.zeros(256, np.int64))
    lut = split.class_lut if any(item.label for item in items) else np.arange(256)
    mapped = np.zeros(256, np.int64)
    np.add.at(mapped, lut, raw)
    return mapped


def _of_split(split: Split, items: list[Item]) -> list[Finding]:
    by_kind: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for item in items:
        for kind, message in item.problems.items():
            by_kind[kind].append((item.image if 'image' in kind else item.label, message))
    findings = [
        _about_files('error', split, kind, found[0][1], [file for file, _ in found]) for kind, found in by_kind.items()
    ]
    lossy = [item.label for item in items if (item.label_form or '').startswith('JPEG')]
    if lossy:
        findings.append(_about_files(
            'warning', split, 'JPEG label', 'JPEG changes ids; take the lossless version of the labels.', lossy))
    masks = [item.image for item in items if Path(item.image).parent.name.lower() in _LABEL_FOLDERS]
    if masks:
        findings.append(_about_files(
            'warning', split, 'image in a folder of labels',
            'If these are labels, they are trained on as pictures: narrow `images` of the data set.', masks))
    orphans = labels_without_image(items)
    if orphans:
        findings.append(_about_files(
            'warning', split, 'label without image', 'Look whether images are missing.', orphans))
    return findings + _repeated(split, items)


def _about_files(level: str, split: Split, kind: str, message: str, files: list[str]) -> Finding:
    return Finding(level, split.name, kind, message, len(files), files[:_SHOWN])


def _repeated(split: Split, items: list[Item]) -> list[Finding]:
    seen: dict[bytes, str] = {}
    again = [item.image for item in items if item.digest and seen.setdefault(item.digest, item.image) != item.image]
    if not again:
        return []
    return [_about_files('warning', split, 'image repeated in a split', 'Equal files; one of each is enough.', again)]


def _shared(walked: Sequence[tuple[Split, list[Item]]]) -> list[Finding]:
    findings = []
    for number, (split, items) in enumerate(walked):
        known = {item.digest for item in items if item.digest}
        for other, others in walked[:number]:
            files = [item.image for item in others if item.digest in known]
            if files:
                findings.append(_about_files(
                    'warning', split, f'images also in {other.name}',
                    'Equal files. Scores are too good if one split is trained on and the other tested.', files))
    return findings


def _other_classes(splits: Sequence[Split]) -> list[Finding]:
    """Splits whose classes are not the first one's. As many of other names may mean the same."""
    first, findings = splits[0], []
    for split in splits[1:]:
        expected, found = first.label_space.classes, split.label_space.classes
        if found != expected:
            renamed = len(found) == len(expected) and set(found) != set(expected)
            findings.append(Finding('warning' if renamed else 'error', split.name, 'other classes', (
                f'{", ".join(found)}, but {first.name} has {", ".join(expected)}. Set one `label_space` for both.')))
    return findings


def _unlearnable(walked: Sequence[tuple[Split, list[Item]]]) -> list[Finding]:
    """Classes without a pixel in what training learns from, and in what is measured."""
    sources = [(split, items) for split, items in walked if split.trains and any(i.counts is not None for i in items)]
    findings = []
    if sources:
        name = ' + '.join(split.name for split, _ in sources)
        classes = sources[0][0].label_space.classes
        absent = _absent(classes, sum(mapped_counts(*source) for source in sources))
        if len(absent) == len(classes):
            findings.append(Finding('error', name, 'no class in the source', (
                'No pixel maps to a class. Check `raw_labels` and `class_mapping`.')))
        elif absent:
            findings.append(Finding('warning', name, 'classes never seen in the source', (
                f'{", ".join(absent)}: cannot be learned. Map a source class to them, or leave them out of '
                '`label_space`.')))
    for split, items in walked:
        if not split.trains and any(item.counts is not None for item in items):
            absent = _absent(split.label_space.classes, mapped_counts(split, items))
            if absent:
                findings.append(Finding('warning', split.name, 'classes never seen in evaluation', (
                    f'{", ".join(absent)}: their IoU is nan, or 0 where they are predicted.')))
    return findings


def _absent(classes: Sequence[str], counts: np.ndarray) -> list[str]:
    return [name for name, count in zip(classes, counts, strict=False) if not count]
