"""Registries of mmdass: children of MMSeg's, so that each side finds the other's classes by name.

With ``default_scope='mmdass'`` every MMSeg and MMEngine name resolves without a prefix. With
``default_scope='mmseg'`` write ``type='mmdass.Name'`` and ``custom_imports=dict(imports=['mmdass'])``.
"""

from mmengine.registry import LOOPS as MMENGINE_LOOPS
from mmengine.registry import Registry
from mmseg.registry import DATA_SAMPLERS as MMSEG_DATA_SAMPLERS
from mmseg.registry import DATASETS as MMSEG_DATASETS
from mmseg.registry import HOOKS as MMSEG_HOOKS
from mmseg.registry import METRICS as MMSEG_METRICS
from mmseg.registry import MODELS as MMSEG_MODELS
from mmseg.registry import OPTIM_WRAPPERS as MMSEG_OPTIM_WRAPPERS
from mmseg.registry import TRANSFORMS as MMSEG_TRANSFORMS
from mmseg.registry import VISUALIZERS as MMSEG_VISUALIZERS


def _child(parent: Registry, location: str) -> Registry:
    return Registry(parent.name, parent=parent, scope='mmdass', locations=[location])


DATA_SAMPLERS = _child(MMSEG_DATA_SAMPLERS, 'mmdass.datasets')
DATASETS = _child(MMSEG_DATASETS, 'mmdass.datasets')
HOOKS = _child(MMSEG_HOOKS, 'mmdass.engine')
LOOPS = _child(MMENGINE_LOOPS, 'mmdass.engine')
METRICS = _child(MMSEG_METRICS, 'mmdass.evaluation')
MODELS = _child(MMSEG_MODELS, 'mmdass.models')
OPTIM_WRAPPERS = _child(MMSEG_OPTIM_WRAPPERS, 'mmdass.engine')
TRANSFORMS = _child(MMSEG_TRANSFORMS, 'mmdass.datasets')
VISUALIZERS = _child(MMSEG_VISUALIZERS, 'mmdass.visualization')
