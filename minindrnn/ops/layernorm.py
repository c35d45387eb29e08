"""Layer normalisation: normalise the channels of one step of one sequence by their own mean and variance.

Letters   x, y (T, B, N); gamma, beta (N,); sums over n, unless said otherwise

Forward   F1  mean[t, b] = sum of x / N        var[t, b] = sum of (x - mean)^2 / N
          F2  xhat = (x - mean) s              s[t, b] = 1 / sqrt(var + eps)
          F3  y    = gamma * xhat + beta
Backward  B1  dbeta = sum over t and b of dy            dgamma = sum over t and b of dy * xhat
          B2  g    = gamma * dy
          B3  dx   = s (g - sum(g) / N - xhat sum(g * xhat) / N)      from F2 and through F1

It keeps no statistics, is the same in training and evaluation, and mixes neither steps nor sequences: it is causal and
works for any batch. A single channel is normalised to 0. Cache: x, mean, s, gamma (and the lengths).
Source: Ba et al., arXiv 1607.06450.
"""
from typing import NamedTuple

import numpy as np

from ..core.expect import expect, expect_count, expect_lengths, expect_number
from ..core.jit import kernel
from ..core.layer import Layer, Parameter, expect_known


class Cache(NamedTuple):
    """mean and s (T, B) in float64; steps (B,): lengths."""
    x: np.ndarray
    mean: np.ndarray
    s: np.ndarray
    gamma: np.ndarray
    steps: np.ndarray


def layernorm_forward(x, gamma, beta, *, lengths=None, eps=1e-5):
    """x (T, B, N), gamma (N,), beta (N,)  ->  y (T, B, N), cache.

    lengths   (B,) integers in 1..T: later steps of a sequence are not read, and give y = 0

    float32 or float64, the same for all arrays. Raises TypeError or ValueError naming the array.

    >>> y, cache = layernorm_forward(np.array([[[1.0, 3.0]]]), np.ones(2), np.zeros(2), eps=0.0)
    >>> y.tolist()
    [[[-1.0, 1.0]]]
    """
    like = ("x", x, "TBN")
    expect(*like)
    expect("gamma", gamma, "N", like)
    expect("beta", beta, "N", like)
    expect_number("eps", eps, 0)
    T, B, _ = x.shape
    steps = expect_lengths(lengths, T, B)
    y, (mean, s) = np.zeros_like(x), np.zeros((2, T, B))
    normalise(x, gamma, beta, steps, eps, mean, s, y)
    return y, Cache(x, mean, s, gamma, steps)


def layernorm_backward(dy, cache):
    """dy (T, B, N), cache of the forward pass  ->  dx (T, B, N), dgamma (N,), dbeta (N,)."""
    x, mean, s, gamma, steps = cache
    expect("dy", dy, "TBN", like=("x", x, "TBN"))
    dx, (dgamma, dbeta) = np.zeros_like(x), np.zeros((2, gamma.size))
    spread(dy, x, mean, s, gamma, steps, dgamma, dbeta, dx)
    return dx, dgamma.astype(gamma.dtype), dbeta.astype(gamma.dtype)


class LayerNorm(Layer):
    """y = gamma * (x - mean) / sqrt(var + eps) + beta over the channels. gamma starts at gain, beta at 0."""

    def __init__(self, channels, *, gain=1.0, eps=1e-5, dtype=np.float32):
        expect_count("channels", channels)
        expect_number("gain", gain, 0)
        self.eps = eps
        self.parameters = {"gamma": Parameter(np.full(channels, gain, dtype), "gain"),
                           "beta": Parameter(np.zeros(channels, dtype), "bias")}

    def forward(self, x, state=None, *, lengths=None, **unused):
        expect_known(unused)
        return layernorm_forward(x, self["gamma"], self["beta"], lengths=lengths, eps=self.eps)

    def backward(self, dy, cache, *, overwrite=False):
        dx, dgamma, dbeta = layernorm_backward(dy, cache)
        return dx, {"gamma": dgamma, "beta": dbeta}


# ---------------------------------------------------------------------------------------------------------
# Kernels; sums are in float64.

@kernel
def normalise(x, gamma, beta, steps, eps, mean, s, y):
    T, B, N = x.shape
    for t in range(T):
        for b in range(B):
            if t < steps[b]:
                first, second = np.float64(0), np.float64(0)
                for n in range(N):
                    first += x[t, b, n]
                first /= N                                                                            # F1
                for n in range(N):
                    second += (x[t, b, n] - first)**2
                mean[t, b], s[t, b] = first, 1 / np.sqrt(second / N + eps)
                for n in range(N):
                    y[t, b, n] = gamma[n] * ((x[t, b, n] - first) * s[t, b]) + beta[n]                # F2, F3


@kernel
def spread(dy, x, mean, s, gamma, steps, dgamma, dbeta, dx):
    T, B, N = x.shape
    for t in range(T):
        for b in range(B):
            if t < steps[b]:
                total, product = np.float64(0), np.float64(0)
                for n in range(N):
                    xhat = (x[t, b, n] - mean[t, b]) * s[t, b]
                    dbeta[n] += dy[t, b, n]                                                           # B1
                    dgamma[n] += dy[t, b, n] * xhat
                    total += gamma[n] * dy[t, b, n]                                                   # B2
                    product += gamma[n] * dy[t, b, n] * xhat
                for n in range(N):
                    xhat = (x[t, b, n] - mean[t, b]) * s[t, b]
                    dx[t, b, n] = s[t, b] * (gamma[n] * dy[t, b, n] - total / N - xhat * product / N)   # B3
