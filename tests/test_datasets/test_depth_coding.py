import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmdass.datasets import DepthCoding

FORWARD = dict(linear=lambda z: z, log=np.log, inverse=lambda z: -1 / z)


@st.composite
def codings(draw):
    scale = draw(st.sampled_from(sorted(FORWARD)))
    near = draw(st.floats(0.01, 50))
    return DepthCoding(scale, near, near * draw(st.floats(1.5, 1000)))


@given(codings(), st.lists(st.floats(0, 1), min_size=1))
def test_round_trip_is_within_half_a_step(coding, positions):
    metres = np.clip(coding.near + np.array(positions) * (coding.far - coding.near), coding.near, coding.far)
    code = FORWARD[coding.scale]
    step = (code(coding.far) - code(coding.near)) / 255
    decoded = coding.decode(coding.encode(metres))
    assert (np.abs(code(decoded) - code(metres)) <= step * (0.5 + 1e-6)).all()


@given(codings())
def test_every_grey_level_survives_and_near_is_dark(coding):
    grey = np.arange(256, dtype=np.uint8)
    metres = coding.decode(grey)
    np.testing.assert_array_equal(coding.encode(metres), grey)
    assert (np.diff(metres) > 0).all()
    np.testing.assert_allclose(metres[[0, -1]], [coding.near, coding.far])


def test_outside_is_clipped():
    assert DepthCoding('linear', 1, 10).encode(np.array([0.5, 1, 10, 1e9])).tolist() == [0, 0, 255, 255]


def test_default_is_carlas_logarithmic_depth():
    metres = np.array([4, 10, 50, 200, 1000])
    carla = 1 + np.log(metres / 1000) / 5.70378  # ColorConverter.LogarithmicDepth
    np.testing.assert_allclose(DepthCoding().encode(metres), 255 * carla, atol=0.5)


def test_inverse_is_linear_in_disparity():
    disparity = np.linspace(10, 100, 19)
    grey = DepthCoding('inverse', near=120 / 100, far=120 / 10).encode(120 / disparity).astype(int)
    assert np.ptp(np.diff(grey)) <= 1


@pytest.mark.parametrize(('arguments', 'message'), [
    (('logarithmic', 1, 10), "Depth is coded as 'linear', 'log', 'inverse', not 'logarithmic'"),
    (('log', 0, 10), 'near must be smaller, and above 0 unless linear'),
    (('linear', 10, 10), 'near=10 to far=10'),
    (('linear', 1, float('nan')), 'cannot be coded'),
])
def test_wrong_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        DepthCoding(*arguments)
