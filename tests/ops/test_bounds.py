import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reference import assert_sums_keep_their_digits, long_or_many

from minindrnn import StackedIndRNN, indrnn_backward, indrnn_forward
from minindrnn.core.layer import Parameter, leaves
from minindrnn.ops import bounds

pytestmark = [pytest.mark.tutorial1, pytest.mark.tutorial4]


@given(st.integers(1, 5000), st.floats(1, 100))
def test_the_bound_is_what_a_gradient_grows_to(T, gamma):
    """u = gamma^(1/T), passed through T active steps, multiplies a gradient by gamma."""
    u = np.array([bounds.largest(T, gamma)])
    _, cache = indrnn_forward(np.ones((T, 1, 1)), u)
    dh = np.zeros((T, 1, 1))
    dh[-1] = 1
    _, _, dh0 = indrnn_backward(dh, cache)
    assert abs(dh0.item() / gamma - 1) < 1e-9


def test_the_papers_constants():
    """arXiv 1803.04831 (gamma 2, adding) and the authors' published settings (gamma 5)."""
    for T, gamma, upper, lower in [(100, 2, 1.006956, 0.993092), (500, 2, 1.001387, 0.998615),
                                   (1000, 2, 1.000693, 0.999307),
                                   (5000, 2, 1.000139, 0.999861), (784, 5, 1.002055, 0.997949),
                                   (20, 5, 1.083798, 0.922681)]:
        assert round(bounds.largest(T, gamma), 6) == upper and round(bounds.smallest(T, 1 / gamma), 6) == lower


def test_half_life_halves():
    u = np.array([0.9, -0.99, 0.5])
    np.testing.assert_allclose(np.abs(u) ** bounds.half_life(u), 0.5)


def test_what_does_not_fade_has_no_half_life():
    assert bounds.half_life(-1.5) == np.inf
    assert np.isnan(bounds.half_life(np.nan))


def test_projection_touches_recurrent_weights_only(rng):
    network = StackedIndRNN(1, 5, 2, 2, rng, length=10)
    for _, parameter in leaves(network.parameters):
        parameter.value += 3
        parameter.value[..., 0] = -7
    before = {path: parameter.value.copy() for path, parameter in leaves(network.parameters)}
    bounds.project(network.parameters, 1.5)
    for path, parameter in leaves(network.parameters):
        if parameter.role == "recurrent":
            assert parameter.value[0] == -1.5 and np.all(parameter.value[1:] == 1.5)
        else:
            np.testing.assert_array_equal(parameter.value, before[path])


def test_the_penalty_is_the_length_of_what_exceeds_on_either_side():
    """Beyond 1 by 3 and by 4, one of them below: a length of 5, whose gradient points outward."""
    loss, du = bounds.penalty(np.array([0.5, 4.0, -5.0]), 1.0)
    assert loss == pytest.approx(5) and du.tolist() == pytest.approx([0, 0.6, -0.8])


def test_the_penalty_is_zero_inside_the_bound():
    loss, du = bounds.penalty(np.array([0.5, -1.0], np.float32), 1.0)
    assert loss == 0 and not du.any() and du.dtype == np.float32


@long_or_many
def test_sums_keep_their_digits(T, B):
    assert_sums_keep_their_digits(lambda x, dy: (bounds.penalty(x.ravel(), 0.01)[0],), T, B)


@pytest.mark.parametrize("call, message", [
    (lambda: bounds.largest(0), "T: expected a finite number at least 1, got 0"),
    (lambda: bounds.largest(10, 0.5), "gamma: expected a finite number at least 1, got 0.5"),
    (lambda: bounds.largest(10, np.nan), "gamma: expected a finite number at least 1, got nan"),
    (lambda: bounds.smallest(10, 0), "epsilon: expected a finite number from .* to 1, got 0"),
    (lambda: bounds.smallest(10, 2), "epsilon: expected a finite number from .* to 1, got 2"),
    (lambda: bounds.project([], np.inf), "bound: expected a finite number at least 0, got inf"),
    (lambda: bounds.penalty(np.ones((1, 1)), 1.0), r"u: expected 1 axes \(N,\), got shape \(1, 1\)"),
    (lambda: bounds.project([{"u": Parameter(np.broadcast_to(2.0, 3), "recurrent")}], 1.0),
     "0.u: expected an array that can be written into"),
    (lambda: bounds.penalty(np.ones(1), np.nan), "bound: expected a finite number at least 0, got nan"),
])
def test_errors(call, message):
    with pytest.raises(ValueError, match=message):
        call()
