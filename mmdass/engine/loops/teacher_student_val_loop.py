"""Validation of student and teacher in one pass over the data."""

import copy
from collections.abc import Sequence

import torch
from mmengine.evaluator import Evaluator
from mmengine.runner import Runner, ValLoop
from mmengine.runner.amp import autocast
from torch.utils.data import DataLoader

from mmdass.engine.unwrap import unwrap_model
from mmdass.registry import LOOPS


@LOOPS.register_module()
class TeacherStudentValLoop(ValLoop):
    """Evaluates each role of a model with a teacher, loading every image once.

    Metrics come with the role as prefix ('student/mIoU', 'teacher/mIoU'), so ``save_best='teacher/mIoU'`` works. Hooks
    see each batch once, with the first role's outputs; ``role_outputs`` holds those of all roles for the current batch.
    A model without a teacher is validated by the parent, without prefixes.

    Args:
        runner: the Runner.
        dataloader: validation dataloader or its config.
        evaluator: evaluator or its config; each role gets its own copy.
        fp16: run under autocast.
        roles: values for ``model.predict_role``, in order.
    """

    def __init__(
        self,
        runner: Runner,
        dataloader: DataLoader | dict,
        evaluator: Evaluator | dict | list,
        fp16: bool = False,
        roles: Sequence[str] = ('student', 'teacher'),
    ) -> None:
        super().__init__(runner, dataloader, evaluator, fp16)
        self.evaluators = {role: copy.deepcopy(self.evaluator) for role in roles}
        for role, copied in self.evaluators.items():
            for metric in copied.metrics:
                metric.role = role  # for metrics that write files
        self.role_outputs: dict[str, list] = {}

    def run(self) -> dict[str, float]:
        """Validate all roles and leave ``model.predict_role`` as it was, also after an error."""
        model = unwrap_model(self.runner.model)
        if getattr(model, 'teacher', None) is None:
            return super().run()
        role = model.predict_role
        try:
            return self._run_roles()
        finally:
            model.predict_role = role
            self.role_outputs = {}

    def _run_roles(self) -> dict[str, float]:
        self.runner.call_hook('before_val')
        self.runner.call_hook('before_val_epoch')
        self.runner.model.eval()
        for idx, data_batch in enumerate(self.dataloader):
            self._run_roles_iter(idx, data_batch)
        size = len(self.dataloader.dataset)
        metrics = {
            f'{role}/{name}': value
            for role, evaluator in self.evaluators.items()
            for name, value in evaluator.evaluate(size).items()
        }
        self.runner.call_hook('after_val_epoch', metrics=metrics)
        self.runner.call_hook('after_val')
        return metrics

    @torch.no_grad()
    def _run_roles_iter(self, idx: int, data_batch: dict) -> None:
        self.runner.call_hook('before_val_iter', batch_idx=idx, data_batch=data_batch)
        for role, evaluator in self.evaluators.items():
            unwrap_model(self.runner.model).predict_role = role
            with autocast(enabled=self.fp16):
                outputs = self.runner.model.val_step(data_batch)
            evaluator.process(data_samples=outputs, data_batch=data_batch)
            self.role_outputs[role] = outputs
        outputs = self.role_outputs[next(iter(self.evaluators))]
        self.runner.call_hook('after_val_iter', batch_idx=idx, data_batch=data_batch, outputs=outputs)
