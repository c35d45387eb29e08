"""Features and their differences from step to step.

    F1  y[t] = [x[t], x[t] - x[t-1]], channels              x[-1] = x0, zero unless given
    B1  dx[t] = dp[t] + dq[t] - dq[t+1]                     dy = [dp, dq]; dq is 0 after the last step
    B2  dx0  = -dq[0]

The densely connected network for skeletons uses this after every layer. The state is the last x.
Cache: x (and the lengths). Source: the authors' network for NTU RGB+D with augmentation (arXiv 1910.06251, section 5).
"""
from typing import NamedTuple

import numpy as np

from ..core.expect import expect
from ..core.layer import Layer, expect_known
from ..core.padding import last_step, without_padding


class Cache(NamedTuple):
    x: np.ndarray
    lengths: np.ndarray | None


def differences_forward(x, x0=None, *, lengths=None):
    """x (T, B, M), x0 (B, M) or zero  ->  y (T, B, 2 M), cache.

    lengths   (B,) integers in 1..T: later steps of a sequence are not read, and give y = 0

    float32 or float64, the same for all arrays. Raises TypeError or ValueError naming the array.

    >>> y, cache = differences_forward(np.array([1.0, 3.0, 2.0]).reshape(3, 1, 1))
    >>> y[:, 0].tolist()
    [[1.0, 1.0], [3.0, 2.0], [2.0, -1.0]]
    """
    like = ("x", x, "TBM")
    expect(*like)
    x0 = np.zeros_like(x[0]) if x0 is None else x0
    expect("x0", x0, "BM", like)
    x = without_padding(x, lengths)
    before = np.concatenate([x0[np.newaxis], x[:-1]])
    y = np.concatenate([x, x - before], axis=2)                                                       # F1
    return without_padding(y, lengths, overwrite=True), Cache(x, lengths)


def differences_backward(dy, cache):
    """dy (T, B, 2 M), cache  ->  dx (T, B, M), dx0 (B, M)."""
    x, lengths = cache
    expect("dy", dy, "TBZ", like=("y", np.empty((*x.shape[:2], 2 * x.shape[2]), x.dtype), "TBZ"))
    dp, dq = np.split(without_padding(dy, lengths), 2, axis=2)
    dx = dp + dq
    dx[:-1] -= dq[1:]                                                                                 # B1
    return dx, -dq[0]                                                                                 # B2


class Differences(Layer):
    """x (T, B, M)  ->  [x, x - x one step before], (T, B, 2 M). The state is the last x, (B, M)."""

    def forward(self, x, state=None, *, lengths=None, **unused):
        expect_known(unused)
        return differences_forward(x, state, lengths=lengths)

    def backward(self, dy, cache, *, overwrite=False):
        dx, dx0 = differences_backward(dy, cache)
        return dx, {"h0": dx0}

    def last_state(self, cache):
        return last_step(cache.x, cache.lengths)
