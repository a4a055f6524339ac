"""``report.html`` at the end of every training."""

import functools
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import mmseg
from mmengine.dist import collect_results, is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmengine.utils.dl_utils import collect_env
from mmseg.structures import SegDataSample

import mmdass
from mmdass.evaluation.metrics.confusion import count_confusions
from mmdass.registry import HOOKS
from mmdass.report import ENVIRONMENT_FILE, write_page
from mmdass.report.validation import MeasuredImage, image_score, ranked, write_validation
from mmdass.visualization import panel_pictures

from .domain_visualization_hook import validation_panels


def harmless(method: Callable) -> Callable:
    """Let a method of a hook log its errors: a missing report is no reason to lose a run."""

    @functools.wraps(method)
    def guarded(self: Hook, runner: Runner, *args, **kwargs) -> None:
        try:
            method(self, runner, *args, **kwargs)
        except Exception as error:
            runner.logger.warning(f'The report lacks what {method.__name__} gives: {type(error).__name__}: {error}')

    return guarded


@HOOKS.register_module()
class ReportHook(Hook):
    """Keeps beside the logs what a report shows that they do not hold, and writes the page when the training ends.

    That is, in the run's ``vis_data``: the environment, the confusions of the last validation, and pictures of its best
    and worst images. Metrics and models know nothing of it. It never fails a run; what goes wrong is a warning.

    Args:
        num_examples: how many of the best and how many of the worst images are kept.
    """

    priority = 'LOWEST'

    def __init__(self, num_examples: int = 3) -> None:
        self.num_examples = num_examples
        self._images: list[MeasuredImage] = []

    @harmless
    def before_train(self, runner: Runner) -> None:
        """Write down the environment."""
        if is_main_process():
            environment = {name: str(value) for name, value in collect_env().items()} | {
                'MMSegmentation': mmseg.__version__, 'mmdass': mmdass.__version__, 'seed': str(runner.seed)}
            folder = _data_folder(runner)
            folder.mkdir(parents=True, exist_ok=True)
            (folder / ENVIRONMENT_FILE).write_text(json.dumps(environment))

    def before_val_epoch(self, runner: Runner) -> None:
        """Forget the validation before."""
        self._images = []

    @harmless
    def after_val_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict, outputs: Sequence[SegDataSample]
    ) -> None:
        """Measure a batch, keep pictures of the best and worst images so far."""
        if 'gt_sem_seg' not in outputs[0]:
            return
        metainfo = runner.val_dataloader.dataset.metainfo
        roles = getattr(runner.val_loop, 'role_outputs', None) or {'prediction': outputs}
        panels = validation_panels(data_batch['inputs'], roles)
        for index, sample in enumerate(outputs):
            confusions = {
                role: count_confusions(
                    predicted[index].pred_sem_seg.data, sample.gt_sem_seg.data, len(metainfo['classes'])).cpu()
                for role, predicted in roles.items()
            }
            score = image_score(next(iter(confusions.values())))
            pictures = None
            if self._is_extreme(score):
                pictures = panel_pictures({name: batch[index] for name, batch in panels.items()}, metainfo['palette'])
            counts = {role: matrix.numpy() for role, matrix in confusions.items()}
            self._images.append(MeasuredImage(sample.get('img_path', ''), counts, score, pictures))

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Gather all ranks' images and write the validation."""
        images = collect_results(self._images, len(runner.val_dataloader.dataset), 'cpu')
        self._images = []
        if images:  # on the main process, with labels
            self._write(runner, images)

    @harmless
    def after_train(self, runner: Runner) -> None:
        """Write the page."""
        if is_main_process():
            path = Path(runner.work_dir, 'report.html')
            write_page([Path(runner.work_dir)], path)
            runner.logger.info(f'Report: {path}')

    @harmless
    def _write(self, runner: Runner, images: list[MeasuredImage]) -> None:
        metainfo = runner.val_dataloader.dataset.metainfo
        write_validation(_data_folder(runner), images, metainfo, runner.iter, self.num_examples)

    def _is_extreme(self, score: float) -> bool:
        """Whether an image is among the best or worst so far."""
        scores = [image.score for image in ranked([image for image in self._images if image.pictures])]
        return (
            len(scores) < 2 * self.num_examples
            or score > scores[self.num_examples - 1] or score < scores[-self.num_examples])


def _data_folder(runner: Runner) -> Path:
    """Where ``LocalVisBackend`` writes."""
    return Path(runner.log_dir, 'vis_data')
