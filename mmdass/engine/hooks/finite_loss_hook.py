"""Stops a training that went wrong while its last checkpoint is still good."""

import math

from mmengine.hooks import CheckpointHook, Hook
from mmengine.runner import Runner

from mmdass.engine.unwrap import unwrap_model
from mmdass.registry import HOOKS


class NonFiniteLossError(RuntimeError):
    """A loss, or the weights after a step, are NaN or infinite."""


@HOOKS.register_module()
class FiniteLossHook(Hook):
    """Raises when a loss is not finite, before ``CheckpointHook`` of the same iteration can replace a good checkpoint.

    Costs no device synchronisation: ``RuntimeInfoHook`` (VERY_HIGH) has already moved the losses to the message hub,
    where they are read. In iterations that write a checkpoint the trained weights are looked at too, because a finite
    loss can have a NaN gradient, and under DDP another rank's NaN arrives through the gradients only.

    Raises:
        NonFiniteLossError: naming iteration, losses, branches and images.
    """

    priority = 'HIGH'

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | None = None, outputs: dict | None = None
    ) -> None:
        """Check the losses, and the weights when they are about to be saved."""
        losses = {
            name: runner.message_hub.get_scalar(f'train/{name}').current() for name in outputs or {} if 'loss' in name
        }
        broken = {name: value for name, value in losses.items() if not math.isfinite(value)}
        if broken:
            raise NonFiniteLossError(_describe(broken, data_batch, runner.iter + 1))
        if _saves_now(runner) and not _weights_finite(runner):
            raise NonFiniteLossError(
                f'Weights are not finite after iteration {runner.iter + 1}, though the losses of this process are: a '
                'gradient was not, here or on another rank (see its log). The checkpoint was not written; the previous '
                'one is untouched. Resume from it with a lower learning rate or with optim_wrapper.clip_grad.'
            )


def _describe(broken: dict[str, float], data_batch: dict, iteration: int) -> str:
    """The message: which losses, in which branches, on which images."""
    # 'loss' is the sum and broken whenever one of its terms is.
    terms = {name: value for name, value in broken.items() if name != 'loss'} or broken
    branches = dict.fromkeys(name.split('.')[0] for name in terms)
    lines = [f'Loss is not finite at iteration {iteration}:']
    lines += [f'  {name} = {value}' for name, value in terms.items()]
    lines += [f'Images of branch {branch!r}: {", ".join(_image_paths(data_batch, branch))}' for branch in branches]
    lines += [
        'No checkpoint was written; the previous one is untouched. Look at these images and their labels, then resume '
        'with a lower learning rate, optim_wrapper.clip_grad, or float32 (type=OptimWrapper).'
    ]
    return '\n'.join(lines)


def _image_paths(data_batch: dict, branch: str) -> list[str]:
    """Paths of a branch's own images; of all images of the batch for a branch made from them, such as 'mix'."""
    if 'data_samples' in data_batch:
        parts = [data_batch]
    elif branch in data_batch:
        parts = [data_batch[branch]]
    else:
        parts = list(data_batch.values())
    return [str(sample.get('img_path', '(no path)')) for part in parts for sample in part['data_samples']]


def _saves_now(runner: Runner) -> bool:
    """Whether a ``CheckpointHook`` writes after this iteration."""
    return any(
        hook.every_n_train_iters(runner, hook.interval, hook.save_begin)
        or (hook.save_last and hook.is_last_train_iter(runner))
        for hook in runner.hooks
        if isinstance(hook, CheckpointHook) and not hook.by_epoch
    )


def _weights_finite(runner: Runner) -> bool:
    parameters = unwrap_model(runner.model).parameters()
    return all(bool(p.isfinite().all()) for p in parameters if p.requires_grad)
