"""The two losses, each a number with its gradient.

Mean squared error, y and target (B, K)
    F1  loss = mean over b and k of (y - target)^2
    B1  dy   = 2 (y - target) / (B K)
Softmax cross-entropy, y (B, K) unnormalised, target (B,) the index of the right class
    F2  loss = mean over b of  log(sum over k of exp(y[b, k])) - y[b, target[b]]
    B2  dy   = (softmax(y) - onehot(target)) / B

`scipy.special` subtracts the largest y before it exponentiates, so nothing overflows.
Loss and gradient come from one function, as a scalar has only one cotangent, 1.
"""
import numpy as np
from scipy.special import log_softmax

from .shapes import expect


def mean_squared_error(y, target):
    """y (B, K), target (B, K)  ->  loss, dy (B, K).

    >>> loss, dy = mean_squared_error(np.array([[3.0]]), np.array([[1.0]]))
    >>> loss, dy.tolist()
    (4.0, [[4.0]])
    """
    expect("y", y, "BK")
    expect("target", target, "BK", like=("y", y, "BK"))
    error = y - target
    return float(np.mean(error**2, dtype=np.float64)), 2 * error / error.dtype.type(error.size)      # F1, B1


def cross_entropy(y, target):
    """y (B, K), target (B,) integers in 0..K-1  ->  loss, dy (B, K).

    >>> loss, dy = cross_entropy(np.zeros((1, 2)), np.array([0]))
    >>> round(loss, 4), dy.tolist()
    (0.6931, [[-0.5, 0.5]])
    """
    expect("y", y, "BK")
    B, K = y.shape
    target = np.asarray(target)
    if target.dtype.kind not in "iu" or target.shape != (B,):
        raise ValueError(f"target: expected class indices (B,) = ({B},), got {target.dtype} of shape {target.shape}")
    if target.min() < 0 or target.max() >= K:
        wrong = target[(target < 0) | (target >= K)][0]
        raise ValueError(f"target: expected classes 0 to {K - 1}, got {wrong}")
    log_p = log_softmax(y, axis=1)
    right = np.arange(B), target
    dy = np.exp(log_p)
    dy[right] -= 1
    return float(-np.mean(log_p[right], dtype=np.float64)), dy / y.dtype.type(B)                     # F2, B2
