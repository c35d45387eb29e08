"""Dropout with one mask for the whole sequence: the twin of `minindrnn.ops.dropout`, which drops the same neurons.

    F1  y[t, b, n] = x[t, b, n] * mask[b, n]         mask = 0 with probability p, else 1 / (1 - p)
    B1  dx         = dy * mask
"""
from numba import cuda, uint64

from minindrnn.core.expect import expect, expect_generator
from minindrnn.core.layer import Layer, expect_known
from minindrnn.ops.dropout import Cache, chances, splitmix64

from .device import column, described, empty, flat, launch_columns, launch_each
from .padding import without_padding
from .scalars import ZERO


def dropout_forward(x, p, rng, *, lengths=None):
    """x (T, B, N), 0 <= p < 1, a `numpy.random.Generator` or None for no dropout  ->  y (T, B, N), cache."""
    expect("x", described(x), "TBN")
    x, mask = without_padding(x, lengths), draw(x.shape[1:], p, rng, x.dtype)
    return times(x, mask), Cache(mask, lengths)                                          # F1


def dropout_backward(dy, cache):
    """dy (T, B, N), cache  ->  dx (T, B, N)."""
    mask, lengths = cache
    expect("dy", described(dy), "TBN", like=None if mask is None else ("mask", described(mask), "BN"))
    return times(without_padding(dy, lengths), mask)                                                               # B1


def draw(shape, p, rng, dtype):
    """The mask (B, N); None without dropout."""
    expect_generator(rng, none=True)
    if rng is None or p == 0:
        return None
    mask = empty(tuple(shape), dtype)
    launch_each(keep, mask.size, *chances(p, rng, dtype), flat(mask))
    return mask


def times(x, mask):
    if mask is None:
        return x
    y = empty(x.shape, x.dtype)
    launch_columns(multiply, x.shape, flat(x), flat(mask), flat(y))
    return y


class Dropout(Layer):
    """Drop each of the (B, N) elements with probability p, at all steps, when forward is given a generator."""

    def __init__(self, layer):
        self.p = layer.p

    def forward(self, x, state=None, *, rng=None, lengths=None, **unused):
        expect_known(unused)
        return dropout_forward(x, self.p, rng, lengths=lengths)

    def backward(self, dy, cache, *, overwrite=False):
        return dropout_backward(dy, cache), {}


# ---------------------------------------------------------------------------------------------------------
# Kernels

bits = cuda.jit(device=True)(splitmix64)


@cuda.jit
def keep(seed, threshold, whole, mask):
    i = cuda.grid(1)
    if i < mask.size:
        mask[i] = ZERO if bits(seed, uint64(i)) >> uint64(11) < threshold else whole


@cuda.jit
def multiply(x, mask, y):
    c, first, last = column(cuda.grid(1), mask.size, x.size)
    for t in range(first, last):
        p = uint64(t) * uint64(mask.size) + uint64(c)
        y[p] = x[p] * mask[c]
