"""One training step, to learn before a long job whether it would run."""

from pathlib import Path
from tempfile import TemporaryDirectory

from mmengine.config import Config
from mmengine.device import get_device
from mmengine.dist import master_only
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmdass.apis.launch import build_runner
from mmdass.apis.translator import translate_dataset
from mmdass.engine.unwrap import unwrap_model
from mmdass.registry import DATASETS, MODELS
from mmdass.utils.memory import peak_memory


def dry_run(cfg: Config) -> None:
    """Build model, data, evaluators and hooks as a training would, take one step, print its losses and peak memory.

    Where training and translation take turns (PTL), a batch is translated too, guided, in two steps. Nothing is kept:
    logs go to a temporary folder and no checkpoint is written.

    Args:
        cfg: A training's config, changed in place.
    """
    batch_size = cfg.train_cfg.get('translate_batch_size', 1)
    cfg.train_cfg = dict(type='IterBasedTrainLoop', max_iters=1, val_begin=2)
    hooks = {name: hook for name, hook in cfg.get('default_hooks', {}).items() if name != 'report'}
    cfg.default_hooks = {**hooks, 'checkpoint': None}
    cfg.resume = False
    schedulers = cfg.get('param_scheduler') or []
    for scheduler in schedulers if isinstance(schedulers, (list, tuple)) else [schedulers]:
        scheduler.setdefault('end', scheduler.get('begin', 0) + 1)  # the default is the number of iterations, now 1
    with TemporaryDirectory(prefix='mmdass_dry_run_') as folder:
        cfg.work_dir = folder
        runner = build_runner(cfg)
        runner.register_hook(StepReportHook())
        runner.train()
        runner.test_loop  # noqa: B018, built when first asked for
        if 'translator' in cfg:
            _translate(runner, batch_size, Path(folder, 'translated'))


def _translate(runner: Runner, batch_size: int, folder: Path) -> None:
    translator = MODELS.build({**runner.cfg.translator, 'num_steps': 2}).to(get_device())  # one for each guide
    translator.guide_with(unwrap_model(runner.model))
    source = DATASETS.build(runner.cfg.source_dataset)
    translate_dataset(
        translator, source, folder, 'dry run', batch_size=batch_size, indices=range(len(source))[:batch_size])
    _print_peak()


class StepReportHook(Hook):
    """Prints what the model logged for a step, and the memory that it took."""

    @master_only
    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | None = None, outputs: dict | None = None
    ) -> None:
        """Print one line per logged value."""
        for name, value in outputs.items():
            print(f'{name}: {float(value):.4f}')
        _print_peak()


def _print_peak() -> None:
    device, peak = peak_memory()
    print(f'peak memory: {peak / 2**20:.0f} MiB ({device})')
