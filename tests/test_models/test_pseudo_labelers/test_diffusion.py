import pytest
import torch
from mmengine.config import Config
from tiny_madm import CONFIGS

from mmdass.models import DiffusionPseudoLabeler
from mmdass.registry import MODELS

# Of the released code: iteration to the timesteps of its two starts.
DEPTH = {0: {60, 61}, 1: {59, 60}, 1000: {48}, 2500: {30}, 4900: {1}, 4916: {1}, 4919: {0}, 5000: {0}, 5001: {0},
         9999: {0}}
INFRARED_AND_EVENT = {0: {50, 51}, 1000: {43, 44}, 4900: {19}, 7840: {1}, 7844: {0}, 8000: {0}, 9999: {0}}


def drawn(labeler: DiffusionPseudoLabeler, iteration: int) -> set[int]:
    return {labeler.timestep(iteration, torch.Generator().manual_seed(seed)) for seed in range(40)}


@pytest.mark.parametrize(('task', 'table'), [
    ('depth', DEPTH), ('infrared', INFRARED_AND_EVENT), ('event', INFRARED_AND_EVENT)])
def test_schedule_of_the_released_configs(task, table):
    labeler = MODELS.build(Config.fromfile(CONFIGS / f'{task}.py').model.pseudo_labeler)
    assert isinstance(labeler, DiffusionPseudoLabeler) and labeler.threshold == 0.968
    assert {iteration: drawn(labeler, iteration) for iteration in table} == table


def test_first_clean_iterations():
    """Where either start reaches 0: 4917 and 4919 for depth, 7841 and 7844 for infrared and event."""
    for start, end, first in [(60, 5000, 4917), (61, 5000, 4919), (50, 8000, 7841), (51, 8000, 7844)]:
        labeler = DiffusionPseudoLabeler((start, start), end)
        assert drawn(labeler, first - 1) == {1} and drawn(labeler, first) == {0}


def test_the_draw_comes_from_the_generator_alone():
    labeler = DiffusionPseudoLabeler((0, 999), 10)
    generators = [torch.Generator().manual_seed(seed) for seed in (7, 7, 8)]
    draws = []
    for generator in generators:
        torch.rand(3)
        draws.append(labeler.timestep(0, generator))
    assert draws[0] == draws[1] != draws[2]


def test_labels_as_the_plain_labeler_does():
    pseudo = DiffusionPseudoLabeler(threshold=0.5)(torch.zeros(1, 2, 4, 4))
    assert (pseudo.weight == 1).all() and not pseudo.label.any()


def test_an_end_before_the_first_iteration_is_refused():
    with pytest.raises(ValueError, match="end_iteration must be at least 1, not 0; .*type='ConfidencePseudoLabeler'"):
        DiffusionPseudoLabeler(end_iteration=0)
