"""The twin of `minindrnn.core.padding`: zeros from each sequence's end on."""
from numba import cuda, uint64

from .device import column, empty, flat, launch_columns, steps_of
from .scalars import ZERO


def without_padding(x, lengths):
    """x (T, B, M) with zeros from each sequence's end on, a copy; x itself if lengths is None."""
    if lengths is None:
        return x
    T, B, M = x.shape
    y = empty((T, B, M), x.dtype)
    launch_columns(second, y.shape, flat(x), 0, M, steps_of(lengths, T, B, x), flat(y))
    return y


@cuda.jit
def second(z, M, K, steps, y):
    """The y of z = [x, y], with M and K channels."""
    c, first, last = column(cuda.grid(1), steps.size * K, y.size)
    b, n = c // K, c % K
    for t in range(first, last):
        row = uint64(t) * uint64(steps.size) + uint64(b)
        y[row * uint64(K) + uint64(n)] = z[row * uint64(M + K) + uint64(M + n)] if t < steps[b] else ZERO
