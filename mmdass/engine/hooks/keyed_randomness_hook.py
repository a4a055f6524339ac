"""Random draws of the model that depend on the iteration alone."""

import random

import numpy as np
import torch
from mmengine.hooks import Hook
from mmengine.hooks.hook import DATA_BATCH
from mmengine.runner import Runner

from mmdass.engine.unwrap import unwrap_model
from mmdass.registry import HOOKS
from mmdass.utils.random import draw_key


@HOOKS.register_module()
class KeyedRandomnessHook(Hook):
    """Keys every draw of a training iteration by (seed, iteration, rank): a resumed run draws what it would have.

    Our models draw from keyed generators made from ``model.seed``, which this hook sets from the Runner's seed. Stock
    modules (dropout, drop path) draw from the global generators, which it seeds before each iteration.
    """

    priority = 'VERY_HIGH'

    def before_train(self, runner: Runner) -> None:
        """Hand the Runner's seed and iteration to a model that asks for them.

        The iteration is 0 with ``load_from``: schedules such as DPLG's begin anew, as the learning rate does.
        """
        model = unwrap_model(runner.model)
        if hasattr(model, 'seed'):
            model.seed = runner.seed
        if hasattr(model, 'iterations'):
            model.iterations.value = runner.iter

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: DATA_BATCH = None) -> None:
        """Seed Python's, NumPy's and torch's generators, those of all GPUs included."""
        key = draw_key(runner.seed, runner.iter, 'model')
        random.seed(key)
        np.random.seed(key % 2**32)
        torch.manual_seed(key)
