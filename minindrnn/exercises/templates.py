"""The starting point of a learner: for each exercise the functions to write, with shapes and forward equations only,
and the given functions.

`python -m minindrnn exercise NAME` prints them from the source of this file, and `checker` checks the completed
ones. Plain NumPy, float32 or float64, without options; results have the dtype of what comes in. Equations are those
of the files with the same functions in full: recurrence, linear, batchnorm, losses, rnn, lstm, memory, blocks.
"""
import numpy as np


def indrnn_forward(a, u, h0):
    """Given: a (T, B, N), u (N,), h0 (B, N)  ->  h (T, B, N), cache.

    F1  z[t] = a[t] + u * h[t-1]      h[-1] = h0
    F2  h[t] = max(z[t], 0)
    """
    h, before = np.empty_like(a), h0
    for t in range(len(a)):
        h[t] = np.maximum(a[t] + u * before, 0)
        before = h[t]
    return h, (u, h0, h)


def indrnn_backward(dh, cache):
    """dh (T, B, N), cache of the forward pass  ->  da (T, B, N), du (N,), dh0 (B, N).

    dh[t] is what h[t] does to the loss from outside; h[t] also acts on h[t+1]. At the kink, relu'(0) = 0.
    """
    u, h0, h = cache
    raise NotImplementedError


def linear_forward(x, W, b):
    """x (T, B, M), W (N, M), b (N,)  ->  y (T, B, N).

    F1  y[t] = W x[t] + b
    """
    raise NotImplementedError


def linear_backward(dy, cache):
    """dy (T, B, N), cache  ->  dx (T, B, M), dW (N, M), db (N,)."""
    x, W = cache
    raise NotImplementedError


def batchnorm_forward(x, gamma, beta, eps):
    """x (T, B, N), gamma (N,), beta (N,), eps a number  ->  y (T, B, N).

    Over time: one group of T * B values for each channel n.
    F1  mean = sum of x / count               over t and b
    F2  var  = sum of (x - mean)^2 / count
    F3  xhat = (x - mean) s                   s = 1 / sqrt(var + eps)
    F4  y    = gamma * xhat + beta
    """
    raise NotImplementedError


def batchnorm_backward(dy, cache):
    """dy (T, B, N), cache of xhat (T, B, N), s (N,), gamma (N,)  ->  dx (T, B, N), dgamma (N,), dbeta (N,).

    mean and var depend on x.
    """
    xhat, s, gamma = cache
    raise NotImplementedError


def cross_entropy(y, target):
    """y (B, K), target (B,) integers in 0..K-1  ->  loss (a number), dy (B, K).

    F2  loss = mean over b of  log(sum over k of exp(y[b, k])) - y[b, target[b]]

    y may be as large as 1000, where exp(y) is infinite.
    """
    raise NotImplementedError


def rnn_forward(a, U, h0):
    """Given: a (T, B, N), U (N, N), h0 (B, N)  ->  h (T, B, N), cache.

    F1  z[t] = a[t] + U h[t-1]        h[-1] = h0
    F2  h[t] = tanh(z[t])
    """
    h, before = np.empty_like(a), h0
    for t in range(len(a)):
        h[t] = np.tanh(a[t] + before @ U.T)
        before = h[t]
    return h, (U, h0, h)


def rnn_backward(dh, cache):
    """dh (T, B, N), cache of the forward pass  ->  da (T, B, N), dU (N, N), dh0 (B, N)."""
    U, h0, h = cache
    raise NotImplementedError


def lstm_forward(a, U, s0):
    """Given: a (T, B, 4 N), U (4 N, N), s0 (2, B, N)  ->  h (T, B, N), cache.

    s0 is h[-1] and c[-1]; i, f, g, o are the quarters of the axis of 4 N, in this order.
    F1  z[t] = a[t] + U h[t-1]
    F2  i, f, o = sigmoid(zi, zf, zo)    g = tanh(zg)
    F3  c[t] = f * c[t-1] + i * g
    F4  h[t] = o * tanh(c[t])
    """
    T, B, N = len(a), a.shape[1], U.shape[1]
    gates, (h, c), (before, cell) = np.empty_like(a), np.empty((2, T, B, N), a.dtype), s0
    for t in range(T):
        z = a[t] + before @ U.T
        gates[t] = 1 / (1 + np.exp(-z))
        gates[t, :, 2 * N:3 * N] = np.tanh(z[:, 2 * N:3 * N])
        i, f, g, o = np.split(gates[t], 4, axis=1)
        c[t] = f * cell + i * g
        h[t] = o * np.tanh(c[t])
        before, cell = h[t], c[t]
    return h, (U, s0, gates, h, c)


def lstm_backward(dh, cache):
    """dh (T, B, N), cache of the forward pass  ->  da (T, B, 4 N), dU (4 N, N), ds0 (2, B, N).

    gates (T, B, 4 N) holds i, f, g, o. Two things are carried from step to step: what h[t-1] and what c[t-1] do.
    """
    U, s0, gates, h, c = cache
    raise NotImplementedError


def largest(T, gamma):
    """The largest |u| with |u|^T <= gamma, a number: over T steps nothing grows by more than gamma."""
    raise NotImplementedError


def project(u, bound):
    """u (N,), bound a number  ->  the nearest vector (N,) whose elements are all within -bound and bound."""
    raise NotImplementedError


def half_life(u):
    """u (N,)  ->  t (N,): after how many steps half is left, |u|^t = 1/2; 0 for u = 0, infinite from |u| = 1 on."""
    raise NotImplementedError


def residual_forward(x, F):
    """x (T, B, N), F a layer's forward pass, x -> F(x) (T, B, N)  ->  y (T, B, N).

    F1  y = x + F(x)
    """
    raise NotImplementedError


def residual_backward(dy, F_backward):
    """dy (T, B, N), F_backward the layer's backward pass, dy of F -> dx of F (T, B, N)  ->  dx (T, B, N)."""
    raise NotImplementedError


def concatenate_forward(x, F):
    """x (T, B, M), F a layer's forward pass, x -> F(x) (T, B, N)  ->  y (T, B, M + N).

    F2  y = [x, F(x)]       the channels of F(x) behind those of x
    """
    raise NotImplementedError


def concatenate_backward(dy, M, F_backward):
    """dy (T, B, M + N), M the number of channels of x, F_backward as above  ->  dx (T, B, M)."""
    raise NotImplementedError
