"""The phases of progressive translation learning on one axis of training iterations."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from diffusers import DDPMScheduler


@dataclass(frozen=True)
class Phase:
    """A training of the segmentor, and the translation that it needs first.

    Args:
        name: 'source_only', 'stage_1', 'stage_2', ..., 'final'.
        begin: Training iterations done when it begins.
        end: And when it ends.
        stage: Number of the stage, from 1; None for 'source_only' and 'final'.
        start: Forward steps n of the stage's translation.
        guides: Forward steps of the next translation, which this phase's segmentor guides; None if it guides none.
    """

    name: str
    begin: int
    end: int
    stage: int | None = None
    start: int | None = None
    guides: int | None = None


def plan_phases(stages: Sequence[int], source_iters: int, stage_iters: int, final_iters: int) -> list[Phase]:
    """All phases in order; 'final' only if it has iterations.

    Args:
        stages: Forward steps n of each stage.
        source_iters: Iterations on the source.
        stage_iters: Iterations in each stage.
        final_iters: Iterations of the fresh network on the last stage's images.

    Raises:
        ValueError: ``stages`` is empty, not strictly increasing or holds a number below 1.
    """
    if not stages or any(n <= before for before, n in zip([0, *stages], stages, strict=False)):
        raise ValueError(f'ProgressiveTranslationLoop: stages={list(stages)} must be numbers of forward steps from 1 '
                         'on, each larger than the one before, such as [100, 200, 300, 400, 500, 600].')
    phases = [Phase('source_only', 0, source_iters, guides=stages[0])]
    for stage, (start, guides) in enumerate(zip(stages, [*stages[1:], None], strict=True), start=1):
        begin = phases[-1].end
        phases.append(Phase(f'stage_{stage}', begin, begin + stage_iters, stage, start, guides))
    if final_iters:
        phases.append(Phase('final', phases[-1].end, phases[-1].end + final_iters))
    return phases


def resolve_stages(stages: Sequence[int] | Mapping, scheduler: Mapping) -> list[int]:
    """The list itself, or :func:`snr_spaced_stages` of a dict of its arguments."""
    return snr_spaced_stages(**stages, scheduler=scheduler) if isinstance(stages, Mapping) else list(stages)


def snr_spaced_stages(
    num: int = 6, smallest: int = 60, largest: int = 600, scheduler: Mapping | None = None
) -> list[int]:
    """Forward steps n with equal steps of the log signal-to-noise ratio, which changes most where n is small.

    Args:
        num: Number of stages.
        smallest: n of the first.
        largest: n of the last.
        scheduler: Config of a diffusers ``DDPMScheduler``; its defaults where it says nothing.
    """
    kept = DDPMScheduler.from_config(scheduler or {}).alphas_cumprod.double().numpy()
    log_snr = np.log(kept / (1 - kept))  # of n = 1, 2, ...; falls
    wanted = np.linspace(log_snr[smallest - 1], log_snr[largest - 1], num)
    return [int(np.abs(log_snr - value).argmin()) + 1 for value in wanted]
