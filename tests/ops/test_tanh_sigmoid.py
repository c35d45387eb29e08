"""The vectorised tanh and sigmoid, in the precision they promise, and in the odd places."""
import numba
import numpy as np
import pytest

from minindrnn.core.jit import kernel
from minindrnn.ops import tanh_sigmoid
from minindrnn.ops.tanh_sigmoid import sigmoid, tanh


@kernel
def both(x, t, s):
    for i in range(x.size):
        t[i], s[i] = tanh(x[i]), sigmoid(x[i])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_at_most_two_and_a_half_units_in_the_last_place(dtype):
    """Against long double, on dense grids: subnormal arguments, the middle, saturation, subnormal results, and far
    out."""
    tiny = np.geomspace(np.finfo(dtype).smallest_subnormal, 10, 20_001)
    places = [tiny, np.linspace(0, 15, 20_001), np.linspace(80, 110, 20_001), np.linspace(700, 750, 20_001),
              np.geomspace(1, 1e38, 999)]
    x = np.concatenate([sign * place for sign in (1, -1) for place in places]).astype(dtype)
    results = np.empty_like(x), np.empty_like(x)
    both(x, *results)
    with np.errstate(over="ignore"):
        exact = np.tanh(x.astype(np.longdouble)), 1 / (1 + np.exp(-x.astype(np.longdouble)))
    for got, wanted in zip(results, exact):
        error = np.abs(got - wanted) / np.spacing(np.abs(wanted).astype(dtype))
        assert error.max() <= 2.5, (error.max(), x[error.argmax()])
    assert (results[1][x < -750] == 0).all() and (np.abs(results[0]) <= 1).all() and (results[1] <= 1).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_limits(dtype):
    x = np.array([np.nan, np.inf, -np.inf, 0], dtype)
    t, s = np.empty_like(x), np.empty_like(x)
    both(x, t, s)
    np.testing.assert_array_equal(t, np.array([np.nan, 1, -1, 0], dtype))
    np.testing.assert_array_equal(s, np.array([np.nan, 1, 0, 0.5], dtype))


@pytest.mark.parametrize("dtype, split, saturated, smallest", [
    (np.float32, tanh_sigmoid._split32, 10, -104), (np.float64, tanh_sigmoid._split64, 20, -746)])
def test_one_number_at_a_time_in_python(dtype, split, saturated, smallest, monkeypatch):
    """What the compiler is given, and what stands for it outside of compiled code, against long double."""
    monkeypatch.setattr(numba.config, "DISABLE_JIT", 1)
    forms = [(np.tanh, tanh, tanh_sigmoid._tanh(split, dtype, saturated)),
             (lambda x: 1 / (1 + np.exp(-x)), sigmoid, tanh_sigmoid._sigmoid(split, dtype, smallest))]
    smallest_normal = np.log(np.finfo(dtype).smallest_normal)
    x = np.concatenate([np.linspace(-15, 15, 601), smallest_normal + np.linspace(-9, 9, 19)]).astype(dtype)
    with np.errstate(all="ignore"):
        for exact, *ours in forms:
            wanted = exact(x.astype(np.longdouble))
            for form in ours:
                got = np.array([form(one) for one in x])
                assert got.dtype == dtype
                assert (np.abs(got - wanted) / np.spacing(np.abs(wanted).astype(dtype))).max() <= 2.5
                assert np.isnan(form(dtype("nan")))
