"""`mmdass check CONFIG`: look at every file that a config will load; exit status 1 if something is wrong."""

import argparse
import dataclasses
import json
import os
import sys
from collections.abc import Sequence

from mmengine.config import Config, DictAction
from mmengine.registry import init_default_scope
from PIL import Image
from tqdm import tqdm

from mmdass.checkpoints.saver import replace_atomically
from mmdass.utils.config import load_config

from .contact_sheet import contact_sheet
from .findings import Finding, find_problems
from .inspection import Item, inspect
from .report import facts, format_report
from .splits import Split, find_splits


def walk(cfg: Config, workers: int = 2) -> tuple[list[tuple[Split, list[Item]]], list[Finding]]:
    """Look at every item of every split; a split that cannot be built is a finding and the walk goes on."""
    walked, failed = [], []
    for split in find_splits(cfg):
        try:
            count = len(split.indices)
        except Exception as error:  # noqa: BLE001, the message is the finding
            failed.append(Finding('error', split.name, 'data set cannot be built', str(error)))
            continue
        progress = tqdm(inspect(split, workers), desc=split.name, total=count, unit='image', disable=None)
        walked.append((split, list(progress)))
    return walked, failed


def main(argv: Sequence[str]) -> int:
    """The verb's command line."""
    parser = argparse.ArgumentParser(prog='mmdass check', description=__doc__)
    parser.add_argument('config')
    parser.add_argument('--json', metavar='FILE', help='write the same facts there')
    parser.add_argument('--contact-sheet', metavar='FILE', help='draw samples of every split there, labels laid over')
    parser.add_argument('--workers', type=int, default=os.cpu_count(), help='processes (default: %(default)s)')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE')
    args = parser.parse_args(argv)
    cfg = load_config(args.config, args.cfg_options)
    init_default_scope(cfg.get('default_scope', 'mmdass'))
    walked, findings = walk(cfg, args.workers)
    findings += find_problems(walked)
    if not walked and not findings:
        parser.error(f'{args.config} has no dataloader with a data set')

    splits = [facts(split, items) for split, items in walked]
    print(format_report(splits, findings))
    if args.json:
        document = dict(
            config=args.config, splits=splits, findings=[dataclasses.asdict(finding) for finding in findings])
        with replace_atomically(args.json) as partial:
            partial.write_text(json.dumps(document, indent=2), encoding='utf-8')
    if args.contact_sheet:
        _write_sheet(walked, args.contact_sheet)
    return int(any(finding.level == 'error' for finding in findings))


def _write_sheet(walked: Sequence[tuple[Split, list[Item]]], path: str) -> None:
    sheet = contact_sheet(walked)
    if sheet is None:
        print('No sample could be loaded, so there is no contact sheet.', file=sys.stderr)
        return
    with replace_atomically(path) as partial:
        Image.fromarray(sheet).save(partial, format='PNG')
    print(f'contact sheet: {path}')
