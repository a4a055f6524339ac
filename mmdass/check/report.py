"""The facts about a config's data, as a dict for `--json` and as text for a person."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from prettytable import PrettyTable

from .findings import Finding, mapped_counts
from .inspection import Item
from .splits import Split

_ROWS = 6  # different sizes or forms printed; the JSON has all


def facts(split: Split, items: Sequence[Item]) -> dict:
    """Counts, sizes, forms, label ids before and classes after mapping of one split."""
    labelled = [item for item in items if item.counts is not None]
    return dict(
        split=split.name,
        type=type(split.dataset).__name__,
        root=split.dataset.data_root,
        modality=getattr(split.dataset, 'modality', None),
        items=len(split.dataset),
        inspected=len(items),
        labelled=len(labelled),
        image_sizes=_histogram(item.size and f'{item.size[0]} x {item.size[1]}' for item in items),
        image_forms=_histogram(item.form for item in items),
        label_sizes=_histogram(item.label_size and f'{item.label_size[0]} x {item.label_size[1]}' for item in items),
        label_forms=_histogram(item.label_form for item in items),
        raw_ids=_raw_ids(split, labelled) if labelled else [],
        classes=_classes(split, labelled) if labelled else [],
    )


def _histogram(values) -> dict[str, int]:
    return dict(Counter(value for value in values if value).most_common())


def _raw_ids(split: Split, items: Sequence[Item]) -> list[dict]:
    """A row per id that the files hold."""
    counts = np.stack([item.counts for item in items])
    drawn = not any(item.label for item in items)
    space = split.label_space if drawn else split.raw_labels
    lut = np.arange(256) if drawn else split.class_lut
    names = dict(zip(space.file_ids, space.classes, strict=True)) | dict.fromkeys([*space.void_ids, 255], 'no class')
    targets = {**dict(enumerate(split.label_space.classes)), 255: 'ignored'}
    total = counts.sum()
    return [
        dict(id=int(i), name=names.get(int(i), '?'), to=targets.get(int(lut[i]), 'outside the label space'),
             images=int((counts[:, i] > 0).sum()), share=float(counts[:, i].sum() / total))
        for i in np.flatnonzero(counts.any(axis=0))
    ]


def _classes(split: Split, items: Sequence[Item]) -> list[dict]:
    """A row per class that the model predicts: its share of the pixels that have a class, and 'ignored' of all."""
    counts = mapped_counts(split, items)
    classes = split.label_space.classes
    total = max(counts[: len(classes)].sum(), 1)
    rows = [dict(name=name, share=float(counts[i] / total)) for i, name in enumerate(classes)]
    return [*rows, dict(name='(ignored, of all pixels)', share=float(counts[255] / max(counts.sum(), 1)))]


def format_report(splits: Sequence[dict], findings: Sequence[Finding]) -> str:
    """The report as text: each split, class shares side by side, findings last, where a terminal shows them."""
    parts = [_format_split(split) for split in splits]
    labelled = [split for split in splits if split['classes']]
    if labelled:
        parts.append('Share of the labelled pixels in %, after mapping:\n' + _share_table(labelled))
    parts += [_format_finding(finding) for finding in reversed(findings)]
    errors = sum(finding.level == 'error' for finding in findings)
    parts.append(f'{errors} errors, {len(findings) - errors} warnings')
    return '\n\n'.join(parts)


def _format_split(split: dict) -> str:
    modality = f', {split["modality"]}' if split['modality'] else ''
    lines = [f'{split["split"]}: {split["items"]} images{modality} ({split["type"]}, {split["root"] or "drawn"})']
    if split['inspected'] < split['items']:
        lines.append(f'  the first {split["inspected"]} were looked at')
    for what in ('image_sizes', 'image_forms', 'label_sizes', 'label_forms'):
        if split[what]:
            lines.append(f'  {what.replace("_", " "):12} {_format_histogram(split[what])}')
    if split['raw_ids']:
        table = PrettyTable(['id', 'in the files', 'becomes', 'images', 'pixels in %'], align='l')
        for row in split['raw_ids']:
            table.add_row([row['id'], row['name'], row['to'], row['images'], f'{100 * row["share"]:.3f}'])
        lines.append(table.get_string())
    return '\n'.join(lines)


def _format_histogram(histogram: dict[str, int]) -> str:
    shown = ', '.join(f'{value} ({count})' for value, count in list(histogram.items())[:_ROWS])
    rest = len(histogram) - _ROWS
    return shown + (f', and {rest} more' if rest > 0 else '')


def _share_table(splits: Sequence[dict]) -> str:
    table = PrettyTable(['class', *(split['split'] for split in splits)], align='r')
    table.align['class'] = 'l'
    shares = [{entry['name']: f'{100 * entry["share"]:.3f}' for entry in split['classes']} for split in splits]
    for name in dict.fromkeys(name for column in shares for name in column):
        table.add_row([name, *(column.get(name, '-') for column in shares)])
    return table.get_string()


def _format_finding(finding: Finding) -> str:
    files = f' ({finding.count} files)' if finding.count else ''
    lines = [f'{finding.level.upper()} {finding.split}: {finding.kind}{files}', f'  {finding.message}']
    return '\n'.join([*lines, *(f'    {file}' for file in finding.files)])
