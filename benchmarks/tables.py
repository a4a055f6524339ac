"""Fill the tables of docs/results.md from the results stored beside this file.

    python benchmarks/tables.py

A table stands between the lines `<!-- table NAME -->` and `<!-- end -->`; all else in the page is written by hand.
"""

import json
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import mean, stdev

ROOT = Path(__file__).parents[1]
PAGE = ROOT / 'docs/results.md'
RESULTS = ROOT / 'benchmarks/results'
BLOCK = re.compile(r'(<!-- table (\w+) -->\n).*?(<!-- end -->)', re.DOTALL)

ARMS = dict(
    source='the source, untranslated',
    unguided='translated, unguided', gsg='GSG at each step', lcg='LCG at each step', both='LCG and GSG in turns',
    ptl='PTL', oracle='the same streets in the real look (oracle)')

ADAPTATION = dict(
    constant='the most likely class at each position', source_only='source only', self_training='self-training',
    madm_without_dplg='MADM without DPLG', madm_without_lplr='MADM without LPLR',
    weight_1='MADM, LPLR with weight 1 instead of 20', madm='MADM',
    oracle="the target's labels (oracle)")
PRIORS = dict(random_unet='random U-Net', frozen_unet='toy-sd, frozen', adapters='toy-sd, adapters', madm='toy-sd')


def toy_translation() -> str:
    """Arms of benchmarks/toy_translation.py, mean and standard deviation over the seeds."""
    runs = [json.loads(path.read_text()) for path in sorted((RESULTS / 'toy_translation').glob('seed_*.json'))]
    rows = [[
        title,
        *(_spread([run['arms'][arm].get(key) for run in runs], digits)
          for key, digits in (('mIoU', 1), ('consistency', 1), ('kid', 4)))]
        for arm, title in ARMS.items() if all(arm in run['arms'] for run in runs)]
    return _table(['trained on', 'mIoU on the real look', 'label consistency', 'kernel distance'], rows)


def toy_phases() -> str:
    """mIoU after each phase of PTL, mean and standard deviation over the seeds."""
    runs = [json.loads(path.read_text()) for path in sorted((RESULTS / 'toy_translation').glob('seed_*.json'))]
    phases = [name.split('/')[1] for name in runs[0]['phases']]
    return _table(['phase', 'mIoU on the real look'], [
        [f'`{phase}`', _spread([run['phases'][f'val/{phase}/mIoU'] for run in runs], 1)] for phase in phases])


def toy_calibration() -> str:
    """Label consistency and distance by steps of noise and scale of guidance."""
    rows = json.loads((RESULTS / 'toy_calibration.json').read_text())['rows']
    return _table(['noise steps', 'scale', 'label consistency', '95 % interval', 'kernel distance'], [
        [str(row['start']), str(row['scale'] or 'unguided'), f'{row["consistency"]:.1f}',
         '{:.1f} to {:.1f}'.format(*row['interval']), f'{row["kid"]:.4f}'] for row in rows])


def toy_profiles() -> str:
    """The profiles of `mmdass benchmark translate`."""
    profiles = json.loads((RESULTS / 'toy_profiles.json').read_text())['figures']['profiles']
    return _table(['profile', 'steps', 'TFLOP an image', 'seconds an image', 'label consistency', '95 % interval'], [
        [f'`{name}`', str(figures['steps']), f'{figures["tflop_per_image"]:.4f}', f'{figures["seconds_per_image"]:.2f}',
         f'{figures["consistency"]["mIoU"]:.1f}', '{:.1f} to {:.1f}'.format(*figures['consistency']['interval'])]
        for name, figures in profiles.items()])


def toy_adaptation(modality: str, titles: dict[str, str]) -> str:
    """Rows of benchmarks/toy_adaptation.py, mean and standard deviation over their seeds."""
    rows = []
    for row, title in titles.items():
        paths = sorted((RESULTS / 'toy_adaptation' / modality).glob(f'{row}_[0-9]*.json'))
        scores = [json.loads(path.read_text())['scores'] for path in paths]
        if scores:
            student = [score.get('student/mIoU', score.get('mIoU')) for score in scores]
            teacher = [score.get('teacher/mIoU') for score in scores]
            rows.append([title, _spread(student, 1), _spread(teacher, 1), str(len(scores))])
    return _table(['', 'mIoU', 'of the teacher', 'seeds'], rows)


def fill(page: str) -> str:
    """The page with all its tables made anew."""
    return BLOCK.sub(lambda block: f'{block[1]}{TABLES[block[2]]()}{block[3]}', page)


def _spread(values: list[float | None], digits: int) -> str:
    if None in values:
        return '-'
    spread = f' ± {stdev(values):.{digits}f}' if len(values) > 1 else ''
    return f'{mean(values):.{digits}f}{spread}'


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ['---', *['---:'] * (len(head) - 1)], *rows]
    return ''.join(f'| {" | ".join(line)} |\n' for line in lines)


TABLES: dict[str, Callable[[], str]] = dict(
    toy_translation=toy_translation, toy_phases=toy_phases, toy_calibration=toy_calibration,
    toy_profiles=toy_profiles,
    toy_event=partial(toy_adaptation, 'event', ADAPTATION), toy_priors=partial(toy_adaptation, 'event', PRIORS))

if __name__ == '__main__':
    PAGE.write_text(fill(PAGE.read_text()))
