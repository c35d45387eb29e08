import math

import numpy as np
import pytest
from numpy.testing import assert_allclose
from reference import B, T, assert_sums_keep_their_digits, close, long_or_many

from minindrnn import cross_entropy, mean_squared_error

pytestmark = pytest.mark.tutorial3


def test_mean_squared_error(rng):
    y, target = rng.normal(size=(2, B, 4))
    loss, dy = mean_squared_error(y, target)
    assert loss == pytest.approx(sum((y[b, k] - target[b, k])**2 for b in range(B) for k in range(4)) / (4 * B),
                                 rel=1e-13)
    close(dy, [[2 * (y[b, k] - target[b, k]) / (4 * B) for k in range(4)] for b in range(B)])


@pytest.mark.parametrize("missing", [False, True])
def test_cross_entropy_is_in_nats_the_mean_over_all_that_counts(missing, rng):
    y, target = rng.normal(size=(T, B, 4)), rng.integers(0, 4, (T, B))
    if missing:
        target[2:, 1] = -1
    counted = [(t, j) for t in range(T) for j in range(B) if target[t, j] >= 0]
    wanted = sum(math.log(sum(math.exp(v) for v in y[t, j])) - y[t, j, target[t, j]] for t, j in counted) / len(counted)
    assert cross_entropy(y, target)[0] == pytest.approx(wanted, rel=1e-13)


def test_one_step_needs_no_axis_of_steps(rng):
    y, target = rng.normal(size=(T, B, 4)), rng.integers(0, 4, (T, B))
    assert cross_entropy(y[0], target[0])[0] == pytest.approx(cross_entropy(y[:1], target[:1])[0], rel=1e-13)


def test_cross_entropy_does_not_overflow():
    y = np.array([[1e4, 0.0], [0.0, 1e4]])
    loss, dy = cross_entropy(y, np.array([0, 0]))
    assert loss == 5e3
    assert_allclose(dy, [[0, 0], [-0.5, 0.5]])


def test_cross_entropy_does_not_see_a_shift(rng):
    y = rng.normal(size=(5, 3))
    assert_allclose(cross_entropy(y + 1000, np.zeros(5, int))[0], cross_entropy(y, np.zeros(5, int))[0])


def test_the_gradients_of_all_classes_sum_to_zero(rng):
    y = rng.normal(size=(5, 3))
    assert_allclose(cross_entropy(y, np.zeros(5, int))[1].sum(axis=1), 0, atol=1e-15)


@long_or_many
def test_sums_keep_their_digits(T, B):
    def both(x, dy):
        rows = (x * np.array([1, 2], x.dtype)).reshape(-1, 2)
        return cross_entropy(rows, np.zeros(len(rows), int))[0], mean_squared_error(rows, dy.reshape(-1, 2))[0]
    assert_sums_keep_their_digits(both, T, B)


def test_the_type_stays_float32():
    for loss, target in ((mean_squared_error, np.ones((4, 3), np.float32)), (cross_entropy, np.zeros(4, int))):
        value, dy = loss(np.zeros((4, 3), np.float32), target)
        assert isinstance(value, float) and dy.dtype == np.float32


@pytest.mark.filterwarnings("error")
def test_a_loss_that_float32_does_not_hold():
    loss, dy = mean_squared_error(np.full((1, 2), 3e20, np.float32), np.zeros((1, 2), np.float32))
    assert_allclose(loss, 9e40, rtol=1e-6)
    assert_allclose(dy, 3e20, rtol=1e-6)


def test_nan_reaches_the_loss():
    y = np.full((1, 2), np.nan)
    assert np.isnan(mean_squared_error(y, np.zeros((1, 2)))[0]) and np.isnan(cross_entropy(y, np.array([0]))[0])


@pytest.mark.parametrize("loss, target, message", [
    (mean_squared_error, np.zeros((2, 2)), r"target: expected \(B, K\) = \(2, 3\), got \(2, 2\)"),
    (cross_entropy, np.array([0, 3]), "target: expected classes 0 to 2, or -1, got 3"),
    (cross_entropy, np.array([-2, 0]), "target: expected classes 0 to 2, or -1, got -2"),
    (cross_entropy, np.array([-1, -1]), "target: expected at least one class, got -1 only"),
    (cross_entropy, np.array([0.0, 1.0]),
     r"target: expected class indices of shape \(2,\), got float64 of shape \(2,\)"),
    (cross_entropy, np.array([0]), r"target: expected class indices of shape \(2,\), got int64 of shape \(1,\)"),
])
def test_errors(loss, target, message):
    with pytest.raises(ValueError, match=message):
        loss(np.zeros((2, 3)), target)


def test_a_mask_is_not_passed_over():
    masked = np.ma.masked_array([0, 1], mask=[True, False])
    with pytest.raises(TypeError, match="target: expected a plain array of classes, .* got a masked one"):
        cross_entropy(np.zeros((2, 3)), masked)


def test_asking_at_every_step_is_asking_all_rows(rng):
    y, target = rng.normal(size=(4, 3, 5)), rng.integers(0, 5, (4, 3))
    loss, dy = cross_entropy(y, target)
    rows, drows = cross_entropy(y.reshape(12, 5), target.reshape(12))
    assert loss == rows and np.array_equal(dy.reshape(12, 5), drows)


def test_what_is_not_asked_is_not_counted(rng):
    y, target = rng.normal(size=(4, 3, 5)), rng.integers(0, 5, (4, 3))
    target[2:, 1] = -1
    kept = target >= 0
    loss, dy = cross_entropy(y, target)
    rows, drows = cross_entropy(np.ascontiguousarray(y[kept]), target[kept])
    assert loss == rows and np.array_equal(dy[kept], drows) and not dy[~kept].any()
