import pytest
from mmengine.registry import init_default_scope
from tiny_madm import madm_cfg


@pytest.fixture(autouse=True)
def default_scope():
    """Our names and MMSeg's without a prefix, as in the shipped configs."""
    init_default_scope('mmdass')


@pytest.fixture
def tiny_madm_cfg():
    """``model`` of configs/madm/event.py, shrunk to a third of a million parameters."""
    return madm_cfg('event')
