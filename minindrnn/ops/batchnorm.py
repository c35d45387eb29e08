"""Batch normalisation of a sequence: over time, or for each time step.

Letters   T steps, B sequences, N channels; g is a group of values with common statistics
    x      (T, B, N)     y (T, B, N)     gamma, beta (N,), shared by all groups
    over time   one group: all T * B values of a channel; not causal, as early steps see late ones
    per step    T groups: the B values of a channel at one step; causal

Forward   F1  mean[g] = sum of x / count               over the values of group g, a channel at a time
          F2  var[g]  = sum of (x - mean[g])^2 / count
          F3  xhat    = (x - mean[g]) s[g]              s[g] = 1 / sqrt(var[g] + eps)
          F4  y       = mask * (gamma * xhat + beta)      mask (B, N) of a dropout that follows, or 1
Backward  B1  d       = mask * dy
          B2  dbeta   = sum of d                       over all values of a channel
          B3  dgamma  = sum of d * xhat
          B4  dx      = gamma s[g] (d - sum(d) / count - xhat sum(d * xhat) / count), sums over group g:
                        from F3 and through F1, F2, which depend on x
              dx      = gamma s[g] d where mean and var were given

Rules     No sum includes padding. A group of fewer than two values has no variance and uses the given statistics. With
          statistics="running" every group uses them.
Range     All sums are in float64. float32 is normalised as long as x - mean is a float32, for x of either sign up to
          1.7e38; from 2e19 on, its running variance overflows float32. In float64 the squares of numbers above 1e154
          overflow. A variance that overflows becomes NaN, and so does every value that it normalises.
Cache: x, mean, the rest of mean (its rounding error in x's type), s, gamma, mask, counts. Source: Ioffe and Szegedy,
arXiv 1502.03167; arXiv 1910.06251, section 4 (over time, per step); B4 is theirs, the rules are ours.
"""
from typing import NamedTuple

import numpy as np

from ..core.expect import expect, expect_choice, expect_count, expect_lengths, expect_number, expect_out, expect_same
from ..core.jit import kernel
from ..core.layer import Layer, Parameter, expect_known
from ..core.memory_pool import empty_like
from ..core.ranks import ALONE, Ranks

FAR = 1e6        # (distance of a row from the mean)^2 / variance up to which float64 keeps ten digits of the variance


class Cache(NamedTuple):
    """F3 subtracts mean, in x's type, and rest, the rounding error of mean in that type. Both are (G, N), like s."""
    x: np.ndarray
    mean: np.ndarray
    rest: np.ndarray
    s: np.ndarray
    gamma: np.ndarray
    mask: np.ndarray               # (B, N), or (1, N) for all sequences
    count: np.ndarray              # (G,) number of values, without padding
    own: np.ndarray                # (G,) whether the group uses the statistics of the batch
    steps: np.ndarray              # (B,) lengths
    per_step: bool
    batch_mean: np.ndarray         # (G, N), for the running statistics
    batch_var: np.ndarray
    ranks: Ranks                   # that share the batch


def batchnorm_forward(x, gamma, beta, mean, var, *, per_step=False, statistics="batch", lengths=None, eps=1e-5,
                      mask=None, ranks=ALONE):
    """x (T, B, N), gamma (N,), beta (N,), mean and var (G, N)  ->  y (T, B, N), cache.

    per_step     False: G = 1 group; True: G = T groups
    statistics   "batch": normalise by the statistics of x itself; mean and var serve groups of fewer than two values
                 "running": normalise everything by mean and var
    lengths      (B,) integers in 1..T: later steps of a sequence are not read, and give y = 0
    mask         (B, N), multiplies y: dropout in the same pass over the memory
    ranks        the ranks that share the batch: all sums except dgamma and dbeta cover the whole batch

    float32 or float64, the same for all arrays. Raises TypeError or ValueError naming the array.

    >>> x = np.array([1.0, 3.0]).reshape(2, 1, 1)
    >>> one, zero = np.ones(1), np.zeros(1)
    >>> y, cache = batchnorm_forward(x, one, zero, zero[None], one[None], eps=0.0)
    >>> y.ravel().tolist()
    [-1.0, 1.0]
    """
    like = ("x", x, "TBN")
    expect(*like)
    expect("gamma", gamma, "N", like)
    expect("beta", beta, "N", like)
    expect("mean", mean, "GN", like)
    expect("var", var, "GN", like=("mean", mean, "GN"))
    mask = np.ones((1, x.shape[2]), x.dtype) if mask is None else mask
    expect("mask", mask, "1N" if np.shape(mask)[:1] == (1,) else "BN", like)
    expect_choice("statistics", statistics, ("batch", "running"))
    expect_number("eps", eps, 0)
    T, B, N = x.shape
    groups = T if per_step else 1
    if len(mean) != groups:
        raise ValueError(f"mean: expected (G, N) = ({groups}, {N}), got {mean.shape}; "
                         f"{'per step G = T' if per_step else 'over time G = 1'}")
    steps = expect_lengths(lengths, T, B)
    count = np.bincount(np.arange(T) * per_step, (np.arange(T)[:, None] < steps).sum(axis=1), groups)
    batch_mean, batch_var = mean, var
    if statistics == "batch":
        count, batch_mean, batch_var = moments(x, steps, per_step, count, ranks)                      # F1, F2
    own = (count >= 2) & (statistics == "batch")
    exact = np.where(own[:, None], batch_mean, mean)
    s = 1 / np.sqrt(np.where(own[:, None], batch_var, var) + eps)
    mean, s, y = exact.astype(x.dtype), s.astype(x.dtype), empty_like(x)
    rest = exact - mean
    shift = (beta - gamma * s * rest).astype(x.dtype)                             # F3 also subtracts rest
    normalise(x, mean, gamma * s, shift, mask, steps, per_step, y)                                    # F3, F4
    return y, Cache(x, mean, rest, s, gamma, mask, count, own, steps, per_step, batch_mean, batch_var, ranks)


def batchnorm_backward(dy, cache, *, out=None):
    """dy (T, B, N), cache of the forward pass  ->  dx (T, B, N), dgamma (N,), dbeta (N,).

    out   an array for dx that shares no memory with the others; or `out=dy`, which works in place
    """
    x, mean, s, gamma, mask = cache.x, cache.mean, cache.s, cache.gamma, cache.mask
    total, slope, dgamma, dbeta = backward_sums(dy, cache)                                            # B2, B3
    if out is not None:
        expect_out("out", out, "TBN", ("dy", dy, "TBN"), x=x, gamma=gamma, mask=mask)
    dx = empty_like(dy) if out is None else out
    if dx is not dy:
        np.copyto(dx, dy)
    spread(dx, x, mean, gamma * s, total, slope, mask, cache.steps, cache.per_step)                   # B4
    return dx, dgamma, dbeta


def backward_sums(dy, cache):
    """total, slope (G, N), dgamma, dbeta (N,):  dx = gamma s (d - total - (x - mean) * slope), which is B4."""
    x, mean, rest, s, count, own, ranks = cache.x, cache.mean, cache.rest, cache.s, cache.count, cache.own, cache.ranks
    expect("dy", dy, "TBN", like=("x", x, "TBN"))
    total, product = np.zeros(mean.shape), np.zeros(mean.shape)
    sums(dy, x, mean, cache.mask, cache.steps, cache.per_step, total, product)
    product = s * (product - rest * total)                        # of d * xhat; the kernel summed d * (x - mean)
    dgamma, dbeta = product.sum(axis=0).astype(dy.dtype), total.sum(axis=0).astype(dy.dtype)
    if own.any():
        total, product = ranks.sum(np.stack([total, product]))
    share = (own / np.maximum(count, 1))[:, None]                 # 1 / count, or 0 if statistics were given
    slope = s * share * product
    return (share * total - rest * slope).astype(dy.dtype), slope.astype(dy.dtype), dgamma, dbeta


def moments(x, steps, per_step, count, ranks=ALONE):
    """Count (G,), mean and biased variance (G, N) of every group, in float64, from sums of x - row, a row of the group.
    If the row is far from the mean, digits are lost, and a second pass sums x - mean with the mean of the first."""
    mean = x[:len(count), np.argmax(steps)].astype(np.float64)    # from the longest sequence, which has no padding
    n = np.maximum(count, 1)[:, None]
    for _ in range(2):
        first, second = np.zeros((2, *mean.shape))
        powers(x, mean, steps, per_step, first, second)
        off = first / n                                                                               # F1
        var, mean = np.maximum(second / n - off**2, 0), mean + off                                    # F2
        if not (off**2 > FAR * var).any():
            break
    if ranks.size > 1:
        count, mean, var = of_all(ranks.gather(np.column_stack([count, mean, var])))
    return count, mean, np.where(np.isinf(var), np.nan, var)


def of_all(parts):
    """(R, G, 1 + 2 N), the counts, means and variances of all ranks  ->  those of the whole batch. A rank may
    have no value of a group. Source: Chan, Golub and LeVeque, Updating formulae and a pairwise algorithm, 1979."""
    n, means, variances = np.split(np.where(parts[:, :, :1] > 0, parts, 0), [1, (parts.shape[2] + 1) // 2], axis=2)
    total = np.maximum(n.sum(axis=0), 1)
    mean = (n * means).sum(axis=0) / total                                                            # F1
    var = (n * (variances + (means - mean)**2)).sum(axis=0) / total                                   # F2
    return n.sum(axis=0)[:, 0].astype(np.int64), mean, var


class BatchNorm(Layer):
    """y = gamma * (x - mean) / sqrt(var + eps) + beta, over time or per step.

    channels    N
    length      None: over time; a number: per step, with running statistics for that many steps
    gain        where gamma starts (1; 0.1 for the papers' dense language models); beta starts at 0
    momentum    the weight of the batch's statistics when `absorb` updates the running ones

    Running statistics are not parameters: only `absorb` changes them, after an update. Their variance is the
    unbiased one. Per step, all positions from the last row on share that row. A position never trained uses the
    last trained one before it: the tail of a sequence is nearly stationary.
    """

    def __init__(self, channels, *, length=None, gain=1.0, momentum=0.1, eps=1e-5, dtype=np.float32):
        expect_count("channels", channels)
        expect_count("length", 1 if length is None else length)
        expect_number("momentum", momentum, 0, 1)
        expect_number("gain", gain, 0)
        self.per_step, self.momentum, self.eps = length is not None, momentum, eps
        self.parameters = {"gamma": Parameter(np.full(channels, gain, dtype), "gain"),
                           "beta": Parameter(np.zeros(channels, dtype), "bias")}
        rows = length if self.per_step else 1
        self.buffers = {"mean": np.zeros((rows, channels), dtype), "var": np.ones((rows, channels), dtype),
                        "updates": np.zeros(rows, np.int64)}

    class Cache(NamedTuple):
        """The cache of `batchnorm_forward`, and the row of the running statistics for each group."""
        of_norm: Cache
        rows: np.ndarray

    def forward(self, x, state=None, *, lengths=None, statistics="running", start=0, mask=None, ranks=ALONE, **unused):
        expect_known(unused)
        expect("x", x, "TBN", like=("gamma", self["gamma"], "N"))
        rows = self._rows(start, x.shape[0])
        trained = self._trained(rows)
        y, of_norm = batchnorm_forward(x, self["gamma"], self["beta"], self.buffers["mean"][trained],
                                       self.buffers["var"][trained], per_step=self.per_step,
                                       statistics=statistics, lengths=lengths, eps=self.eps, mask=mask, ranks=ranks)
        return y, self.Cache(of_norm, rows)

    def backward(self, dy, cache, *, overwrite=False):
        dx, dgamma, dbeta = batchnorm_backward(dy, cache.of_norm, out=dy if overwrite else None)
        return dx, {"gamma": dgamma, "beta": dbeta}

    def backward_map(self, dy, cache):
        """Over time, dx = p * dy + q * (x - m) + r: B4 as an affine map of each channel of each sequence, for a pass
        that already reads dy and x. Returns p, q, m, r (4, B, N) and the gradients."""
        x, mean, mask = cache.of_norm.x, cache.of_norm.mean, cache.of_norm.mask
        total, slope, dgamma, dbeta = backward_sums(dy, cache.of_norm)
        scale = cache.of_norm.gamma * cache.of_norm.s
        pqmr = np.empty((4, *x.shape[1:]), x.dtype)
        pqmr[0], pqmr[1], pqmr[2], pqmr[3] = scale * mask, -scale * slope, mean, -scale * total
        return pqmr, {"gamma": dgamma, "beta": dbeta}

    def step(self, x, state=None, *, start=0):
        expect("x", x, "BN", like=("gamma", self["gamma"], "N"))
        expect_same("beta", self["beta"], "gamma", self["gamma"])
        g = self._trained(self._rows(start, 1))[0] if self.per_step else 0
        y = np.empty_like(x)
        tick(x, self["gamma"], self["beta"], self.buffers["mean"][g], self.buffers["var"][g], self.eps, y)
        return y, None

    def absorb(self, cache, *, average=False):
        """Move the running statistics towards those of a training pass: new = (1 - momentum) old + momentum batch.
        The last row absorbs all later positions, one by one. average: the k-th batch has the weight 1 / k instead."""
        of_norm, rows = cache
        expect_same("x in the cache", of_norm.x[0, 0], "gamma", self["gamma"])
        count, own, mean, var = of_norm.count, of_norm.own, of_norm.batch_mean, of_norm.batch_var
        unbiased = var * (count / np.maximum(count - 1, 1))[:, None]
        for g, row in enumerate(rows):
            if own[g]:
                self.buffers["updates"][row] += 1
                weight = 1 / self.buffers["updates"][row] if average else self.momentum
                self.buffers["mean"][row] += weight * (mean[g] - self.buffers["mean"][row])
                with np.errstate(over="ignore"):               # overflow of the buffer's type becomes NaN, see Range
                    self.buffers["var"][row] += weight * (unbiased[g] - self.buffers["var"][row])
        self.buffers["var"][np.isinf(self.buffers["var"])] = np.nan

    def _rows(self, start, T):
        """The row of the running statistics for each group."""
        last = len(self.buffers["mean"]) - 1
        expect_count("start", start, 0)
        return np.minimum(np.arange(start, start + T), last) if self.per_step else np.zeros(1, int)

    def _trained(self, rows):
        """The same rows; an untrained row is replaced by the nearest trained one before it, or else by the first."""
        trained = np.flatnonzero(self.buffers["updates"])
        if len(trained) == 0:
            return rows
        return trained[np.maximum(np.searchsorted(trained, rows, side="right") - 1, 0)]


# ---------------------------------------------------------------------------------------------------------
# Kernels. Step t belongs to group t (per step) or to group 0. Sums are in float64 at no cost, since memory limits the
# speed. A mask with one row applies to all sequences.

@kernel
def powers(x, shift, steps, per_step, first, second):
    T, B, N = x.shape
    for t in range(T):
        g = t * per_step
        for b in range(B):
            if t < steps[b]:
                for n in range(N):
                    d = x[t, b, n] - shift[g, n]
                    first[g, n] += d                                                                  # F1
                    second[g, n] += d * d                                                             # F2


@kernel
def normalise(x, mean, scale, beta, mask, steps, per_step, y):
    T, B, N = x.shape
    for t in range(T):
        g = t * per_step
        for b in range(B):
            row = b * (len(mask) > 1)
            if t < steps[b]:
                for n in range(N):
                    y[t, b, n] = mask[row, n] * ((x[t, b, n] - mean[g, n]) * scale[g, n] + beta[g, n])   # F3, F4
            else:
                for n in range(N):
                    y[t, b, n] = 0


@kernel
def sums(dy, x, mean, mask, steps, per_step, total, product):
    T, B, N = x.shape
    for t in range(T):
        g = t * per_step
        for b in range(B):
            row = b * (len(mask) > 1)
            if t < steps[b]:
                for n in range(N):
                    d = np.float64(mask[row, n] * dy[t, b, n])                                        # B1
                    total[g, n] += d                                                                  # B2
                    product[g, n] += d * (x[t, b, n] - mean[g, n])                                    # B3


@kernel
def spread(dx, x, mean, scale, total, slope, mask, steps, per_step):
    """dx holds dy and receives dx."""
    T, B, N = x.shape
    for t in range(T):
        g = t * per_step
        for b in range(B):
            row = b * (len(mask) > 1)
            if t < steps[b]:
                for n in range(N):
                    d = mask[row, n] * dx[t, b, n]
                    dx[t, b, n] = scale[g, n] * (d - total[g, n] - (x[t, b, n] - mean[g, n]) * slope[g, n])   # B4
            else:
                for n in range(N):
                    dx[t, b, n] = 0


@kernel
def tick(x, gamma, beta, mean, var, eps, y):
    """One step, x and y (B, N), by given statistics (N,)."""
    for b in range(x.shape[0]):
        for n in range(x.shape[1]):
            y[b, n] = gamma[n] * ((x[b, n] - mean[n]) / np.sqrt(var[n] + eps)) + beta[n]              # F3, F4
