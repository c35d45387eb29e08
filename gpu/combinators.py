"""Layers made of layers: the twins of those in `minindrnn.networks.combinators`. Both use the same `Chain`.

    Residual      y = x + F(x)                   dx = dy + F'(dy)
    Concatenate   y = [x, F(x)], channels        dx = dy[:M] + F'(dy[M:])
    AtLastStep    y = F(x[last step])            dx is zero at every other step
"""
from numba import cuda, uint64

from minindrnn.core.expect import expect
from minindrnn.networks import combinators
from minindrnn.networks.combinators import Around

from .device import column, described, empty, flat, launch_columns, launch_each, steps_of
from .padding import second
from .scalars import ZERO


class Residual(Around):
    """y = x + F(x); F keeps the shape of x."""

    Cache = combinators.Residual.Cache

    def forward(self, x, state=None, *, lengths=None, **how):
        y, of_layer = self.layer.forward(x, state, lengths=lengths, **how)
        if y.shape != x.shape:
            raise ValueError(f"Residual: expected a layer that keeps the shape {x.shape}, got {y.shape}")
        return total(x, y, lengths), self.Cache(of_layer, lengths)

    def backward(self, dy, cache, *, overwrite=False):
        of_layer, lengths = cache
        dx, grads = self.layer.backward(dy, of_layer)
        return total(dy, dx, lengths), grads


class Concatenate(Around):
    """y = [x, F(x)]: the channels of F(x) behind those of x."""

    Cache = combinators.Concatenate.Cache

    def forward(self, x, state=None, *, lengths=None, **how):
        expect("x", described(x), "TBM")
        y, of_layer = self.layer.forward(x, state, lengths=lengths, **how)
        (T, B, M), K = x.shape, y.shape[2]
        both = empty((T, B, M + K), x.dtype)
        launch_columns(join, both.shape, flat(x), flat(y), M, K, steps_of(lengths, T, B, x), flat(both))
        return both, self.Cache(of_layer, M, lengths)

    def backward(self, dy, cache, *, overwrite=False):
        of_layer, M, lengths = cache
        expect("dy", described(dy), "TBZ")
        T, B, both = dy.shape
        if both <= M:
            raise ValueError(f"dy: expected more than {M} channels, got shape {dy.shape}")
        behind = empty((T, B, both - M), dy.dtype)
        launch_columns(second, behind.shape, flat(dy), M, both - M, steps_of(None, T, B, dy), flat(behind))
        dx, grads = self.layer.backward(behind, of_layer)
        return total(dy, dx, lengths), grads


class AtLastStep(Around):
    """Apply a stateless layer to each sequence's last step only: x (T, B, N)  ->  y (B, K)."""

    Cache = combinators.AtLastStep.Cache

    def forward(self, x, state=None, *, lengths=None, **how):
        expect("x", described(x), "TBN")
        T, B, N = x.shape
        steps, last = steps_of(lengths, T, B, x), empty((1, B, N), x.dtype)
        launch_each(pick, B * N, flat(x), N, steps, flat(last))
        y, of_layer = self.layer.forward(last, **how)
        return y.reshape(B, y.shape[2]), self.Cache(of_layer, steps, x.shape)

    def backward(self, dy, cache, *, overwrite=False):
        of_layer, steps, (T, B, N) = cache
        expect("dy", described(dy), "BK")
        dlast, grads = self.layer.backward(dy.reshape(1, *dy.shape), of_layer)
        dx = empty((T, B, N), dy.dtype)
        launch_columns(place, dx.shape, flat(dlast), N, steps, flat(dx))
        return dx, grads


def total(x, y, lengths):
    """The first N channels of x (T, B, N or more) and y (T, B, N)  ->  x + y, without padding."""
    T, B, N = y.shape
    z = empty((T, B, N), y.dtype)
    launch_columns(plus, z.shape, flat(x), x.shape[2], flat(y), N, steps_of(lengths, T, B, y), flat(z))
    return z


# ---------------------------------------------------------------------------------------------------------
# Kernels. Arrays are flat, a row is one step of one sequence; K, M, N are the numbers of channels.

@cuda.jit
def plus(x, K, y, N, steps, z):
    """z = x + y, with the first N of the K channels in a row of x."""
    c, first, last = column(cuda.grid(1), steps.size * N, z.size)
    b, n = c // N, c % N
    for t in range(first, last):
        row = uint64(t) * uint64(steps.size) + uint64(b)
        p = row * uint64(N) + uint64(n)
        z[p] = x[row * uint64(K) + uint64(n)] + y[p] if t < steps[b] else ZERO


@cuda.jit
def join(x, y, M, K, steps, z):
    """z = [x, y], M and K channels."""
    c, first, last = column(cuda.grid(1), steps.size * (M + K), z.size)
    b, n = c // (M + K), c % (M + K)
    for t in range(first, last):
        row = uint64(t) * uint64(steps.size) + uint64(b)
        p = row * uint64(M + K) + uint64(n)
        if t >= steps[b]:
            z[p] = ZERO
        elif n < M:
            z[p] = x[row * uint64(M) + uint64(n)]
        else:
            z[p] = y[row * uint64(K) + uint64(n - M)]


@cuda.jit
def pick(x, N, steps, y):
    """y[b] = x[last step of b, b]"""
    i = cuda.grid(1)
    if i < y.size:
        b = i // N
        y[i] = x[uint64(steps[b] - 1) * uint64(y.size) + uint64(i)]


@cuda.jit
def place(y, N, steps, x):
    """x[last step of b, b] = y[b]; zero elsewhere."""
    c, first, last = column(cuda.grid(1), y.size, x.size)
    for t in range(first, last):
        x[uint64(t) * uint64(y.size) + uint64(c)] = y[c] if t == steps[c // N] - 1 else ZERO
