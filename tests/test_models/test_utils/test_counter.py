import copy

import torch
from mmengine.runner.checkpoint import load_state_dict, weights_to_cpu

from mmdass.models.utils import Counter


def test_is_saved_with_the_model():
    model = torch.nn.ModuleDict(dict(counter=Counter()))
    model['counter'].value = 2**40
    state = weights_to_cpu(copy.deepcopy(model.state_dict()))
    assert all(isinstance(value, torch.Tensor) for value in state.values())
    for load in (torch.nn.Module.load_state_dict, load_state_dict):
        other = torch.nn.ModuleDict(dict(counter=Counter()))
        load(other, state, strict=True)
        assert other['counter'].value == 2**40


def test_is_no_tensor_of_the_device():
    assert not list(Counter().parameters()) and not list(Counter().buffers())
