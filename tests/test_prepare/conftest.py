"""What the tests of prepared data share: they read it as a config would."""

import pytest
from mmengine.registry import init_default_scope


@pytest.fixture(autouse=True)
def mmdass_scope(restore_default_scope):
    init_default_scope('mmdass')
