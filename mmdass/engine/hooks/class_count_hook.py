"""Refuses data whose classes are not as many as the model's, before any of it is loaded."""

from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch.utils.data import Dataset

from mmdass.engine.unwrap import unwrap_model
from mmdass.registry import HOOKS


@HOOKS.register_module()
class ClassCountHook(Hook):
    """Compares the number of classes of model and data, where both have one.

    Too few in the model end a training with an index out of bounds; too many are never noticed.

    Raises:
        ValueError: They differ.
    """

    def before_train(self, runner: Runner) -> None:
        """Compare the training data."""
        _compare(runner, runner.train_dataloader.dataset, 'train_dataloader')

    def before_val(self, runner: Runner) -> None:
        """Compare the validation data."""
        _compare(runner, runner.val_dataloader.dataset, 'val_dataloader')

    def before_test(self, runner: Runner) -> None:
        """Compare the test data."""
        _compare(runner, runner.test_dataloader.dataset, 'test_dataloader')


def _compare(runner: Runner, dataset: Dataset, name: str) -> None:
    model = unwrap_model(runner.model)
    num_classes = getattr(getattr(model, 'module', model), 'num_classes', None)  # inside test-time augmentation
    classes = getattr(dataset, 'metainfo', {}).get('classes')
    if num_classes is not None and classes is not None and num_classes != len(classes):
        raise ValueError(
            f'The model predicts {num_classes} classes, but the data of {name} have {len(classes)}: '
            f'{", ".join(classes)}. Set num_classes of the decode head (and of auxiliary heads) to {len(classes)}, or '
            'label_space of the data to the classes that the model has.')
