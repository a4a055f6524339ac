"""Pictures of what the model sees and decides, for every visualization backend."""

from collections.abc import Sequence
from pathlib import Path

import mmcv
import torch
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.hooks.hook import DATA_BATCH
from mmengine.runner import Runner
from mmseg.structures import SegDataSample
from torch import Tensor

from mmdass.engine.unwrap import unwrap_model
from mmdass.registry import HOOKS
from mmdass.utils.names import names_below
from mmdass.visualization import DomainVisualizer, panel_pictures, write_pictures


@HOOKS.register_module()
class DomainVisualizationHook(Hook):
    """Adds grids of panels to the Runner's visualizer: local files, TensorBoard, W&B, whatever backends it has.

    In training it asks the model for its panels (image, label, pseudo-label, confidence, mix, decoded palette); models
    without panels are left alone. In validation it draws image, ground truth and the predictions of all roles. The
    image is the network's input rather than the file, so any modality and generated data can be shown. Only the main
    process works.

    Each panel is also kept as a file, ``vis_data/panels/<series>/<iteration>/<branch>/<name>.png`` in the run's folder:
    of these reports make figures. And each class's share of the pseudo-labels that are drawn, in percent, is logged as
    ``pseudo/share.<class>``: one that fades away shows early.

    Args:
        interval: iterations between training pictures.
        num_images: samples drawn of a batch.
        val_interval: every how many validation batches one is drawn; the first always is.
        show_dir: folder that a picture of each test image is written to, as ``tools/test.py --show-dir`` does.

    Raises:
        TypeError: before the run, if the Runner's visualizer is not a ``DomainVisualizer``.
    """

    def __init__(
        self, interval: int = 1000, num_images: int = 1, val_interval: int = 50, show_dir: str | None = None
    ) -> None:
        self.interval = interval
        self.num_images = num_images
        self.val_interval = val_interval
        self.show_dir = show_dir

    def before_run(self, runner: Runner) -> None:
        """Refuse a visualizer that cannot draw panels."""
        if not isinstance(runner.visualizer, DomainVisualizer):
            raise TypeError(
                f'DomainVisualizationHook needs a DomainVisualizer, not {type(runner.visualizer).__name__}: '
                "write visualizer=dict(type='mmdass.DomainVisualizer', vis_backends=[dict(type='LocalVisBackend')])."
            )

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: DATA_BATCH = None) -> None:
        """Ask for panels."""
        model = unwrap_model(runner.model)
        if hasattr(model, 'panels_wanted'):
            model.panels_wanted = is_main_process() and self.every_n_train_iters(runner, self.interval)

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: DATA_BATCH = None, outputs: dict | None = None
    ) -> None:
        """Draw them and let them go."""
        model = unwrap_model(runner.model)
        if getattr(model, 'panels_wanted', False):
            self._draw(runner, 'train', model.panels, runner.iter + 1)
            self._log_shares(runner, model.panels.get('target/pseudo_label'), runner.iter + 1)
            model.panels_wanted = False
            model.panels = {}

    def after_val_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict, outputs: Sequence[SegDataSample]
    ) -> None:
        """Draw predictions beside the ground truth."""
        if batch_idx % self.val_interval == 0 and is_main_process():
            roles = getattr(runner.val_loop, 'role_outputs', None) or {'prediction': outputs}
            panels = validation_panels(data_batch['inputs'], roles)
            self._draw(runner, f'val_{batch_idx}', panels, runner.iter)

    def after_test_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict, outputs: Sequence[SegDataSample]
    ) -> None:
        """Write a picture of each test image, named after its path below the data root."""
        if self.show_dir is None:
            return
        inputs = data_batch['inputs']
        # Test-time augmentation: one list per view, of which the first is the plain image.
        inputs = inputs[0] if isinstance(inputs[0], (list, tuple)) else inputs
        panels = validation_panels(inputs, dict(prediction=outputs))
        for i, sample in enumerate(outputs):
            grid = runner.visualizer.draw_panels({key: batch[i] for key, batch in panels.items()})
            root = getattr(runner.test_loop.dataloader.dataset, 'data_root', None)
            name = names_below(root or '', [sample.img_path])[0].replace('/', '_')
            mmcv.imwrite(grid[..., ::-1], str(Path(self.show_dir, f'{name}.png')))

    def _draw(self, runner: Runner, name: str, panels: dict[str, Sequence[Tensor]], step: int) -> None:
        for i in range(min(self.num_images, *map(len, panels.values()))):
            sample = {key: batch[i] for key, batch in panels.items()}
            runner.visualizer.add_image(f'{name}_{i}', runner.visualizer.draw_panels(sample), step)
            pictures = panel_pictures(sample, runner.visualizer.dataset_meta['palette'])
            write_pictures(Path(runner.log_dir, 'vis_data/panels', f'{name}_{i}', str(step)), pictures)

    @staticmethod
    def _log_shares(runner: Runner, labels: Tensor | None, step: int) -> None:
        if labels is not None:
            classes = runner.visualizer.dataset_meta['classes']
            counts = torch.bincount(labels.flatten(), minlength=256)[: len(classes)].double()
            shares = (100 * counts / counts.sum().clamp(min=1)).tolist()
            scalars = {f'pseudo/share.{name}': share for name, share in zip(classes, shares, strict=True)}
            runner.visualizer.add_scalars(scalars, step)


def validation_panels(
    inputs: Sequence[Tensor], roles: dict[str, Sequence[SegDataSample]]
) -> dict[str, Sequence[Tensor]]:
    """Panels of a validation batch.

    Args:
        inputs: the loaded images, (3, H, W) uint8 BGR.
        roles: per role the predicted samples, whose ``gt_sem_seg`` and ``pred_sem_seg`` are (1, H, W).
    """
    samples = next(iter(roles.values()))
    panels = {'val/image': [image.flip(0) / 127.5 - 1 for image in inputs]}
    if 'gt_sem_seg' in samples[0]:
        panels['val/ground_truth'] = [sample.gt_sem_seg.data[0] for sample in samples]
    for role, predicted in roles.items():
        panels[f'val/{role}'] = [sample.pred_sem_seg.data[0] for sample in predicted]
    return panels
