"""Fill the tables of the pages from the results stored beside this file.

    python benchmarks/tables.py

A table stands between the lines `<!-- table NAME -->` and `<!-- end -->`; all else in the pages is written by hand.
"""

import json
import re
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from statistics import mean, stdev

ROOT = Path(__file__).parents[1]
PAGES = ROOT / 'docs/results.md', ROOT / 'configs/madm/README.md'
RESULTS = ROOT / 'benchmarks/results'
BLOCK = re.compile(r'(<!-- table (\w+) -->\n).*?(<!-- end -->)', re.DOTALL)

ARMS = dict(
    source='the source, untranslated',
    unguided='translated, unguided', gsg='GSG at each step', lcg='LCG at each step', both='LCG and GSG in turns',
    ptl='PTL', oracle='the same streets in the real look (oracle)')

ADAPTATION = dict(
    constant='the most likely class at each position', source_only='source only',
    self_training='MADM without both: self-training', madm_without_dplg='MADM without DPLG',
    madm_without_lplr='MADM without LPLR', madm='MADM',
    frozen_tail="MADM, the U-Net's last layer frozen, as released",
    oracle="the target's labels (oracle)")
WEIGHT_1 = dict(weight_1='MADM, LPLR with weight 1 instead of 20')
PRIORS = dict(
    random_unet='a random U-Net', madm='toy-sd',
    adapters='toy-sd, adapters of rank 8 alone, its last layer frozen', adapters_without_lplr='the same without LPLR',
    frozen_unet='toy-sd, frozen', frozen_unet_without_lplr='the same without LPLR',
    frozen_random_unet='a random U-Net, frozen')
STARTS = dict(
    madm_without_dplg='0 (no DPLG)', start_10='10', start_30='30', madm='50, as in `infrared.py`', start_120='120',
    start_200='200')
NOISE_ENDS = dict(
    madm_without_dplg='at once (no DPLG)', noise_for_a_quarter='a quarter', madm='four fifths, as in `infrared.py`',
    noise_to_the_end='all')
LPLR = dict(
    madm_without_lplr='0 (no LPLR)', **{f'weight_{weight}': f'{weight}, source' for weight in (1, 3, 10, 20)},
    madm='1, both, as in `infrared.py`', **{f'both_{weight}': f'{weight}, both' for weight in (3, 10, 20)},
    frozen_tail="1, both, the U-Net's last layer frozen, as released",
    without_s0='1, both, without s0, the head at an eighth of the resolution')
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
    nyu_to_depth='NYUv2 RGB to depth')
REAL_ROWS = dict(
    constant='the most likely class at each position', segformer_source_only='SegFormer-B0, source only',
    segformer_self_training='SegFormer-B0, self-training', source_only='toy-sd, source only',
    self_training='toy-sd, MADM without both: self-training', madm_without_dplg='toy-sd, MADM without DPLG',
    madm_without_lplr='toy-sd, MADM without LPLR', madm='toy-sd, MADM')


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


def toy_vae() -> str:
    """Kinds of pictures in benchmarks/toy_vae.py's results."""
    rows = json.loads((RESULTS / 'toy_vae.json').read_text())['rows']
    return _table(['', 'error', 'saturation', 'restored', 'changed by taking the colours away', "latents' deviation"], [
        [kind, *(f'{row[key]:.1f}' for key in ('error', 'saturation', 'restored_saturation')),
         f'{100 * row["changed_by_grey"]:.0f} %', f'{row["latents_std"]:.2f}'] for kind, row in rows.items()])


def toy_painted() -> str:
    """Classes of painted labels that survive the VAE, of the same results."""
    kept = json.loads((RESULTS / 'toy_vae.json').read_text())['classes_kept']
    return _table(['', *kept], [['% of its pixels', *(f'{share:.0f}' for share in kept.values())]])


def toy_probes(probes: dict[str, str], rows: dict[str, str]) -> str:
    """Rows of benchmarks/toy_probes.py: mIoU of trained networks where something that they see is changed."""
    lines = []
    for path in sorted((RESULTS / 'toy_probes').glob('*.json')):
        run = json.loads(path.read_text())
        for row, title in rows.items():
            for domain in run['scores'][row][0]:
                found = [seed[domain] for seed in run['scores'][row]]
                lines.append([f'{title.format(run["modality"])}, tested on {domain}', *(
                    _spread([scores[probe] for scores in found], 1) for probe in probes), str(len(found))])
    return _table(['', *probes.values(), 'seeds'], lines)


def toy_profiles() -> str:
    """The profiles of `mmdass benchmark translate`."""
    profiles = json.loads((RESULTS / 'toy_profiles.json').read_text())['figures']['profiles']
    return _table(['profile', 'steps', 'TFLOP an image', 'seconds an image', 'label consistency', '95 % interval'], [
        [f'`{name}`', str(figures['steps']), f'{figures["tflop_per_image"]:.4f}', f'{figures["seconds_per_image"]:.2f}',
         f'{figures["consistency"]["mIoU"]:.1f}', '{:.1f} to {:.1f}'.format(*figures['consistency']['interval'])]
        for name, figures in profiles.items()])


def scores(folder: str, titles: dict[str, str]) -> str:
    """Rows of a script in a folder of results, mean and standard deviation over their seeds."""
    rows = [[titles[row], *_student_and_teacher(runs), str(len(runs))] for row, runs in _runs(folder, titles).items()]
    return _table(['', 'mIoU', 'of the teacher', 'seeds'], rows)


def seeds(folder: str, titles: dict[str, str]) -> str:
    """The rows seed by seed, student and (teacher), then the student's mean where there are several."""
    found = _runs(folder, titles)
    columns = sorted({run['seed'] for runs in found.values() for run in runs})
    rows = []
    for row, runs in found.items():
        cells = {run['seed']: '{} ({})'.format(*_student_and_teacher([run])).replace(' (-)', '') for run in runs}
        mean_of_all = _student_and_teacher(runs)[0] if len(runs) > 1 else ''
        rows.append([titles[row], *(cells.get(seed, '') for seed in columns), mean_of_all])
    return _table(['', *(f'seed {seed}' for seed in columns), 'mean'], rows)


def classes(folder: str, titles: dict[str, str]) -> str:
    """IoU of each class, a column for each row, of the student."""
    found = _runs(folder, titles)
    names = [key.split('IoU.')[1] for key in found['source_only'][0]['scores'] if key.startswith('IoU.')]
    return _table(['IoU', *(titles[row] for row in found)], [
        [name, *(_spread([_of_student(run, f'IoU.{name}') for run in runs], 1) for runs in found.values())]
        for name in names])


def labels(folder: str, curves: dict[str, tuple[str, str]], interval: int = 100) -> str:
    """Pixels labelled right over the training, in percent: means over intervals of iterations."""
    rows = []
    for title, (row, curve) in curves.items():
        runs = _runs(folder, [row])[row]
        stops = range(interval, runs[0]['iterations'] + 1, interval)
        shares = [[mean(100 * right for iteration, right, *_ in run[curve] if stop - interval < iteration <= stop)
                   for run in runs] for stop in stops]
        rows.append([title, *(_spread(share, 1) for share in shares)])
    return _table(['iterations', *(f'{stop - interval + 1} to {stop}' for stop in stops)], rows)


def toy_methods() -> str:
    """Rows of benchmarks/toy_methods.py, mean and standard deviation over their seeds."""
    rows = [[
        METHODS[row], *_student_and_teacher(runs), str(len(runs)), f'{runs[0]["parameters"] / 1e6:.2f}',
        f'{mean(run["seconds_per_step"] for run in runs):.2f}',
        f'{1 / mean(run["seconds_per_image"] for run in runs):.1f}']
        for row, runs in _runs('toy_methods/event', METHODS).items()]
    return _table(
        ['', 'mIoU', 'of the teacher', 'seeds', 'million parameters', 'seconds a step', 'images a second'], rows)


def real_images() -> str:
    """Rows of benchmarks/real_images.py, mean and standard deviation over their seeds."""
    rows = [[task_title, REAL_ROWS[row], *_student_and_teacher(runs), str(len(runs))]
            for task, task_title in REAL_TASKS.items() for row, runs in _runs(f'real_images/{task}', REAL_ROWS).items()]
    return _table(['', '', 'mIoU', 'of the teacher', 'seeds'], rows)


def _runs(folder: str, rows: Iterable[str]) -> dict[str, list[dict]]:
    """What is stored of these rows, by row, seed after seed.

    Raises:
        ValueError: They were not trained equally long.
    """
    found = {row: [json.loads(path.read_text()) for path in sorted((RESULTS / folder).glob(f'{row}_[0-9]*.json'))]
             for row in rows}
    lengths = {run['iterations'] for runs in found.values() for run in runs}
    if len(lengths) > 1:
        raise ValueError(f'the rows of {folder} were trained for {sorted(lengths)} iterations: one length a folder')
    return {row: runs for row, runs in found.items() if runs}


def _student_and_teacher(runs: list[dict]) -> list[str]:
    return [_spread([_of_student(run, 'mIoU') for run in runs], 1),
            _spread([run['scores'].get('teacher/mIoU') for run in runs], 1)]


def _of_student(run: dict, score: str) -> float | None:
    return run['scores'].get(f'student/{score}', run['scores'].get(score))


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
    toy_vae=toy_vae, toy_painted=toy_painted,
    toy_noise=partial(toy_probes, NOISE, dict(source_only='source only', madm='MADM for {}')),
    toy_s0=partial(toy_probes, PICTURES, dict(madm='MADM for {}')),
    toy_methods=toy_methods, toy_methods_depth=partial(scores, 'toy_methods/depth', METHODS),
    toy_weights=partial(scores, 'toy_methods/event', WEIGHTS), real_images=real_images,
    real_dusk=partial(seeds, 'real_images/camvid_to_dusk', REAL_ROWS),
    toy_event=partial(seeds, 'toy_adaptation/event', ADAPTATION | WEIGHT_1),
    toy_depth=partial(seeds, 'toy_adaptation/depth', ADAPTATION),
    toy_infrared=partial(seeds, 'toy_adaptation/infrared', ADAPTATION),
    toy_demo=partial(seeds, 'toy_adaptation/infrared', dict(source_only='source only', madm='MADM')),
    toy_classes=partial(classes, 'toy_adaptation/infrared', dict(
        constant='by position alone', source_only='source only', self_training='self-training', madm='MADM',
        oracle='oracle')),
    toy_labels=partial(labels, 'toy_adaptation/infrared', {
        'with DPLG': ('madm', 'pseudo_labels'), 'without': ('madm_without_dplg', 'pseudo_labels'),
        'with DPLG, as LPLR paints': ('madm', 'painted_labels')}),
    toy_prior=partial(seeds, 'toy_adaptation/infrared', PRIORS),
    toy_start=partial(seeds, 'toy_adaptation/infrared', STARTS),
    toy_noise_end=partial(seeds, 'toy_adaptation/infrared', NOISE_ENDS),
    toy_lplr=partial(seeds, 'toy_adaptation/infrared', LPLR),
    toy_volume=partial(seeds, 'toy_adaptation/infrared', VOLUMES))

if __name__ == '__main__':
    for page in PAGES:
        page.write_text(fill(page.read_text()))
