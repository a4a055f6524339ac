"""The benchmark of memory and open files, on a training with a leak and one without."""

import json
from mmap import mmap

import pytest
from mmengine.hooks import Hook

from mmdass.benchmarks import main
from mmdass.registry import HOOKS

KEPT = []


@pytest.fixture
def leak():
    class Leak(Hook):
        def after_train_iter(self, *args, **kwargs):
            pages = mmap(-1, 2**21)  # of its own: an array could take memory that earlier tests have freed
            pages.write(bytes(2**21))
            KEPT.append((pages, open(__file__)))

    HOOKS.register_module(module=Leak, force=True)
    yield
    for _, file in KEPT:
        file.close()
    KEPT.clear()
    HOOKS.module_dict.pop('Leak')


@pytest.mark.parametrize('hooks', [[], [dict(type='Leak')]])
def test_growth_is_that_of_the_training(tiny_config_file, tmp_path, hooks, leak):
    tiny_config_file.write_text(tiny_config_file.read_text() + f'\ncustom_hooks = {hooks}\n')
    figures = tmp_path / 'leaks.json'
    assert main(['leaks', str(tiny_config_file), '--iterations', '40', '--json', str(figures),
                 '--cfg-options', 'default_hooks.logger.interval=99']) == 0
    found = json.loads(figures.read_text())['figures']
    assert found['iterations'] == list(range(1, 41))
    assert abs(found['files_per_1000'] - 1000 * len(hooks)) < 1
    assert (found['memory_mib_per_1000'] > 1500) == bool(hooks)
    assert not (tmp_path / 'work').exists()
