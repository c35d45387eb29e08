"""The two losses, each a number with its gradient.

Mean squared error, y and target (B, K)
    F1  loss = mean over b and k of (y - target)^2
    B1  dy   = 2 (y - target) / (B K)
Softmax cross-entropy, y (R, K) unnormalised, target (R,) the index of the right class; the R rows are B sequences, or
T B steps if the loss covers every step
    F2  loss = mean over r of  log(sum over k of exp(y[r, k])) - y[r, target[r]]
    B2  dy   = (softmax(y) - onehot(target)) / R

`scipy.special` subtracts the largest y before it exponentiates, so nothing overflows.
One function returns loss and gradient, as a scalar has only one cotangent, 1.
Source: arXiv 1803.04831, section 5, for numbers and for classes; the gradients are derived here.
"""
import numpy as np
from scipy.special import log_softmax

from ..core.expect import expect


def mean_squared_error(y, target):
    """y (B, K), target (B, K)  ->  loss, dy (B, K).

    float32 or float64, the same for all arrays. Raises TypeError or ValueError naming the array.

    >>> loss, dy = mean_squared_error(np.array([[3.0]]), np.array([[1.0]]))
    >>> loss, dy.tolist()
    (4.0, [[4.0]])
    """
    expect("y", y, "BK")
    expect("target", target, "BK", like=("y", y, "BK"))
    error = y - target
    return float(np.mean(np.float64(error)**2)), 2 * error / error.dtype.type(error.size)      # F1, B1


def cross_entropy(y, target):
    """y (B, K), target (B,) integers in 0..K-1  ->  loss, dy (B, K); or with T in front of all shapes.

    A target of -1, a step after the end of its sequence, does not count. y is float32 or float64; dy has its
    dtype. Raises TypeError or ValueError naming the array.

    >>> loss, dy = cross_entropy(np.zeros((1, 2)), np.array([0]))
    >>> round(loss, 4), dy.tolist()
    (0.6931, [[-0.5, 0.5]])
    """
    expect("y", y, "TBK" if np.ndim(y) == 3 else "BK")
    target, R = expect_classes(target, y.shape)
    counted = np.nonzero(target >= 0)
    right = (*counted, target[counted])
    log_p = log_softmax(y, axis=-1)
    dy = np.where((target >= 0)[..., np.newaxis], np.exp(log_p), y.dtype.type(0))
    dy[right] -= 1
    return float(-np.mean(log_p[right], dtype=np.float64)), dy / y.dtype.type(R)                     # F2, B2


def counted(target):
    """The number of terms in the mean of the loss for a target (B,), (B, K) or (T, B)."""
    target = np.asarray(target)
    return np.count_nonzero(target >= 0) if target.dtype.kind in "iu" else target.size


def expect_classes(target, shape):
    """Check classes for y of the shape (..., K)  ->  target as an array, and the number of classes that count."""
    if isinstance(target, np.ma.MaskedArray):
        raise TypeError("target: expected a plain array of classes, -1 where a step does not count, got a masked one")
    target, (*rows, K) = np.asarray(target), shape
    if target.dtype.kind not in "iu" or target.shape != tuple(rows):
        raise ValueError(f"target: expected class indices of shape {tuple(rows)}, got {target.dtype} of shape "
                         f"{target.shape}")
    if target.min() < -1 or target.max() >= K:
        wrong = target[(target < -1) | (target >= K)][0]
        raise ValueError(f"target: expected classes 0 to {K - 1}, or -1, got {wrong}")
    R = np.count_nonzero(target >= 0)
    if R == 0:
        raise ValueError("target: expected at least one class, got -1 only")
    return target, R
