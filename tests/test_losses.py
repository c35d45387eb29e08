import numpy as np
import pytest
from numpy.testing import assert_allclose

from minindrnn import cross_entropy, mean_squared_error


def test_cross_entropy_is_stable(rng):
    y = np.array([[1e4, 0.0], [0.0, 1e4]])
    loss, dy = cross_entropy(y, np.array([0, 0]))
    assert loss == 5e3
    assert_allclose(dy, [[0, 0], [-0.5, 0.5]])
    y = rng.normal(size=(5, 3))
    assert_allclose(cross_entropy(y + 1000, np.zeros(5, int))[0], cross_entropy(y, np.zeros(5, int))[0])
    assert_allclose(cross_entropy(y, np.zeros(5, int))[1].sum(axis=1), 0, atol=1e-15)


def test_the_type_stays_float32():
    for loss, target in ((mean_squared_error, np.ones((4, 3), np.float32)), (cross_entropy, np.zeros(4, int))):
        value, dy = loss(np.zeros((4, 3), np.float32), target)
        assert isinstance(value, float) and dy.dtype == np.float32


def test_nan_reaches_the_loss():
    y = np.full((1, 2), np.nan)
    assert np.isnan(mean_squared_error(y, np.zeros((1, 2)))[0]) and np.isnan(cross_entropy(y, np.array([0]))[0])


@pytest.mark.parametrize("loss, target, message", [
    (mean_squared_error, np.zeros((2, 2)), r"target: expected \(B, K\) = \(2, 3\), got \(2, 2\)"),
    (cross_entropy, np.array([0, 3]), "target: expected classes 0 to 2, got 3"),
    (cross_entropy, np.array([-1, 0]), "target: expected classes 0 to 2, got -1"),
    (cross_entropy, np.array([0.0, 1.0]), r"target: expected class indices \(B,\) = \(2,\), got float64 of shape \(2,\)"),
    (cross_entropy, np.array([0]), r"target: expected class indices \(B,\) = \(2,\), got int64 of shape \(1,\)"),
])
def test_errors(loss, target, message):
    with pytest.raises(ValueError, match=message):
        loss(np.zeros((2, 3)), target)
