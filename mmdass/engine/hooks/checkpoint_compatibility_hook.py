"""Refuses checkpoints that do not fit, which MMEngine would load with a warning in the log."""

from mmengine.dist import get_world_size
from mmengine.hooks import Hook
from mmengine.model import BaseTTAModel
from mmengine.runner import BaseLoop, Runner
from torch import Tensor, nn

from mmdass.checkpoints import CheckpointError
from mmdass.checkpoints.config_changes import decisive_changes
from mmdass.engine.unwrap import unwrap_model
from mmdass.registry import HOOKS

SHOWN = 3


@HOOKS.register_module()
class CheckpointCompatibilityHook(Hook):
    """Compares a loaded checkpoint with the model by name and shape, before its weights are copied.

    And when a run is resumed, compares the run that wrote it with this one: the config where that decides what is
    learned (model, data, optimizer, schedules), the classes, the seed and the number of processes. Paths, intervals and
    numbers of workers may differ.

    Args:
        strict: False restores MMEngine's way: tensors of another shape are skipped and the model keeps its own, as a
            fine-tuning to other classes needs; and any run may be resumed.

    Raises:
        ValueError: Tensors of one name differ in shape (first of all: the number of classes), or no name is shared; or
            in testing, weights of the predicting network are missing; or another run would be resumed.
    """

    def __init__(self, strict: bool = True) -> None:
        self.strict = strict

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Compare; MMEngine calls this between reading a checkpoint and copying its weights."""
        if not self.strict:
            return
        if runner.cfg.get('resume'):
            _require_same_run(runner, checkpoint.get('meta', {}))
        weights = checkpoint.get('state_dict', checkpoint)
        found = {name.removeprefix('module.'): weight for name, weight in weights.items()}
        model = unwrap_model(runner.model)
        model = model.module if isinstance(model, BaseTTAModel) else model
        expected = model.state_dict()
        problem = _describe(found, expected)
        if not isinstance(runner._train_loop, BaseLoop):  # a training may begin with a part
            problem = problem or _describe_missing(found, expected, model)
        if problem:
            path = runner.cfg.get('load_from') or f'in {runner.work_dir}'
            raise ValueError(f'The checkpoint {path} does not fit the model: {problem}')

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Note what the config does not say."""
        checkpoint['meta']['world_size'] = get_world_size()


def _require_same_run(runner: Runner, meta: dict) -> None:
    now = dict(
        seed=runner.seed, world_size=get_world_size(),
        classes=getattr(runner.train_dataloader.dataset, 'metainfo', {}).get('classes'))
    then = dict(meta, classes=meta.get('dataset_meta', {}).get('classes'))
    changes = [f'{name} was {then[name]}, is now {value}'
               for name, value in now.items() if then.get(name, value) != value]
    try:
        changes += decisive_changes(meta['cfg'], runner.cfg) if meta.get('cfg') else []
    except CheckpointError as error:
        runner.logger.warning(f'Whether the checkpoint is of a run with the same config cannot be told: {error}')
    if changes:
        listed = '\n'.join(f'  {change}' for change in changes)
        raise ValueError(
            f'The checkpoint in {runner.work_dir} is of another run; resumed, it would become neither:\n{listed}\n'
            'Undo these changes, or begin anew in another --work-dir (load_from takes the weights along). To resume '
            'all the same: --cfg-options default_hooks.compatibility.strict=False')


def _describe_missing(found: dict[str, Tensor], expected: dict[str, Tensor], model: nn.Module) -> str:
    """What of the predicting network the file lacks, or nothing."""
    of_others = ('terms.', 'latent_palette_head.')
    if getattr(model, 'predict_role', None) == 'student':
        of_others += ('teacher.', )
    missing = [name for name in expected
               if name not in found and not name.startswith(of_others) and not name.endswith('_extra_state')]
    if not missing:
        return ''
    return (f'it lacks {len(missing)} of the weights that predict, which would be random. The first is {missing[0]}. '
            'Use the config that it was trained with.')


def _describe(found: dict[str, Tensor], expected: dict[str, Tensor]) -> str:
    """What is wrong and what to do, or nothing."""
    shared = found.keys() & expected.keys()
    if not shared:
        return (f'they share no weight; the file begins with {next(iter(found), "nothing")!r}, the model with '
                f"{next(iter(expected))!r}. `mmdass convert` reads other code bases' checkpoints.")
    # An extra state has a form of its own, and its module judges it.
    differing = [name for name in expected
                 if name in shared and not name.endswith('_extra_state') and found[name].shape != expected[name].shape]
    if not differing:
        return ''
    lines = [f'{len(differing)} tensors have another shape.']
    heads = [name for name in differing if name.endswith('conv_seg.weight')]
    if heads:
        lines = [f'it was trained with {len(found[heads[0]])} classes, the model has {len(expected[heads[0]])}.']
    lines += [f'  {name}: {tuple(found[name].shape)} in the file, {tuple(expected[name].shape)} in the model'
              for name in differing[:SHOWN]]
    if len(differing) > SHOWN:
        lines.append(f'  and {len(differing) - SHOWN} more')
    lines.append('Use the config that it was trained with. To start from its other weights on purpose: '
                 '--cfg-options default_hooks.compatibility.strict=False')
    return '\n'.join(lines)
