"""The plan of the phases, and stages of equal steps in the signal-to-noise ratio."""

import numpy as np
import pytest
from diffusers import DDPMScheduler

from mmdass.engine.loops.ptl_phases import Phase, plan_phases, resolve_stages, snr_spaced_stages


def test_phases_follow_each_other():
    assert plan_phases([100, 300], source_iters=5, stage_iters=2, final_iters=4) == [
        Phase('source_only', 0, 5, guides=100),
        Phase('stage_1', 5, 7, stage=1, start=100, guides=300),
        Phase('stage_2', 7, 9, stage=2, start=300, guides=None),
        Phase('final', 9, 13),
    ]


def test_no_final_network():
    assert plan_phases([600], 5, 2, 0)[-1].name == 'stage_1'


@pytest.mark.parametrize('stages', [[], [0, 100], [100, 100], [300, 200]])
def test_stages_must_increase(stages):
    with pytest.raises(ValueError, match='each larger than the one before'):
        plan_phases(stages, 1, 1, 1)


def test_equal_steps_of_signal_to_noise():
    stages = snr_spaced_stages(num=6, smallest=60, largest=600)
    assert len(stages) == 6 and (stages[0], stages[-1]) == (60, 600)
    kept = DDPMScheduler().alphas_cumprod.numpy()[np.array(stages) - 1]
    steps = np.diff(10 * np.log10(kept / (1 - kept)))
    assert steps == pytest.approx([steps.mean()] * 5, rel=0.02)
    assert np.diff(stages)[0] < np.diff(stages)[-1]  # most changes where n is small


def test_a_list_or_a_spacing():
    assert resolve_stages((1, 2), {}) == [1, 2]
    assert resolve_stages(dict(num=3), {}) == snr_spaced_stages(num=3)
    assert resolve_stages(dict(num=3), dict(beta_schedule='scaled_linear')) != snr_spaced_stages(num=3)
