"""Refuses data whose classes are not the model's, before any of it is loaded."""

from collections.abc import Sequence

from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch.utils.data import Dataset

from mmdass.engine.unwrap import unwrap_model
from mmdass.registry import HOOKS


@HOOKS.register_module()
class ClassCountHook(Hook):
    """Compares how many classes model and data have, where both know, and their order in training and validation.

    Too few in the model end a training with an index out of bounds; too many are never noticed, nor is another order.
    Other names for as many classes are possible, and logged.

    Raises:
        ValueError: The numbers or the orders differ.
    """

    def before_train(self, runner: Runner) -> None:
        """Compare the training data, and the validation's with it."""
        trained = runner.train_dataloader.dataset
        _compare(runner, trained, 'train_dataloader')
        if runner.val_loop is not None:
            self.before_val(runner)
            _compare_names(runner, _classes(trained), _classes(runner.val_dataloader.dataset))

    def before_val(self, runner: Runner) -> None:
        """Compare the validation data."""
        _compare(runner, runner.val_dataloader.dataset, 'val_dataloader')

    def before_test(self, runner: Runner) -> None:
        """Compare the test data."""
        _compare(runner, runner.test_dataloader.dataset, 'test_dataloader')


def _compare(runner: Runner, dataset: Dataset, name: str) -> None:
    model = unwrap_model(runner.model)
    num_classes = getattr(getattr(model, 'module', model), 'num_classes', None)  # inside test-time augmentation
    classes = _classes(dataset)
    if num_classes is not None and classes is not None and num_classes != len(classes):
        raise ValueError(
            f'The model predicts {num_classes} classes, but the data of {name} have {len(classes)}: '
            f'{", ".join(classes)}. Set num_classes of the decode head (and of auxiliary heads) to {len(classes)}, or '
            'label_space of the data to the classes that the model has.')


def _compare_names(runner: Runner, trained: Sequence[str] | None, validated: Sequence[str] | None) -> None:
    if trained is None or validated is None or list(trained) == list(validated):
        return
    both = f'in train_dataloader ({", ".join(trained)}) and in val_dataloader ({", ".join(validated)})'
    if sorted(trained) == sorted(validated):
        raise ValueError(f'The classes have another order {both}. Set one label_space for both.')
    runner.logger.warning(f'The classes have other names {both}. Their numbers alone count.')


def _classes(dataset: Dataset) -> Sequence[str] | None:
    return getattr(dataset, 'metainfo', {}).get('classes')
