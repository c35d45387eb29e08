"""Batch normalisation of a sequence over time and batch: the twin of `minindrnn.ops.batchnorm` for one group.

Forward   F1  mean    = sum of x / count               over all steps of all sequences, a channel at a time
          F2  var     = sum of (x - mean)^2 / count
          F3  xhat    = (x - mean) s                   s = 1 / sqrt(var + eps)
          F4  y       = mask * (gamma * xhat + beta)
Backward  B1  d       = mask * dy            B2  dbeta = sum of d            B3  dgamma = sum of d * xhat
          B4  dx      = gamma s (d - sum(d) / count - xhat sum(d * xhat) / count)
              dx      = gamma s d where mean and var were given

Two passes compute mean and variance, each from sums of x minus a number near it, so float32 sums are accurate. The
second pass also computes the rest of the mean, which float32 does not hold. A variance too large for float32, with x
1.8e19 from its mean, becomes NaN; the CPU, which uses float64, works up to 3e38.
"""
import math
from typing import NamedTuple

import numpy as np
from numba import cuda, from_dtype, uint64

from minindrnn.core.expect import FLOATS, expect, expect_choice, expect_lengths, expect_same
from minindrnn.core.layer import Layer, expect_known

from .device import column, described, empty, filled, flat, launch_columns, launch_each, steps_of
from .reduce import LANES, ROWS, WIDTH, lane, launch_lanes, sums
from .scalars import ONE, ZERO, add


class Cache(NamedTuple):
    """As the twin's cache, with var and eps for s. F3 subtracts mean and rest, the part that mean does not hold."""
    x: object
    mean: object                   # (N,), also rest, var and gamma
    rest: object
    var: object
    eps: np.floating
    gamma: object
    mask: object                   # (B, N), or (N,) for all sequences
    count: int                     # values of a channel, without padding
    own: bool                      # whether mean and var are the statistics of x itself
    steps: object                  # (B,) lengths


def batchnorm_forward(x, gamma, beta, mean, var, *, statistics="batch", lengths=None, eps=1e-5, mask=None):
    """x (T, B, N), gamma, beta, mean, var (N,)  ->  y (T, B, N), cache. As `minindrnn.batchnorm_forward`."""
    like = ("x", described(x), "TBN")
    expect(*like)
    for name, array in {"gamma": gamma, "beta": beta, "mean": mean, "var": var}.items():
        expect(name, described(array), "N", like)
    if mask is not None:
        expect("mask", described(mask), "BN", like)
    expect_choice("statistics", statistics, ("batch", "running"))
    T, B, N = x.shape
    count = int(expect_lengths(lengths, T, B).sum())
    own, steps, eps = count >= 2 and statistics == "batch", steps_of(lengths, T, B, x), x.dtype.type(eps)
    mask = filled(1, (N,), x) if mask is None else mask
    rest = filled(0, (N,), x)
    if own:
        share, near = x.dtype.type(1 / count), flat(x)[:N]
        mean, rest, var = (empty((N,), x.dtype) for _ in range(3))
        launch_each(average, N, two_sums(POWERS, x, x, near, mask, steps), near, share, mean)                  # F1
        launch_each(variance, N, two_sums(POWERS, x, x, mean, mask, steps), share, rest, var)                  # F1, F2
    y = empty((T, B, N), x.dtype)
    launch_columns(normalise, x.shape, flat(x), mean, rest, var, eps, gamma, beta, flat(mask), steps, flat(y))  # F3, F4
    return y, Cache(x, mean, rest, var, eps, gamma, mask, count, own, steps)


def batchnorm_backward(dy, cache):
    """dy (T, B, N), cache  ->  dx (T, B, N), dgamma (N,), dbeta (N,)."""
    x, mean, rest, var, eps, gamma, mask, count, own, steps = cache
    expect("dy", described(dy), "TBN", like=("x", described(x), "TBN"))
    dx, dgamma, dbeta = (empty(array.shape, x.dtype) for array in (x, gamma, gamma))
    both = two_sums(PRODUCTS, dy, x, mean, mask, steps)
    launch_each(gains, gamma.size, both, rest, var, eps, dgamma, dbeta)                                        # B2, B3
    share = x.dtype.type(own / count)                              # 0 where statistics were given
    launch_columns(spread, x.shape, flat(dy), flat(x), mean, rest, var, eps, gamma, dgamma, dbeta, share, flat(mask),
                   steps, flat(dx))                                                                            # B4
    return dx, dgamma, dbeta


def two_sums(kernels, dy, x, mean, mask, steps):
    """Two sums for each channel, (2 N,), of dy and x (T, B, N), without padding."""
    T, B, N = x.shape
    part = empty((-(-T * B // ROWS), 2 * N), x.dtype)
    launch_lanes(kernels[x.dtype], T * B, N, flat(dy), flat(x), mean, flat(mask), steps, flat(part))
    return sums(part, 2 * N)


class BatchNorm(Layer):
    """y = gamma * (x - mean) / sqrt(var + eps) + beta, over time."""

    def __init__(self, layer, parameters, buffers):
        self.momentum, self.eps, self.parameters, self.buffers = layer.momentum, layer.eps, parameters, buffers

    def forward(self, x, state=None, *, lengths=None, statistics="running", mask=None, **unused):
        expect_known(unused)
        mean, var = flat(self.buffers["mean"]), flat(self.buffers["var"])
        return batchnorm_forward(x, self["gamma"], self["beta"], mean, var, statistics=statistics, lengths=lengths,
                                 eps=self.eps, mask=mask)

    def backward(self, dy, cache, *, overwrite=False):
        dx, dgamma, dbeta = batchnorm_backward(dy, cache)
        return dx, {"gamma": dgamma, "beta": dbeta}

    def absorb(self, cache, *, average=False):
        """Move the running statistics towards those of a training pass: new = (1 - momentum) old + momentum batch.
        With average, the k-th pass has weight 1 / k instead."""
        mean, var, count = cache.mean, cache.var, cache.count
        expect_same("mean in the cache", mean, "gamma", self["gamma"])
        if cache.own:
            self.buffers["updates"] += 1
            weight = 1 / self.buffers["updates"][0] if average else self.momentum
            weight, unbiased = map(mean.dtype.type, (weight, count / (count - 1)))
            launch_each(move, mean.size, mean, var, weight, unbiased, flat(self.buffers["mean"]),
                        flat(self.buffers["var"]))


# ---------------------------------------------------------------------------------------------------------
# Kernels with a thread for STEPS steps of a column; arrays are flat.

@cuda.jit(device=True)
def inverse(var, eps):
    return ONE / math.sqrt(var + eps)


@cuda.jit
def normalise(x, mean, rest, var, eps, gamma, beta, mask, steps, y):
    N = mean.size
    c, first, last = column(cuda.grid(1), steps.size * N, x.size)
    b, n = c // N, c % N
    scale, m = gamma[n] * inverse(var[n], eps), mask[c if mask.size > N else n]
    for t in range(first, last):
        p = uint64(t) * uint64(steps.size * N) + uint64(c)
        y[p] = m * ((x[p] - mean[n] - rest[n]) * scale + beta[n]) if t < steps[b] else ZERO                     # F3, F4


@cuda.jit
def spread(dy, x, mean, rest, var, eps, gamma, dgamma, dbeta, share, mask, steps, dx):
    N = mean.size
    c, first, last = column(cuda.grid(1), steps.size * N, x.size)
    b, n = c // N, c % N
    s, m = inverse(var[n], eps), mask[c if mask.size > N else n]
    total, slope = share * dbeta[n], share * s * dgamma[n]
    for t in range(first, last):
        p = uint64(t) * uint64(steps.size * N) + uint64(c)
        d = x[p] - mean[n] - rest[n]
        dx[p] = gamma[n] * s * (m * dy[p] - total - d * slope) if t < steps[b] else ZERO              # B1, B4


# ---------------------------------------------------------------------------------------------------------
# Kernels with a thread for a channel; `both` holds the two sums of channel n, at n and at n + N.

@cuda.jit
def average(both, near, share, mean):
    n = cuda.grid(1)
    if n < mean.size:
        mean[n] = near[n] + both[n] * share


@cuda.jit
def variance(both, share, rest, var):
    n = cuda.grid(1)
    if n < var.size:
        rest[n] = both[n] * share                              # zero except for rounding
        value = both[n + var.size] * share - rest[n] * rest[n]
        var[n] = ZERO if value < ZERO else value + (value - value)       # infinity becomes NaN


@cuda.jit
def gains(both, rest, var, eps, dgamma, dbeta):
    n = cuda.grid(1)
    if n < var.size:
        dbeta[n] = both[n]                                                                            # B2
        dgamma[n] = inverse(var[n], eps) * (both[n + var.size] - rest[n] * both[n])                   # B3


@cuda.jit
def move(mean, var, weight, unbiased, running_mean, running_var):
    n = cuda.grid(1)
    if n < mean.size:
        running_mean[n] += weight * (mean[n] - running_mean[n])
        running_var[n] += weight * (unbiased * var[n] - running_var[n])


# ---------------------------------------------------------------------------------------------------------
# Kernels with LANES threads for each channel of ROWS rows: see `reduce`.

def powers(dy, x, mean, mask):
    d = x - mean
    return d, d * d                                                                                   # F1, F2


def products(dy, x, mean, mask):
    d = mask * dy                                                                                     # B1
    return d, d * (x - mean)                                                                          # B2, B3


def _two_sums(terms, dtype):
    terms = cuda.jit(device=True)(terms)

    @cuda.jit
    def two_sums(dy, x, mean, mask, steps, part):
        firsts = cuda.shared.array((LANES, WIDTH), dtype)
        seconds = cuda.shared.array((LANES, WIDTH), dtype)
        B, N = steps.size, mean.size
        n, g, k, l = lane(cuda.blockIdx.x, cuda.threadIdx.x, N)
        R = x.size // N
        one, lost_one, two, lost_two = ZERO, ZERO, ZERO, ZERO
        if n < N:
            t, b = (g * ROWS + l) // B, (g * ROWS + l) % B
            for r in range(g * ROWS + l, min((g + 1) * ROWS, R), LANES):
                if t < steps[b]:
                    p = uint64(r) * uint64(N) + uint64(n)
                    d, e = terms(dy[p], x[p], mean[n], mask[b * N + n if mask.size > N else n])
                    one, lost_one = add(one, lost_one, d)
                    two, lost_two = add(two, lost_two, e)
                b += LANES
                if b >= B:                                     # a division would take longer than everything else
                    t, b = t + b // B, b % B
        firsts[l, k], seconds[l, k] = one, two
        half = LANES // 2
        while half > 0:
            cuda.syncthreads()
            if l < half:
                firsts[l, k] += firsts[l + half, k]
                seconds[l, k] += seconds[l + half, k]
            half //= 2
        if n < N and l == 0:
            part[g * 2 * N + n], part[g * 2 * N + N + n] = firsts[0, k], seconds[0, k]

    return two_sums


POWERS, PRODUCTS = ({dtype: _two_sums(terms, from_dtype(dtype)) for dtype in FLOATS} for terms in (powers, products))
