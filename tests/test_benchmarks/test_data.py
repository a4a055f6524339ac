import json
from pathlib import Path

from mmdass.benchmarks.data import main

CONFIG = Path(__file__).parents[2] / 'configs/_base_/datasets/toy_event.py'


def test_figures_of_a_worker_and_of_the_loader(tmp_path, capsys):
    options = ['train_dataloader.dataset.source.num_images=4', 'train_dataloader.dataset.target.num_images=4',
               'train_dataloader.num_workers=0', 'train_dataloader.persistent_workers=False']
    assert main([str(CONFIG), '--num', '4', '--json', str(tmp_path / 'f.json'), '--cfg-options', *options]) == 0
    figures = json.loads((tmp_path / 'f.json').read_text())['figures']
    worker = figures['worker']
    steps = ('RenderToyScene', 'RandomCrop', 'RandomFlip', 'PackModalityInputs')
    assert set(worker['milliseconds']) == {f'{domain} {step}' for domain in ('source', 'target') for step in steps} | {
        'other'}
    assert all(part > 0 for part in worker['milliseconds'].values())
    total = sum(worker['milliseconds'].values())
    assert abs(total * worker['samples_per_second'] / 1000 - 1) < 1e-6
    assert figures['loader']['workers'] == 0 and figures['loader']['samples_per_second'] > 0
    assert 'source RenderToyScene' in capsys.readouterr().out
