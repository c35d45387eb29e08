"""The check itself: what is wrong is found and named."""
import numpy as np
import pytest

from minindrnn.checks.gradcheck import GradientError, Problem, check

pytestmark = [pytest.mark.tutorial2, pytest.mark.tutorial7]


def cubes(x, wrong=None):
    """y = x^3 with a gradient that is wrong at one place."""
    def backward(dy, cache):
        dx = dy * 3 * x**2
        if wrong is not None:
            dx[wrong] *= 1.001
        return {"x": dx}
    return Problem({"x": x}, lambda: (x**3, None), backward)


def test_a_wrong_gradient_is_named_with_its_place(rng):
    x = rng.uniform(1, 2, (4, 2, 3))
    before = x.copy()
    check(cubes(x), rng)
    with pytest.raises(GradientError, match=r"dx\[2, 1, 0\] \(time step 2\): backward says .*, differences say "):
        check(cubes(x, wrong=(2, 1, 0)), rng)
    np.testing.assert_array_equal(x, before)


def test_a_gradient_of_another_shape_is_refused(rng):
    x = np.ones(3)
    with pytest.raises(GradientError, match=r"dx: expected the shape of x, \(3,\), got \(\)"):
        check(Problem({"x": x}, lambda: (x, None), lambda dy, cache: {"x": dy.sum()}), rng)


def test_a_kink_is_not_taken_for_a_wrong_gradient(rng):
    x = np.zeros(3)
    with pytest.raises(GradientError, match="no direction without a kink"):
        check(Problem({"x": x}, lambda: (np.abs(x), None), lambda dy, cache: {"x": 0 * dy}), rng)


def test_nan_does_not_pass(rng):
    x = np.ones(3)
    with pytest.raises(GradientError):
        check(Problem({"x": x}, lambda: (x, None), lambda dy, cache: {"x": np.nan * dy}), rng)
    with pytest.raises(GradientError, match="forward: expected finite numbers, got nan"):
        check(Problem({"x": x}, lambda: (np.nan * x, None), lambda dy, cache: {"x": dy}), rng)
