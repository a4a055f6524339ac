"""Fill the tables of docs/results.md from the results stored beside this file.

    python benchmarks/tables.py

A table stands between the lines `<!-- table NAME -->` and `<!-- end -->`; all else in the page is written by hand.
"""

import json
import re
from collections.abc import Callable
from functools import partial
from itertools import product
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
    madm_without_dplg='MADM without DPLG', madm_without_lplr='MADM without LPLR', madm='MADM',
    frozen_tail="MADM, the U-Net's last layer frozen, as released",
    oracle="the target's labels (oracle)")
WEIGHT_1 = dict(weight_1='MADM, LPLR with weight 1 instead of 20')
PRIORS = dict(
    random_unet='random weights', madm='toy-sd', adapters='toy-sd, adapters of rank 8 alone',
    frozen_random_unet='random weights, frozen', frozen_unet='toy-sd, frozen')
STARTS = dict(
    madm_without_dplg='0 (no DPLG)', start_10='10', start_30='30', madm='50, as in `infrared.py`', start_120='120',
    start_200='200')
NOISE_ENDS = dict(
    madm_without_dplg='at once (no DPLG)', noise_for_a_quarter='a quarter', madm='four fifths, as in `infrared.py`',
    noise_to_the_end='all')
LPLR = dict(
    madm_without_lplr='0 (no LPLR)', **{f'weight_{weight}': f'{weight}, source' for weight in (1, 3, 10, 20)},
    madm='1, both, as in `infrared.py`', **{f'both_{weight}': f'{weight}, both' for weight in (3, 10, 20)},
    frozen_tail="1, both, the U-Net's last layer frozen, as released", without_s0='1, both, without s0')
NOISE = {f'timestep {timestep}': f'timestep {timestep}' for timestep in (0, 10, 50, 120, 200)}
PICTURES = {'timestep 0': 's0 as painted', 'grey': 'grey', 'true': 'the true label'}
VOLUMES = dict(
    source_only='none (source only)', images_200='10 %', images_500='25 %', images_1000='50 %',
    madm='100 %, 2000 images')
GUIDES = dict(
    segformer_300="the toy's g, 300 iterations", segformer_1200='the same, 1200 iterations',
    unet_1200='a U-Net, 1200 iterations')
METHODS = dict(
    source_only='source only', dacs='DACS', daformer='DAFormer', mic='MIC', madm='MADM, narrow head',
    distilled='SegFormer-B0, distilled from it', oracle="the target's labels (oracle)")
WEIGHTS = dict(
    dacs_loose='DACS, threshold 0.8', dacs='DACS', dacs_pixel='DACS, each pixel by its own confidence',
    madm_loose='MADM, narrow head, threshold 0.8', madm='MADM, narrow head')
REAL_TASKS = dict(
    camvid_to_thermal='CamVid to RoadScene thermal', camvid_to_events='CamVid to simulated events',
    nyu_to_depth='NYUv2 RGB to depth', camvid_to_dusk='CamVid day to dusk')
REAL_ROWS = dict(
    segformer_source_only='SegFormer-B0, source only', segformer='SegFormer-B0, self-training',
    segformer_loose='SegFormer-B0, self-training, threshold 0.8',
    madm_source_only='toy-sd, source only', madm='toy-sd, MADM')


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


def toy_guides() -> str:
    """Rows of benchmarks/toy_guides.py."""
    rows = json.loads((RESULTS / 'toy_guides.json').read_text())['rows']
    return _table(
        ['guide', 'its mIoU on source, target', 'scale', 'label consistency', '95 % interval', 'by its own word',
         'trained on'],
        [[GUIDES[row['guide']], f'{row["synthetic"]:.1f}, {row["real"]:.1f}', str(row.get('scale', 'unguided')),
          f'{row["consistency"]:.1f}', '{:.1f} to {:.1f}'.format(*row['interval']), f'{row["own_consistency"]:.1f}',
          _spread(row['mIoU'], 1) if 'mIoU' in row else '-'] for row in rows])


def toy_latents() -> str:
    """Rows of benchmarks/toy_latents.py."""
    rows = json.loads((RESULTS / 'toy_latents.json').read_text())['rows']
    return _table(['', 'from pixels', 'from latents', 'seeds'], [
        [row['modality'], *(_spread(row[inputs], 1) for inputs in ('pixels', 'latents')), str(len(row['pixels']))]
        for row in rows])


def toy_probes(probes: dict[str, str], rows: dict[str, str]) -> str:
    """Rows of benchmarks/toy_probes.py: mIoU of trained networks where something that they see is changed."""
    lines = []
    for path in sorted((RESULTS / 'toy_probes').glob('*.json')):
        run = json.loads(path.read_text())
        for row, title in rows.items():
            for domain in run['scores'][row][0]:
                seeds = [seed[domain] for seed in run['scores'][row]]
                lines.append([f'{title}, tested on {domain}', *(
                    _spread([scores[probe] for scores in seeds], 1) for probe in probes), str(len(seeds))])
    return _table(['', *probes.values(), 'seeds'], lines)


def toy_profiles() -> str:
    """The profiles of `mmdass benchmark translate`."""
    profiles = json.loads((RESULTS / 'toy_profiles.json').read_text())['figures']['profiles']
    return _table(['profile', 'steps', 'TFLOP an image', 'seconds an image', 'label consistency', '95 % interval'], [
        [f'`{name}`', str(figures['steps']), f'{figures["tflop_per_image"]:.4f}', f'{figures["seconds_per_image"]:.2f}',
         f'{figures["consistency"]["mIoU"]:.1f}', '{:.1f} to {:.1f}'.format(*figures['consistency']['interval'])]
        for name, figures in profiles.items()])


def scores(folder: str, titles: dict[str, str]) -> str:
    """Rows of a script in a folder of results, mean and standard deviation over their seeds.

    Raises:
        ValueError: They were not trained equally long.
    """
    found = {title: runs for row, title in titles.items() if (runs := _runs(folder, row))}
    lengths = {run['iterations'] for runs in found.values() for run in runs}
    if len(lengths) > 1:
        raise ValueError(f'the rows of {folder} were trained for {sorted(lengths)} iterations: one length a folder')
    rows = [[title, *_student_and_teacher(runs), str(len(runs))] for title, runs in found.items()]
    return _table(['', 'mIoU', 'of the teacher', 'seeds'], rows)


def toy_methods() -> str:
    """Rows of benchmarks/toy_methods.py, mean and standard deviation over their seeds."""
    rows = []
    for row, title in METHODS.items():
        if runs := _runs('toy_methods/event', row):
            rows.append([
                title, *_student_and_teacher(runs), str(len(runs)), f'{runs[0]["parameters"] / 1e6:.2f}',
                f'{mean(run["seconds_per_step"] for run in runs):.2f}',
                f'{1 / mean(run["seconds_per_image"] for run in runs):.1f}'])
    return _table(
        ['', 'mIoU', 'of the teacher', 'seeds', 'million parameters', 'seconds a step', 'images a second'], rows)


def real_images() -> str:
    """Rows of benchmarks/real_images.py, mean and standard deviation over their seeds."""
    rows = []
    for (task, task_title), (row, title) in product(REAL_TASKS.items(), REAL_ROWS.items()):
        if runs := _runs(f'real_images/{task}', row):
            rows.append([task_title, title, *_student_and_teacher(runs), str(runs[0]['iterations']), str(len(runs))])
    return _table(['', '', 'mIoU', 'of the teacher', 'iterations', 'seeds'], rows)


def _runs(folder: str, row: str) -> list[dict]:
    return [json.loads(path.read_text()) for path in sorted((RESULTS / folder).glob(f'{row}_[0-9]*.json'))]


def _student_and_teacher(runs: list[dict]) -> list[str]:
    scores = [run['scores'] for run in runs]
    return [_spread([score.get('student/mIoU', score.get('mIoU')) for score in scores], 1),
            _spread([score.get('teacher/mIoU') for score in scores], 1)]


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
    toy_guides=toy_guides, toy_profiles=toy_profiles, toy_latents=toy_latents,
    toy_noise=partial(toy_probes, NOISE, dict(source_only='source only', madm='MADM')),
    toy_s0=partial(toy_probes, PICTURES, dict(madm='MADM')),
    toy_methods=toy_methods, toy_methods_depth=partial(scores, 'toy_methods/depth', METHODS),
    toy_weights=partial(scores, 'toy_methods/event', WEIGHTS), real_images=real_images,
    toy_event=partial(scores, 'toy_adaptation/event', ADAPTATION | WEIGHT_1),
    toy_depth=partial(scores, 'toy_adaptation/depth', ADAPTATION),
    toy_infrared=partial(scores, 'toy_adaptation/infrared', ADAPTATION),
    toy_prior=partial(scores, 'toy_adaptation/infrared', PRIORS),
    toy_start=partial(scores, 'toy_adaptation/infrared', STARTS),
    toy_noise_end=partial(scores, 'toy_adaptation/infrared', NOISE_ENDS),
    toy_lplr=partial(scores, 'toy_adaptation/infrared', LPLR),
    toy_volume=partial(scores, 'toy_adaptation/infrared', VOLUMES))

if __name__ == '__main__':
    PAGE.write_text(fill(PAGE.read_text()))
