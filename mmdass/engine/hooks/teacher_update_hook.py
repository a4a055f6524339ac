"""Who updates the teacher."""

from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch.optim import Optimizer

from mmdass.engine.unwrap import unwrap_model
from mmdass.registry import HOOKS


@HOOKS.register_module()
class TeacherUpdateHook(Hook):
    """Averages the student into ``model.teacher`` once after every optimizer step.

    A model cannot do this in its own ``train_step``, which DDP never calls. The hook listens to the optimizer itself,
    so an iteration that only accumulates gradients, and a step that the fp16 gradient scaler skips, do not count; nor
    does a step without gradients, which changes nothing (``FiniteLossHook`` takes broken ones away).
    (The scaler calls a *fused* optimizer even then, which decides on the device; such a step counts.)

    Raises:
        RuntimeError: when training starts, if the model has no teacher.
    """

    def before_train(self, runner: Runner) -> None:
        """Arm the teacher and listen.

        Where a training begins, with ``load_from`` too, so does the teacher: as a copy of the student, with a short
        memory. (DAFormer's does at its first iteration.)
        """
        model = unwrap_model(runner.model)
        teacher = getattr(model, 'teacher', None)
        if teacher is None:
            raise RuntimeError(
                f'TeacherUpdateHook: {type(model).__name__} has no teacher to update. '
                'Remove the hook from custom_hooks, or choose a model with a teacher.'
            )
        teacher.arm(begins=runner.iter == 0)

        def update(optimizer: Optimizer, args: tuple, kwargs: dict) -> None:
            if any(p.grad is not None for group in optimizer.param_groups for p in group['params']):
                teacher.update()

        self._listener = runner.optim_wrapper.optimizer.register_step_post_hook(update)

    def after_train(self, runner: Runner) -> None:
        """Stop listening: a later stage may train another model or come with another optimizer."""
        self._listener.remove()
