"""Keeps NaN and infinity out of the weights, and stops a training that meets them again and again."""

import math

import torch
from mmengine.hooks import CheckpointHook, Hook
from mmengine.runner import Runner
from torch.optim import Optimizer

from mmdass.engine.unwrap import unwrap_model
from mmdass.registry import HOOKS
from mmdass.utils.ranks import rank_prefix

REMEDY = ('The previous checkpoint is untouched. Look at these images and their labels, then resume with '
          'optim_wrapper.clip_grad; or begin from its weights (load_from) with a lower learning rate or in float32 '
          '(optim_wrapper.type=OptimWrapper).')


class NonFiniteLossError(RuntimeError):
    """Losses or gradients of several steps in a row, or the weights, are NaN or infinite."""


@HOOKS.register_module()
class FiniteLossHook(Hook):
    """Leaves out steps whose gradient is not finite, says why, and stops after several in a row.

    Weights, optimizer state and teacher stay as they were, so checkpoints stay good. Under DDP all ranks have the same
    gradient, and leave a step out together. fp16's gradient scaler leaves such steps out by itself, and expects some;
    there only losses are looked at.

    Each step reads one number from the device before it is taken. MMEngine reads one there too where ``clip_grad`` is
    set, and all losses after each iteration (``RuntimeInfoHook``), from where this hook has them.

    In iterations that write a checkpoint, weights and buffers are looked at too: NaN in a forward pass enters the
    statistics of batch norm, which no gradient shows.

    Args:
        patience: So many steps in a row with a loss or gradient that is not finite end the training.

    Raises:
        NonFiniteLossError: Naming losses, branches, images, timestep and loss scale.
    """

    priority = 'HIGH'

    def __init__(self, patience: int = 3) -> None:
        self.patience = patience
        self._left_out = False  # this iteration's step
        self._report = ''  # on a broken loss or gradient since the last step
        self._in_a_row = 0

    def before_train(self, runner: Runner) -> None:
        """Look at the gradients before each step."""
        self._scaler = getattr(runner.optim_wrapper, 'loss_scaler', None)
        if self._scaler is None:
            self._listener = runner.optim_wrapper.optimizer.register_step_pre_hook(self._leave_out)

    def after_train(self, runner: Runner) -> None:
        """Stop looking: a later stage may come with another optimizer."""
        if self._scaler is None:
            self._listener.remove()

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | None = None, outputs: dict | None = None
    ) -> None:
        """Report what was not finite, stop if it was once too often; and look at weights about to be saved."""
        values = {name: runner.message_hub.get_scalar(f'train/{name}').current() for name in outputs or {}}
        losses = {name: value for name, value in values.items() if 'loss' in name and not math.isfinite(value)}
        if losses or self._left_out:
            self._report = rank_prefix() + self._describe(runner.iter + 1, losses, values, data_batch)
            runner.logger.error(self._report)
        self._left_out = False
        if runner.optim_wrapper.should_update():
            self._in_a_row = self._in_a_row + 1 if self._report else 0
            if self._in_a_row == self.patience:
                raise NonFiniteLossError(
                    f'{self.patience} steps in a row had a loss or gradient that is not finite. The last one:\n'
                    f'{self._report}\n{REMEDY}')
            self._report = ''
        if _saves_now(runner) and not _state_finite(runner):
            raise NonFiniteLossError(
                f'{rank_prefix()}Weights or buffers are not finite after iteration {runner.iter + 1}. {REMEDY}')

    def _leave_out(self, optimizer: Optimizer, args: tuple, kwargs: dict) -> None:
        """Take gradients that are not finite away: parameters without gradient are not stepped."""
        parameters = [p for group in optimizer.param_groups for p in group['params'] if p.grad is not None]
        if not torch.nn.utils.get_total_norm([p.grad for p in parameters]).isfinite():
            self._left_out = True
            for parameter in parameters:
                parameter.grad = None

    def _describe(self, iteration: int, losses: dict, values: dict, data_batch: dict) -> str:
        """Which losses, in which branches, on which images, and what else was logged."""
        # 'loss' is the sum and broken whenever one of its terms is.
        terms = {name: value for name, value in losses.items() if name != 'loss'} or losses
        branches = dict.fromkeys(name.split('.')[0] for name in terms)
        lines = [f'Loss is not finite at iteration {iteration}:'] if terms else [
            f'Gradient is not finite at iteration {iteration}, though the losses of this process are; with several '
            'processes it may be of another, whose log says more.']
        lines += [f'  {name} = {value}' for name, value in terms.items()]
        lines += [f'Images of {f"branch {branch!r}" if branch else "the batch"}: '
                  f'{", ".join(_image_paths(data_batch, branch))}' for branch in branches or ['']]
        lines += [f'{name}: {value:g}' for name, value in values.items() if name.startswith('pseudo/')]
        lines += [f'Loss scale: {self._scaler.get_scale():g}'] if self._scaler is not None else []
        lines += ['The optimizer step was left out.'] if self._left_out else []
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


def _state_finite(runner: Runner) -> bool:
    model = unwrap_model(runner.model)
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    return all(bool(tensor.isfinite().all()) for tensor in [*trained, *model.buffers()])
