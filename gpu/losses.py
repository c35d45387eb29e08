"""The two losses, each with its gradient: the twins of those in `minindrnn.ops.losses`. The loss stays on the device.

Mean squared error, y and target (B, K)
    F1  loss = mean over b and k of (y - target)^2
    B1  dy   = 2 (y - target) / (B K)
Softmax cross-entropy, y (R, K), target (R,)
    F2  loss = mean over r of  log(sum over k of exp(y[r, k])) - y[r, target[r]]
    B2  dy   = (softmax(y) - onehot(target)) / R
"""
import math

import numpy as np
from numba import cuda

from minindrnn.core.expect import expect
from minindrnn.ops.losses import expect_classes

from .device import described, empty, flat, launch_each, sent
from .reduce import sums
from .scalars import ONE, ZERO


def mean_squared_error(y, target, loss):
    """y (B, K) on the device, target (B, K), loss (1,), which is written  ->  dy (B, K)."""
    like = ("y", described(y), "BK")
    expect(*like)
    expect("target", target, "BK", like)
    expect("loss", described(loss), "1", like)
    dy, terms, share = empty(y.shape, y.dtype), empty(y.shape, y.dtype), y.dtype.type(1 / y.size)
    launch_each(squares, y.size, flat(y), flat(sent(target)), share, flat(terms), flat(dy))                  # B1
    sums(terms, 1, out=loss)                                                                                 # F1
    return dy


def cross_entropy(y, target, loss):
    """y (B, K) on the device, target (B,), loss (1,), which is written  ->  dy (B, K); or all with T in front.

    A target of -1 does not count.
    """
    like = ("y", described(y), "TBK" if y.ndim == 3 else "BK")
    expect(*like)
    expect("loss", described(loss), "1", like)
    target, R = expect_classes(target, y.shape)
    dy, terms, share = empty(y.shape, y.dtype), empty(target.shape, y.dtype), y.dtype.type(1 / R)
    target = sent(target.astype(np.int64))
    launch_each(log_sums, target.size, flat(y), flat(target), share, flat(terms), flat(dy))                  # B2
    sums(terms, 1, out=loss)                                                                                 # F2
    return dy


# ---------------------------------------------------------------------------------------------------------
# Kernels; each element or row adds one of the terms to the loss, share is 1 / (B K) or 1 / R.

@cuda.jit
def squares(y, target, share, terms, dy):
    i = cuda.grid(1)
    if i < y.size:
        error = y[i] - target[i]
        terms[i] = error * error * share
        dy[i] = (error + error) * share


@cuda.jit
def log_sums(y, target, share, terms, dy):
    """A thread for each row; it subtracts the largest y first, so nothing overflows."""
    r = cuda.grid(1)
    if r >= target.size:
        return
    K, right = y.size // target.size, target[r]
    low = r * K
    largest, total = y[low], ZERO
    for k in range(low, low + K):
        largest = y[k] if y[k] > largest else largest
    for k in range(low, low + K):
        total += math.exp(y[k] - largest)
    terms[r] = (math.log(total) - (y[low + right] - largest)) * share if right >= 0 else ZERO
    for k in range(low, low + K):
        p = math.exp(y[k] - largest) / total
        dy[k] = (p - (ONE if k == low + right else ZERO)) * share if right >= 0 else ZERO
