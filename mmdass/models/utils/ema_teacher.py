"""The teacher: a moving average of some of the segmentor's modules, around the rest of the live segmentor."""

import copy
import difflib
import fnmatch
from collections.abc import Sequence

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm, _NormBase
from torch.nn.modules.dropout import _DropoutNd

from .counter import Counter


class EMATeacher(nn.Module):
    """Averages the named modules of a segmentor and shares the others by reference.

    ``teacher <- alpha_k * teacher + (1 - alpha_k) * student``, ``alpha_k = min(1 - 1 / (k + 1), alpha)``, after
    optimizer step k. Source: DAFormer's ``dacs.py``; MADM's ``cmdise.py`` averages neck, head and conditioning only, so
    that its teacher runs the student's live UNet.

    Only the averaged modules and the step count are in the checkpoint.

    Args:
        segmentor: The student.
        modules: Names of the modules to average, such as ('neck', 'decode_head', 'backbone.conditioning'), or patterns
            of names ('backbone.unet.*.lora_[AB]', all adapters); None: all.
        alpha: Share of itself that the teacher keeps, once warmed up.
        mode: 'train': the teacher's averaged norm layers use batch statistics while pseudo-labelling (DAFormer, MADM);
            'eval': running statistics, which needs ``average_buffers`` where there is batch norm.
        dropout: Leave dropout and drop path on in the teacher's training mode (MADM); DAFormer switches them off.
        average_buffers: Average floating-point buffers too; DAFormer and MADM average parameters only.

    Raises:
        ValueError: A name is not a module of the segmentor, or the running statistics would never be updated.
    """

    def __init__(
        self,
        segmentor: nn.Module,
        modules: Sequence[str] | None = None,
        alpha: float = 0.999,
        mode: str = 'train',
        dropout: bool = False,
        average_buffers: bool = False,
    ) -> None:
        super().__init__()
        if mode not in ('train', 'eval'):
            raise ValueError(f"the teacher's mode must be 'train' or 'eval', not {mode!r}")
        self.names = ('',) if modules is None else _find_names(segmentor, modules)
        self.alpha, self.mode, self.dropout, self.average_buffers = alpha, mode, dropout, average_buffers
        self.armed = False
        self._student = [segmentor]  # in a list, so that the student is not registered a second time
        self.averaged = nn.ModuleDict(
            {module_key(name): copy.deepcopy(segmentor.get_submodule(name)) for name in self.names})
        self.averaged.requires_grad_(False)
        if mode == 'eval' and not average_buffers and any(isinstance(m, _BatchNorm) for m in self.averaged.modules()):
            raise ValueError(
                "a teacher in mode='eval' uses batch norm's running statistics, which nothing updates: set "
                "average_buffers=True, or mode='train'"
            )
        self.steps = Counter()
        self.train()

    def arm(self, begins: bool = False) -> None:
        """Promise that ``update`` will follow each optimizer step; a fresh teacher starts as a copy of the student.

        Args:
            begins: A training begins, so the teacher is fresh, whatever weights were loaded.
        """
        self.armed = True
        if begins:
            self.steps.value = 0
        if self.steps.value == 0:
            for name in self.names:
                self.averaged[module_key(name)].load_state_dict(self._student[0].get_submodule(name).state_dict())

    def update(self) -> None:
        """Average once more; to be called after each optimizer step."""
        self.steps.value += 1
        self._lerp(1 - min(1 - 1 / (self.steps.value + 1), self.alpha))

    @torch.no_grad()
    def _lerp(self, weight: float) -> None:
        for name in self.names:
            teacher, student = self.averaged[module_key(name)], self._student[0].get_submodule(name)
            torch._foreach_lerp_(list(teacher.parameters()), list(student.parameters()), weight)
            if self.average_buffers:
                for ours, theirs in zip(teacher.buffers(), student.buffers(), strict=True):
                    ours.lerp_(theirs, weight) if ours.is_floating_point() else ours.copy_(theirs)

    @property
    def segmentor(self) -> nn.Module:
        """The student with the averaged modules in their places."""
        # Made anew each time, which is cheap, so that it follows whatever was replaced in the student since:
        # synchronised batch norm, adapters, compiled modules.
        return _with_modules(self._student[0], {name: self.averaged[module_key(name)] for name in self.names})

    def train(self, mode: bool = True) -> 'EMATeacher':
        """Set the averaged modules' mode; the shared ones follow the student."""
        super().train(mode and self.mode == 'train')
        # What trains of a teacher is its statistics, and its dropout if asked for. Everything else predicts: some
        # heads (PIDNet, DDRNet, K-Net) return what their losses need, and no prediction, while they train.
        for module in self.modules():
            module.training &= isinstance(module, _NormBase) or (self.dropout and _drops(module))
        return self


def _drops(module: nn.Module) -> bool:
    return isinstance(module, _DropoutNd) or type(module).__name__ == 'DropPath'


def module_key(name: str) -> str:
    """How the averaged module ``name`` of a segmentor, '' for all of it, is called in a checkpoint."""
    return name.replace('.', '_') or 'segmentor'


def _with_modules(parent: nn.Module, modules: dict[str, nn.Module]) -> nn.Module:
    """A shallow copy of ``parent`` in which these names are these modules; everything else is shared."""
    if '' in modules:
        return modules['']
    clone = copy.copy(parent)
    clone._modules = dict(parent._modules)
    below: dict[str, dict[str, nn.Module]] = {}
    for name, module in modules.items():
        child, _, rest = name.partition('.')
        below.setdefault(child, {})[rest] = module
    for child, inner in below.items():
        clone._modules[child] = _with_modules(parent._modules[child], inner)
    return clone


def _find_names(segmentor: nn.Module, patterns: Sequence[str]) -> tuple[str, ...]:
    known = [name for name, _ in segmentor.named_modules()]
    names: dict[str, None] = {}
    for pattern in patterns:
        found = [pattern] if pattern in known else fnmatch.filter(known, pattern)
        if not found:
            near = difflib.get_close_matches(pattern, known, n=1)
            hint = f'; did you mean {near[0]!r}?' if near else ''
            raise ValueError(f'the teacher cannot average {pattern!r}: the segmentor has no such module{hint}')
        names.update(dict.fromkeys(found))
    return tuple(names)
