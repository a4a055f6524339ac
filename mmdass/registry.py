"""Registries of mmdass: children of MMSeg's, so that each side finds the other's classes by name.

With ``default_scope='mmdass'`` every MMSeg and MMEngine name resolves without a prefix. With
``default_scope='mmseg'`` write ``type='mmdass.Name'`` and ``custom_imports=dict(imports=['mmdass'])``.
"""

import mmengine.registry
import mmseg.registry
from mmengine.registry import Registry


def _child(name: str, package: str) -> Registry:
    """A node below MMSeg's of that name (MMEngine's, where MMSeg has none), which imports both packages when asked.

    A search climbs to the parents without importing what they hold, hence the parent's package among the locations.
    """
    parent = getattr(mmseg.registry, name, getattr(mmengine.registry, name))
    return Registry(
        parent.name, parent=parent, scope='mmdass', locations=[f'mmseg.{package}', f'mmdass.{package}'])


DATASETS = _child('DATASETS', 'datasets')
DATA_SAMPLERS = _child('DATA_SAMPLERS', 'datasets')
TRANSFORMS = _child('TRANSFORMS', 'datasets')

MODELS = _child('MODELS', 'models')
MODEL_WRAPPERS = _child('MODEL_WRAPPERS', 'models')
TASK_UTILS = _child('TASK_UTILS', 'models')
WEIGHT_INITIALIZERS = _child('WEIGHT_INITIALIZERS', 'models')

FUNCTIONS = _child('FUNCTIONS', 'engine')
HOOKS = _child('HOOKS', 'engine')
LOOPS = _child('LOOPS', 'engine')
OPTIMIZERS = _child('OPTIMIZERS', 'engine')
OPTIM_WRAPPERS = _child('OPTIM_WRAPPERS', 'engine')
OPTIM_WRAPPER_CONSTRUCTORS = _child('OPTIM_WRAPPER_CONSTRUCTORS', 'engine')
PARAM_SCHEDULERS = _child('PARAM_SCHEDULERS', 'engine')
RUNNERS = _child('RUNNERS', 'engine')
RUNNER_CONSTRUCTORS = _child('RUNNER_CONSTRUCTORS', 'engine')
STRATEGIES = _child('STRATEGIES', 'engine')

EVALUATOR = _child('EVALUATOR', 'evaluation')
METRICS = _child('METRICS', 'evaluation')

LOG_PROCESSORS = _child('LOG_PROCESSORS', 'visualization')
VISBACKENDS = _child('VISBACKENDS', 'visualization')
VISUALIZERS = _child('VISUALIZERS', 'visualization')

INFERENCERS = _child('INFERENCERS', 'apis')
