"""PTL with all its parts at the smallest size: what guides what, resuming after kills, several ranks."""

import gc
import itertools
import json
import os
import random
import re
import signal
from pathlib import Path
from unittest.mock import Mock, patch

import numpy as np
import pytest
import same_run
import tiny_ptl
import torch
from mmengine.config import Config
from mmengine.hooks import IterTimerHook
from mmengine.registry import init_default_scope
from mmengine.runner import Runner, ValLoop
from PIL import Image

from mmdass.apis import TranslationError, read_manifest, translate_dataset, translator
from mmdass.apis.translation_manifest import TranslationFolder
from mmdass.checkpoints import load_checkpoint_file
from mmdass.engine import dry_run
from mmdass.engine.loops import ProgressiveTranslationLoop, progressive_translation_loop
from mmdass.registry import MODELS
from mmdass.report import read_run
from mmdass.utils.compat import prepare_cpu_distributed

PHASES = ['source_only', 'stage_1', 'stage_2', 'final']
LOOP = 'mmdass.engine.loops.progressive_translation_loop'


@pytest.fixture(autouse=True, scope='module')
def one_thread():
    """Threads do not survive a fork. And neither are configs laid out for readers in each checkpoint nor all imports
    searched for garbage with each data set: most of a run's time."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    gc.freeze()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Config, 'pretty_text', property(lambda self: ''))
        yield
    gc.unfreeze()
    torch.set_num_threads(threads)


@pytest.fixture(scope='module')
def guides():
    """Weights of the guide of each translation of the undisturbed run."""
    return []


@pytest.fixture(scope='module')
def finished(one_thread, tmp_path_factory, guides) -> Runner:
    """An undisturbed run."""
    translate = progressive_translation_loop.translate_dataset

    def spy(translator, *args, **kwargs):
        guides.append({name: value.clone() for name, value in translator.guide.segmentor.state_dict().items()})
        return translate(translator, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(progressive_translation_loop, 'translate_dataset', spy)
        return tiny_ptl.train(tiny_ptl.config(tmp_path_factory.mktemp('finished')))


def weights(work_dir: str | Path, phase: str) -> dict[str, torch.Tensor]:
    return load_checkpoint_file(Path(work_dir, f'{phase}.pth'))['state_dict']


def equal(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    return first.keys() == second.keys() and all(first[name].equal(second[name]) for name in first)


def stage_files(work_dir: str | Path) -> dict[str, bytes]:
    """All files of the stages but locks."""
    return {path.relative_to(work_dir).as_posix(): path.read_bytes() for path in Path(work_dir).glob('stage_*/**/*')
            if path.is_file() and '.translate' not in path.parts}


def test_each_stage_is_guided_by_the_segmentor_before(finished, guides):
    assert len(guides) == 2
    assert equal(guides[0], weights(finished.work_dir, 'source_only'))
    assert equal(guides[1], weights(finished.work_dir, 'stage_1'))
    assert not equal(guides[0], guides[1])


def test_stages_translate_the_source_anew_with_their_own_steps(finished):
    files = stage_files(finished.work_dir)
    assert len([name for name in files if name.startswith('stage_1/image/')]) == 3
    assert '"start": 20' in files['stage_2/manifest.jsonl'].decode()
    assert files['stage_1/label/rgb/0/0.png'] == files['stage_2/label/rgb/0/0.png']
    assert files['stage_1/image/rgb/0/0.png'] != files['stage_2/image/rgb/0/0.png']
    assert 'stage_2/contact_sheet.png' in files


def test_every_phase_is_a_column_of_the_report(finished):
    columns = read_run(Path(finished.work_dir), 'ptl').scores
    assert [(column.role, column.iteration) for column in columns] == list(zip(PHASES, (3, 5, 7, 9), strict=True))
    assert all('mIoU' in column.values and 'road' in column.values for column in columns)


def test_a_finished_run_resumed_prints_its_table_only(finished, capsys):
    tiny_ptl.train(finished.cfg, resume=True)
    out = capsys.readouterr().out
    (header,) = [line for line in out.splitlines() if line.startswith('| IoU in %')]
    assert header.replace('|', ' ').split() == ['IoU', 'in', '%', *PHASES]
    assert out.rstrip().endswith('stage_2/contact_sheet.png')
    assert 'Iter(train)' not in out


def test_replay(finished):
    loop = finished.train_loop
    shares = {phase.name: [(part.name, share) for part, share in loop._parts(phase)] for phase in loop.phases}
    assert shares == {
        'source_only': [('source', 1.0)],
        'stage_1': [('stage_1', 0.7), ('source', 0.2), ('source', 0.1)],
        'stage_2': [('stage_2', 0.7), ('stage_1', 0.2), ('source', 0.1)],
        'final': [('stage_2', 1.0)],
    }
    held_out = loop._split(loop.phases[1])[1]
    assert len(held_out) == 1 and len(loop._parts(loop.phases[1])[0][0]) == 2  # the guard's image is not trained on


def test_fine_tuning_has_a_fresh_optimizer_at_a_part_of_the_rate(finished):
    def states(iteration: int) -> tuple[dict, list]:
        checkpoint = load_checkpoint_file(Path(finished.work_dir, f'iter_{iteration}.pth'))
        return checkpoint['optimizer'], checkpoint['param_schedulers']

    optimizer, schedulers = states(9)  # the end of the final phase, two iterations long
    assert len(schedulers) == 1 and {int(state['step']) for state in optimizer['state'].values()} == {2}


def test_the_eta_of_a_phase_is_not_that_of_all(finished):
    (timer,) = [hook for hook in finished.hooks if isinstance(hook, IterTimerHook)]
    times, _ = finished.message_hub.get_scalar('train/time').data
    assert timer.time_sec_tot == pytest.approx(sum(times[-2:]))  # the final phase has two iterations


# Resuming

MOMENTS = {  # what is called for the n-th time when the process is killed
    'source': (f'{LOOP}.ProgressiveTranslationLoop._run_iter', ProgressiveTranslationLoop._run_iter, 3),
    'translating': ('mmdass.apis.translation_manifest.TranslationFolder.add', TranslationFolder.add, 5),
    'fine_tuning': (f'{LOOP}.ProgressiveTranslationLoop._run_iter', ProgressiveTranslationLoop._run_iter, 7),
    'validating': ('mmengine.runner.ValLoop.run_iter', ValLoop.run_iter, 4),
    'between_phases': (f'{LOOP}.ProgressiveTranslationLoop._begin', ProgressiveTranslationLoop._begin, 4),
    'final': (f'{LOOP}.ProgressiveTranslationLoop._run_iter', ProgressiveTranslationLoop._run_iter, 9),
}


@pytest.mark.parametrize('moment', [
    'translating', 'fine_tuning', 'validating', 'between_phases',
    *(pytest.param(name, marks=pytest.mark.slow) for name in ('source', 'final'))])
def test_killed_and_resumed_run_ends_like_an_undisturbed_one(finished, tmp_path, moment):
    check_stopped(finished, tmp_path, moment, signal.SIGKILL, -signal.SIGKILL)


@pytest.mark.slow
@pytest.mark.parametrize('moment', MOMENTS)
def test_so_does_one_that_was_asked_to_leave(finished, tmp_path, moment):
    check_stopped(finished, tmp_path, moment, signal.SIGTERM, 75)


def check_stopped(finished: Runner, folder: Path, moment: str, number: int, status: int) -> None:
    """A run that gets a signal ends with a status, and resumed like the undisturbed one."""
    cfg = tiny_ptl.config(folder)

    def run_and_stop() -> None:
        target, function, call = MOMENTS[moment]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(target, tiny_ptl.die_at(call, function, number))
            tiny_ptl.train(cfg)

    assert tiny_ptl.wait(tiny_ptl.fork(run_and_stop)) == status
    assert tiny_ptl.wait(tiny_ptl.fork(lambda: tiny_ptl.train(cfg, resume=True))) == 0
    assert_same_run(cfg.work_dir, finished.work_dir)


def assert_same_run(work_dir: str, undisturbed: str) -> None:
    same_run.assert_same_run(Path(work_dir), Path(undisturbed))
    assert stage_files(work_dir) == stage_files(undisturbed)
    for phase in PHASES:
        assert equal(weights(work_dir, phase), weights(undisturbed, phase)), phase
        metrics = [load_checkpoint_file(Path(folder, f'{phase}.pth'))['meta']['metrics']
                   for folder in (work_dir, undisturbed)]
        np.testing.assert_equal(*metrics)
    roles = [column.role for column in read_run(Path(work_dir), 'ptl').scores]
    assert roles == PHASES


@pytest.mark.slow
def test_twenty_kills_at_random_moments(finished, tmp_path):
    draws, kills, runs = random.Random(0), 0, itertools.count()
    while kills < 20:
        folder = tmp_path / str(next(runs))
        folder.mkdir()
        cfg, status = tiny_ptl.config(folder), -signal.SIGKILL
        while status == -signal.SIGKILL:
            pid = tiny_ptl.fork(lambda cfg=cfg: tiny_ptl.train(cfg, resume=True))
            if kills < 20:
                tiny_ptl.kill_after(pid, draws.uniform(0.5, 6))
            status = tiny_ptl.wait(pid)
            kills += status == -signal.SIGKILL
        assert status == 0
        assert_same_run(cfg.work_dir, finished.work_dir)


def test_a_new_run_does_not_mix_with_an_earlier_one(finished):
    cfg = Config(finished.cfg._cfg_dict.to_dict())
    with pytest.raises(FileExistsError, match='source_only.pth is of an earlier run'):
        tiny_ptl.train(cfg)


def test_a_missing_phase_is_not_made_up(finished):
    lost = Path(finished.work_dir, 'stage_1.pth')
    lost.rename(lost.with_suffix('.away'))
    try:
        with pytest.raises(FileNotFoundError, match='stage_1.pth is missing'):
            finished.train_loop._finished_phases()
    finally:
        lost.with_suffix('.away').rename(lost)


# Decisions

def test_guard_gives_up_a_worse_segmentor(tmp_path, monkeypatch):
    scores = iter([10.0, 20.0, 19.6, 20.0])  # of g_1, g_0, g_2, g_1
    monkeypatch.setattr(progressive_translation_loop, 'held_out_score', lambda *_: next(scores))
    runner = tiny_ptl.train(tiny_ptl.config(
        tmp_path, train_cfg__source_iters=1, train_cfg__stage_iters=1, train_cfg__final_iters=0,
        train_cfg__guard__tolerance=0.5))
    g0, g1, g2 = (weights(runner.work_dir, phase) for phase in PHASES[:3])
    assert equal(g1, g0) and not equal(g2, g1)
    assert equal(runner.model.state_dict(), g2)


@pytest.mark.parametrize('named_again', [True, False])
def test_a_run_that_began_with_a_given_segmentor_resumes(tmp_path, monkeypatch, named_again):
    options = dict(train_cfg__source_iters=0, train_cfg__stages=[2], train_cfg__stage_iters=1,
                   train_cfg__final_iters=0, train_cfg__guard=None)
    init_default_scope('mmdass')
    given = MODELS.build(tiny_ptl.config(tmp_path).model).state_dict()
    torch.save(given, tmp_path / 'given.pth')
    with monkeypatch.context() as patches, pytest.raises(KeyboardInterrupt):
        patches.setattr(progressive_translation_loop, 'translate_dataset', Mock(side_effect=KeyboardInterrupt))
        tiny_ptl.train(tiny_ptl.config(tmp_path, load_from=str(tmp_path / 'given.pth'), **options))
    again = dict(load_from=str(tmp_path / 'given.pth')) if named_again else {}
    work_dir = tiny_ptl.train(tiny_ptl.config(tmp_path, **again, **options), resume=True).work_dir
    assert equal(weights(work_dir, 'source_only'), given)
    assert not equal(weights(work_dir, 'stage_1'), given)


def test_final_network_is_fresh(tmp_path):
    """Without a learning rate, weights are what they began as."""
    runner = tiny_ptl.train(tiny_ptl.config(
        tmp_path, train_cfg__source_iters=1, train_cfg__stages=[2], train_cfg__stage_iters=0, train_cfg__final_iters=1,
        train_cfg__guard=None, optim_wrapper__optimizer=dict(type='SGD', lr=0.0)))
    source, stage, final = (weights(runner.work_dir, phase)['backbone.stem.0.weight']
                            for phase in ('source_only', 'stage_1', 'final'))
    assert stage.equal(source) and not final.equal(source)


def test_an_image_that_cannot_be_translated_costs_its_stage_one_image(tmp_path, monkeypatch):
    check = translator._check

    def broken(image, sample, num_classes):
        if sample.img_path.endswith('/1'):
            raise OSError('a broken file')
        check(image, sample, num_classes)

    monkeypatch.setattr(translator, '_check', broken)
    work_dir = Path(tiny_ptl.train(tiny_ptl.config(
        tmp_path, train_cfg__source_iters=1, train_cfg__stages=[2], train_cfg__stage_iters=1, train_cfg__final_iters=0,
        train_cfg__guard=None)).work_dir)
    assert len(read_manifest(work_dir / 'stage_1')) == 2
    assert 'stage_1 goes on without some images' in next(work_dir.glob('*/*.log')).read_text()
    assert (work_dir / 'stage_1.pth').exists()


def test_a_dry_run_translates_a_batch(tmp_path, capsys):
    cfg = tiny_ptl.config(tmp_path, train_cfg__translate_batch_size=2)
    cfg.experiment_name = f'dry_run_{tmp_path.name}'
    with patch.object(dry_run, 'translate_dataset', wraps=translate_dataset) as translated:
        dry_run.dry_run(cfg)
    assert translated.call_args.kwargs['indices'] == range(2)
    assert translated.call_args.args[0].guide is not None
    assert capsys.readouterr().out.count('peak memory') == 2
    cfg = tiny_ptl.config(tmp_path, source_dataset__pipeline=[dict(type='RenderToyScene')])
    cfg.experiment_name = f'dry_run_again_{tmp_path.name}'
    with pytest.raises(TranslationError, match='could not be translated'):
        dry_run.dry_run(cfg)


def test_noise_is_of_the_runs_seed(finished, tmp_path):
    loop, header = finished.train_loop, json.loads(Path(finished.work_dir, 'stage_1/manifest.json').read_text())
    assert loop._build_translator().seed == header['seed'] == finished.seed
    finished.cfg.translator.seed = 7
    try:
        assert loop._build_translator().seed == 7
    finally:
        del finished.cfg.translator['seed']


@pytest.mark.parametrize('options, error', [
    (dict(train_cfg__stages=[20, 20]), (ValueError, 'each larger than the one before')),
    (dict(train_cfg__stages=[20, 2000]), (ValueError, 'start=2000; choose 1 to 1000')),
    (dict(translator__denoiser=dict(_delete_=True, type='Denoiser', pretrained='not/a/folder')),
     (FileNotFoundError, 'not/a/folder')),
    (dict(custom_hooks=[dict(type='GlobalSceneGuidanceHook')]), (TypeError, 'translator.sgg_hooks')),
    (dict(translator__denoiser__init_cfg=None), (ValueError, 'names no weights of its denoiser')),
    (dict(train_cfg__guard=dict(num_images=3)), (ValueError, 'leaves none of the 3 images')),
    (dict(train_cfg__guard=dict(num_image=1)), (ValueError, 'guard has no num_image, but num_images, tolerance')),
    (dict(train_cfg__robustness=dict(noises=1)), (ValueError, 'robustness has no noises')),
    (dict(train_cfg__replay=(0.7, 0.3)), (ValueError, 'one non-negative number each')),
    (dict(train_cfg__translated_pipeline=None), (ValueError, 'set translated_pipeline')),
    (dict(train_cfg__translated_pipeline=[dict(type='LoadModalityImag')]), (KeyError, 'LoadModalityImag')),
    (dict(train_cfg__images_per_stage=2, train_cfg__rare_class_sampling=dict(), train_cfg__guard=None),
     (ValueError, 'it needs one ModalityDataset')),
    (dict(default_hooks__checkpoint__save_best='mIoU'), (ValueError, 'save_best has no score to go by')),
    (dict(), (KeyError, 'no top-level `translator`')),
])
def test_bad_configs_are_refused_before_anything_is_trained(tmp_path, options, error):
    cfg = tiny_ptl.config(tmp_path, **options)
    if not options:
        cfg.pop('translator')
    with pytest.raises(error[0], match=re.escape(error[1])):
        tiny_ptl.train(cfg)
    assert not list(tmp_path.glob('work/*.pth'))


def test_other_classes_to_translate_are_refused(tmp_path):
    Image.new('RGB', (32, 16)).save(tmp_path / 'image.png')
    data = dict(_delete_=True, type='ModalityDataset', data_root=str(tmp_path), images='*.png', label_space='madm9')
    with pytest.raises(ValueError, match='Set one `label_space` for both'):
        tiny_ptl.train(tiny_ptl.config(tmp_path, source_dataset=data, train_cfg__guard=None))


# Ranks

def test_two_ranks_translate_like_one(finished, tmp_path):
    """The same guide checkpoint, images dealt to two processes, then trained on by both."""
    cfg = tiny_ptl.config(
        tmp_path, load_from=str(Path(finished.work_dir, 'source_only.pth')), launcher='pytorch', train_cfg__stages=[10],
        train_cfg__source_iters=0, train_cfg__stage_iters=1, train_cfg__final_iters=1, train_cfg__guard=None)

    def rank(number: int) -> None:
        os.environ.update(RANK=str(number), LOCAL_RANK=str(number), WORLD_SIZE='2')
        torch.distributed.init_process_group(
            'gloo', init_method=f'file://{tmp_path}/rendezvous', rank=number, world_size=2)
        prepare_cpu_distributed(cfg)
        tiny_ptl.train(cfg)

    assert [tiny_ptl.wait(pid) for pid in [tiny_ptl.fork(lambda: rank(0)), tiny_ptl.fork(lambda: rank(1))]] == [0, 0]
    one, two = (sorted(Path(folder, 'stage_1/image').rglob('*.png')) for folder in (finished.work_dir, cfg.work_dir))
    assert len(one) == len(two) == 3
    for first, second in zip(one, two, strict=True):
        difference = np.asarray(Image.open(first)).astype(int) - np.asarray(Image.open(second))
        assert first.name == second.name and np.abs(difference).max() <= 1
    assert weights(cfg.work_dir, 'final')
