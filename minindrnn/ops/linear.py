"""The affine map of every step of every sequence, before the recurrence.

Letters   T steps, B sequences, M inputs, N neurons
    x  (T, B, M)     W  (N, M)     b  (N,)     y  (T, B, N)

Forward   F1  y[t] = W x[t] + b
Backward  B1  dx[t] = W' dy[t]                            from F1, argument x[t]
          B2  dW    = sum over t and b of dy[t] x[t]'     from F1, argument W, shared by all t and b
          B3  db    = sum over t and b of dy[t]           from F1, argument b

W x does not depend on h, so one matrix product covers all T * B rows; this is why IndRNN is fast.
Cache: x, W and the lengths. Source: Li et al., arXiv 1803.04831, equation 4 (there W has the same shape).
"""
from typing import NamedTuple

import numpy as np

from ..core.expect import expect, expect_count, expect_number
from ..core.jit import kernel, reordered
from ..core.layer import Layer, Parameter, drawn, expect_known
from ..core.memory_pool import empty
from ..core.padding import without_padding

NARROW = 3       # up to this M a row of x is broadcast, faster than BLAS on such a thin product: see `bench kernels`
ROWS = 8192      # dW: rows per float32 product; the products are added in float64
TERMS = 256      # db, and dW if M or N x M is small: rows added in their own type, before float64
SMALL = 4096     # from this N x M on BLAS adds some hundred rows at a time; below, perhaps all rows one by one


class Cache(NamedTuple):
    """b and lengths may be None; x has zeros for padding."""
    x: np.ndarray
    W: np.ndarray
    b: np.ndarray | None
    lengths: np.ndarray | None


def linear_forward(x, W, b=None, *, lengths=None):
    """x (T, B, M), W (N, M), b (N,) or zero  ->  y (T, B, N), cache.

    lengths   (B,) integers in 1..T: later steps of a sequence are not read, and give y = 0

    float32 or float64, the same for all arrays. Raises TypeError or ValueError naming the array.

    >>> y, cache = linear_forward(np.ones((2, 1, 3)), np.ones((4, 3)), np.zeros(4))
    >>> y.shape, y[0, 0].tolist()
    ((2, 1, 4), [3.0, 3.0, 3.0, 3.0])
    """
    expect("W", W, "NM")
    expect("x", x, "TBM", like=("W", W, "NM"))
    if b is not None:
        expect("b", b, "N", like=("W", W, "NM"))
    x = without_padding(x, lengths)
    T, B, M = x.shape
    y = empty((T, B, len(W)), x.dtype)
    if M <= NARROW:
        bias = np.zeros(len(W), W.dtype) if b is None else b
        narrow_forward(x.reshape(T * B, M), W.T.copy(), bias, y.reshape(T * B, -1))          # F1
    else:
        np.matmul(x.reshape(T * B, M), W.T, out=y.reshape(T * B, -1))
        if b is not None:
            y += b
    return without_padding(y, lengths, overwrite=True), Cache(x, W, b, lengths)


def linear_backward(dy, cache):
    """dy (T, B, N), cache of the forward pass  ->  dx (T, B, M), dW (N, M), db (N,), None if there was no b.

    Sums over T and B are in float32 for some thousand rows, then in float64: they stay accurate for any T.
    """
    x, W, b, lengths = cache
    T, B, M = x.shape
    expect("dy", dy, "TBN", like=("x W'", np.empty((T, B, len(W)), x.dtype), "TBN"))
    dy = without_padding(dy, lengths)
    rows, x = dy.reshape(T * B, -1), x.reshape(T * B, M)
    dx, db = empty((T, B, M), x.dtype), None
    if M <= NARROW:
        dW, db = narrow_sums(rows, x, W.T.copy(), dx.reshape(T * B, M))                      # B1, B2, B3
    else:
        np.matmul(rows, W, out=dx.reshape(T * B, M))                                         # B1
        dW = products(rows, x)                                                               # B2
        if b is not None:
            nothing = np.empty((len(x), 0), x.dtype)
            _, db = narrow_sums(rows, nothing, W.T[:0], nothing)                             # B3
    return dx, np.ascontiguousarray(dW, W.dtype), None if b is None else db.astype(W.dtype)


def narrow_sums(dy, x, W, dx):
    """As for `narrow_backward`: writes dx, returns dW (N, M) and db (N,)."""
    part = np.zeros((len(W) + 1, dy.shape[1]), dy.dtype)
    sums = np.zeros(part.shape)
    narrow_backward(dy, x, W, dx, part, sums)
    return sums[:-1].T, sums[-1]


def products(dy, x):
    """The sum over all rows of dy (R, N) times x (R, M), (N, M) in float64: matrix products of some rows in their own
    type, which are added in float64. How BLAS adds terms limits the number of rows: OpenBLAS on AVX-512 adds the terms
    of a small product, N M R up to a million, in one chain. A product with a vector does the same."""
    shape = dy.shape[1], x.shape[1]
    rows = TERMS if shape[0] * shape[1] < SMALL or min(shape) <= NARROW else ROWS
    total, part = empty(shape, np.float64), empty(shape, dy.dtype)
    total[:] = 0
    for low in range(0, len(dy), rows):
        total += np.matmul(dy[low:low + rows].T, x[low:low + rows], out=part)
    return total


# Initialisers of W (N, M), in the dtype of its layer: functions from M, the number of inputs, to arguments of `drawn`.

def normal(std):
    """W (N, M) from N(0, std^2), whatever M, in the dtype of its layer. TypeError or ValueError unless std >= 0."""
    expect_number("std", std, 0)
    return lambda inputs: ("normal", 0, std)


def scaled(gain=1.0):
    """W (N, M) from N(0, gain^2 / M), in the dtype of its layer: with gain 1, W x has the scale of x.

    TypeError or ValueError unless gain >= 0. Source: LeCun et al., Efficient BackProp, 1998, section 4.6.
    """
    expect_number("gain", gain, 0)
    return lambda inputs: ("normal", 0, gain * inputs**-0.5)


def kaiming(slope):
    """W (N, M) from U(-s, s), s = sqrt(6 / ((1 + slope^2) M)), in the dtype of its layer.

    TypeError or ValueError unless slope >= 0. Source: He et al., arXiv 1502.01852, equation 15, as a uniform
    distribution of that variance; the authors of IndRNN take slope 8.
    """
    expect_number("slope", slope, 0)
    return lambda inputs: ("uniform", -(6 / (1 + slope**2) / inputs)**0.5, (6 / (1 + slope**2) / inputs)**0.5)


class Linear(Layer):
    """y[t] = W x[t] + b.

    inputs, outputs   M and N
    rng               a `numpy.random.Generator`, for the weights
    W                 their initialiser: `scaled`, `normal` or `kaiming`. The bias starts at 0.
    dtype             float32 or float64
    """

    def __init__(self, inputs, outputs, rng, *, W=scaled(), dtype=np.float32):
        expect_count("inputs", inputs)
        expect_count("outputs", outputs)
        self.parameters = {
            "W": Parameter(drawn(rng, *W(inputs), (outputs, inputs), dtype=dtype), "weight"),
            "b": Parameter(np.zeros(outputs, dtype), "bias"),
        }

    def forward(self, x, state=None, *, lengths=None, **unused):
        expect_known(unused)
        return linear_forward(x, self["W"], self["b"], lengths=lengths)

    def backward(self, dy, cache, *, overwrite=False):
        dx, dW, db = linear_backward(dy, cache)
        return dx, {"W": dW, "b": db}

    def step(self, x, state=None, *, start=0):
        expect("x", x, "BM", like=("W", self["W"], "NM"))
        return x @ self["W"].T + self["b"], None


# ---------------------------------------------------------------------------------------------------------
# Kernels; a row is one step of one sequence.

@kernel
def narrow_forward(x, W, b, y):
    """x (R, M), W (M, N), b (N,) -> y (R, N), for small M: one multiple of a row of W for each input."""
    R, M = x.shape
    for r in range(R):
        for n in range(b.size):
            y[r, n] = b[n] + W[0, n] * x[r, 0]                                               # F1
        for m in range(1, M):
            for n in range(b.size):
                y[r, n] += W[m, n] * x[r, m]


@reordered
def narrow_backward(dy, x, W, dx, part, sums):
    """dy (R, N), x (R, M), W (M, N) -> dx (R, M), and in sums (M + 1, N) float64 dW and db, for small M, in one pass
    over dy. db is the dW of one more input that is always 1. part (M + 1, N) is 0 before and after."""
    R, M = x.shape
    N = dy.shape[1]
    for low in range(0, R, TERMS):
        for r in range(low, min(low + TERMS, R)):
            for m in range(M):
                total = part.dtype.type(0)
                for n in range(N):
                    part[m, n] += x[r, m] * dy[r, n]                                         # B2
                    total += W[m, n] * dy[r, n]
                dx[r, m] = total                                                             # B1
            for n in range(N):
                part[M, n] += dy[r, n]                                                       # B3
        for m in range(M + 1):
            for n in range(N):
                sums[m, n] += part[m, n]
                part[m, n] = 0
