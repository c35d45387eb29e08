"""The vectorised tanh and sigmoid, in the precision they promise, and all four in the odd places."""
import numpy as np
import pytest

from minindrnn.activations import KIND, activate
from minindrnn.compiled import kernel
from minindrnn.exponential import sigmoid, tanh


@kernel
def both(x, t, s):
    for i in range(x.size):
        t[i], s[i] = tanh(x[i]), sigmoid(x[i])


@pytest.mark.parametrize("dtype, tanh_to, sigmoid_to", [(np.float32, 100, 87), (np.float64, 1000, 708)])
def test_at_most_two_and_a_half_units_in_the_last_place(dtype, tanh_to, sigmoid_to):
    """Against long double, on a dense grid, down to the smallest numbers that are not subnormal."""
    near = np.concatenate([np.linspace(-15, 15, 20_001), np.geomspace(1e-35, 10, 5_001), -np.geomspace(1e-35, 10, 5_001)])
    for reach, exact, place in ((tanh_to, np.tanh, 0), (sigmoid_to, lambda x: 1 / (1 + np.exp(-x)), 1)):
        x = np.concatenate([near, np.linspace(-reach, reach, 20_001)]).astype(dtype)
        results = np.empty_like(x), np.empty_like(x)
        both(x, *results)
        wanted = exact(x.astype(np.longdouble))
        error = np.abs(results[place] - wanted) / np.spacing(np.abs(wanted).astype(dtype))
        assert error.max() <= 2.5, (error.max(), x[error.argmax()])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_limits(dtype):
    x = np.array([np.nan, np.inf, -np.inf, 0], dtype)
    t, s = np.empty_like(x), np.empty_like(x)
    both(x, t, s)
    np.testing.assert_array_equal(t, np.array([np.nan, 1, -1, 0], dtype))
    np.testing.assert_array_equal(s[[0, 1, 3]], np.array([np.nan, 1, 0.5], dtype))
    assert 0 <= s[2] < 2 * np.finfo(dtype).tiny


@pytest.mark.parametrize("kind", KIND.values(), ids=KIND.keys())
def test_the_type_stays(kind):
    assert np.result_type(activate(kind, np.float64(0.5))) == np.float64
