"""The scripts that measure tables row by row: what they change, count and store."""

import json
import runpy
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.registry import init_default_scope

from mmdass.models import LatentPaletteHead
from mmdass.registry import MODELS
from mmdass.utils.config import load_config

ROOT = Path(__file__).parents[1]


@pytest.fixture
def script(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / 'benchmarks'))
    return lambda name: SimpleNamespace(**runpy.run_path(str(ROOT / f'benchmarks/{name}.py')))


@pytest.mark.slow
@pytest.mark.parametrize(('modality', 'as_it_is'), [
    ('depth', {'madm'}), ('event', {'madm', 'weight_20'}), ('infrared', {'madm'})])
def test_every_row_is_a_model_and_changes_something(script, modality, as_it_is):
    init_default_scope('mmdass')
    rows = script('toy_adaptation')
    plain = load_config(rows.CONFIGS / f'toy_{modality}.py').to_dict()
    unchanged = set()
    for name, changes in rows.MADM_ROWS.items():
        cfg = load_config(rows.CONFIGS / f'toy_{modality}.py', dict(changes))
        MODELS.build(cfg.model)
        if cfg.to_dict() == plain:
            unchanged.add(name)
    assert unchanged == as_it_is | set(rows.NOISE_SHARES)  # which main() sets


def test_more_iterations_stretch_dplg_with_them(script):
    cfg = load_config(ROOT / 'configs/madm/toy_event.py')
    end = cfg.model.pseudo_labeler.end_iteration
    script('rows').set_iterations(cfg, 2 * cfg.train_cfg.max_iters)
    assert cfg.model.pseudo_labeler.end_iteration == 2 * end
    assert cfg.param_scheduler[-1].end == cfg.train_cfg.val_interval == cfg.train_cfg.max_iters == 600


def test_painted_labels_are_read_by_their_colours(script):
    rows = script('toy_adaptation')
    label = torch.randint(0, 11, (2, 8, 8), generator=torch.Generator().manual_seed(0))
    head = LatentPaletteHead('madm11')
    nearest = rows.nearest_class(head.paint(label) + 0.02, head)
    assert rows.share_right(nearest, label) == 1
    label[0, :4] = 255  # not counted
    nearest[1, :2] = (nearest[1, :2] + 1) % 11
    assert rows.share_right(nearest, label) == pytest.approx((1 + 0.75) / 2)


@pytest.mark.slow
def test_a_row_is_trained_measured_and_stored(script, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, 'argv', [
        'toy_adaptation.py', 'depth', 'madm', '--iterations', '40', '--seed', '3', '--work-dir', str(tmp_path / 'work'),
        '--results', str(tmp_path)])
    script('toy_adaptation').main()
    row = json.loads((tmp_path / 'depth/madm_3.json').read_text())
    assert row['command'] == 'python benchmarks/toy_adaptation.py depth madm --seed 3 --iterations 40'
    assert {'student/mIoU', 'teacher/mIoU', 'student/IoU.road'} < set(row['scores'])
    for curve in (row['pseudo_labels'], row['painted_labels']):
        assert [entry[0] for entry in curve] == [10, 20, 30, 40]
    assert all(0 <= share <= 1 for entry in row['pseudo_labels'] for share in entry[1:])


def test_rows_of_real_images_differ_by_what_they_say(script):
    real = script('real_images')
    model = {row: real.configure(Path('DATA'), real.TASKS['nyu_to_depth'], row, 600).model for row in real.ROWS}
    assert model['madm'].latent_palette_head.label_space == 'nyu13'
    assert model['madm'].segmentor.decode_head.num_classes == 13
    assert model['self_training'].latent_palette_head is model['madm_without_lplr'].latent_palette_head is None
    assert model['self_training'].pseudo_labeler == model['madm_without_dplg'].pseudo_labeler
    assert model['madm_without_lplr'].pseudo_labeler == model['madm'].pseudo_labeler
    assert model['madm'].pseudo_labeler.end_iteration == 300  # half, as in depth.py
    assert model['source_only'].type == model['segformer_source_only'].type == 'EncoderDecoder'
    assert model['segformer_self_training'].teacher.alpha == model['madm'].teacher.alpha


def test_constant_scores_as_mmseg_counts(script):
    score = script('constant').score_constant

    class Labels(list):
        metainfo = dict(classes=('road', 'sky', 'car', 'tree'))

    def label(*rows):
        return dict(gt_seg_map=np.array(rows, dtype=np.uint8))

    source = [label([1, 0]), label([1, 0]), label([2, 255])]  # so sky left, road right
    target = Labels([label([1, 2, 0, 0], [1, 1, 255, 0])])
    scores = score(source, target)
    assert scores == pytest.approx({'mIoU': (100 + 75 + 0) / 3, 'IoU.road': 100, 'IoU.sky': 75, 'IoU.car': 0})


def test_classes_are_kept_where_their_colour_is_nearest(script):
    vae = script('toy_vae')
    head = LatentPaletteHead('madm11')
    label = torch.tensor([[[0, 0, 5, 5], [0, 0, 255, 9]]])
    restored = head.paint(label)
    restored[..., :1, 0] = head.paint(torch.full((1, 1, 1), 5))[..., 0]  # one of four
    restored[..., 1, 3] = restored[..., 0, 0]
    assert vae.classes_kept(head, restored, label) == {'sky': 75, 'road': 100, 'wall': 0}
    assert vae.saturation(torch.tensor([-1.0, 0.0, 1.0]).view(1, 3, 1, 1)) == 255


def test_rows_of_other_lengths_are_not_averaged(script, tmp_path, monkeypatch):
    tables = script('tables')
    monkeypatch.setitem(tables.scores.__globals__, 'RESULTS', tmp_path)
    for seed, iterations in enumerate((300, 300, 600)):
        row = dict(iterations=iterations, scores=dict(mIoU=10 * seed))
        (tmp_path / f'madm_{seed}.json').write_text(json.dumps(row))
        if seed < 2:
            table = tables.scores('', dict(madm='MADM'))
    assert '| MADM | 5.0 ± 7.1 | - | 2 |' in table
    with pytest.raises(ValueError, match=r'trained for \[300, 600\] iterations'):
        tables.scores('', dict(madm='MADM'))


def test_tables_of_seeds_classes_and_intervals(script, tmp_path, monkeypatch):
    tables = script('tables')
    monkeypatch.setitem(tables.labels.__globals__, 'RESULTS', tmp_path)
    for seed in (1, 2):
        curve = [(10, 0.1 * seed, 0.0), (20, 0.3 * seed, 0.0), (30, 0.4, 0.0), (40, 0.4, 0.0)]
        for row, scores in (('source_only', {'mIoU': seed, 'IoU.sky': 0.0}),
                            ('madm', {'student/mIoU': 5.0, 'teacher/mIoU': 6.0, 'student/IoU.sky': 10.0 * seed})):
            (tmp_path / f'{row}_{seed}.json').write_text(json.dumps(
                dict(seed=seed, iterations=40, scores=scores, pseudo_labels=curve)))
    titles = dict(source_only='plain', madm='MADM')
    right = tables.labels('', {'right': ('madm', 'pseudo_labels')}, interval=20)
    assert '| iterations | 1 to 20 | 21 to 40 |' in right
    assert '| right | 30.0 ± 14.1 | 40.0 ± 0.0 |' in right
    assert '| sky | 0.0 ± 0.0 | 15.0 ± 7.1 |' in tables.classes('', titles)
    (tmp_path / 'source_only_2.json').unlink()  # not run yet
    by_seed = tables.seeds('', titles)
    assert '| plain | 1.0 |  |  |' in by_seed
    assert '| MADM | 5.0 (6.0) | 5.0 (6.0) | 5.0 ± 0.0 |' in by_seed


def test_probes_refuse_a_checkpoint_of_another_training(script, tmp_path):
    stored = tmp_path / 'madm_42.json'
    stored.write_text(json.dumps(dict(modality='infrared', scores={'student/mIoU': 26.17})))
    check = script('toy_probes').check_agrees
    check({'infrared': {'timestep 0': 26.17}}, stored, Path('iter_600.pth'))
    with pytest.raises(ValueError, match=r'iter_600.pth scores 25.17, but .*madm_42.json says 26.17'):
        check({'infrared': {'timestep 0': 25.17}}, stored, Path('iter_600.pth'))


def test_sweeps_are_drawn_of_the_seeds_that_all_rows_have(script, tmp_path):
    common = script('draw_sweeps').common_runs
    for row, seeds in dict(madm=(42, 43), start_10=(43, 44)).items():
        for seed in seeds:
            (tmp_path / f'{row}_{seed}.json').write_text(json.dumps(dict(row=row, seed=seed)))
    runs = common(tmp_path, ['madm', 'start_10'])
    assert runs == dict(madm=[dict(row='madm', seed=43)], start_10=[dict(row='start_10', seed=43)])
    with pytest.raises(FileNotFoundError, match="'start_30': \\[\\]"):
        common(tmp_path, ['madm', 'start_30'])


@pytest.mark.slow
def test_probes_change_what_is_seen_and_leave_the_network_as_it_was(script):
    init_default_scope('mmdass')
    probes = script('toy_probes')
    cfg = load_config(ROOT / 'configs/madm/toy_infrared.py')
    cfg.val_dataloader.dataset.num_images = 2
    torch.manual_seed(0)
    model = MODELS.build(cfg.model).eval()
    seen, pictures = [], []

    def look(module, args, kwargs, features):
        seen.append(kwargs['timestep'])
        pictures.append(features[0])

    model.segmentor.backbone.register_forward_hook(look, with_kwargs=True)
    scores = probes.probe(model, cfg, probes.PICTURES)
    assert list(scores) == ['rgb', 'infrared']
    assert list(scores['rgb']) == [*(f'timestep {step}' for step in probes.TIMESTEPS), 'grey', 'true']
    assert seen == 2 * [*(step for step in probes.TIMESTEPS for _ in range(2)), 0, 0, 0, 0]
    painted, grey, true = pictures[0], pictures[10], pictures[12]
    assert not grey.any() and not torch.equal(painted, true)
    assert 'decode' not in vars(model.segmentor.backbone)
