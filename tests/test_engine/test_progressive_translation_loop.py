"""PTL on real parts at the smallest size: phases, what guides them, resuming."""

import pytest
import tiny_ptl


@pytest.fixture(scope='module')
def finished(tmp_path_factory):
    """An undisturbed run."""
    folder = tmp_path_factory.mktemp('finished')
    return tiny_ptl.train(tiny_ptl.config(folder))


def test_all_phases_run(finished):
    assert finished.iter == 16
