"""How long a neuron remembers: the twin of `minindrnn.ops.bounds.penalty`. `optim.adam` keeps the bound itself.

    F1  loss = ||max(0, |u| - bound)||        B1  du = sign(u) max(0, |u| - bound) / loss
"""
import math

from numba import cuda

from minindrnn.core.expect import expect, expect_number

from .device import described, empty, launch_each
from .reduce import sums
from .scalars import ZERO


def penalty(u, bound, weight, loss, du):
    """Add weight times the penalty of u (N,) to loss (1,), and its gradient to du (N,)."""
    like = ("u", described(u), "N")
    expect(*like)
    expect("loss", described(loss), "1", like)
    expect("du", described(du), "N", like)
    expect_number("bound", bound, 0)
    square, (bound, weight) = empty(u.shape, u.dtype), map(u.dtype.type, (bound, weight))
    launch_each(squares, u.size, u, bound, square)
    launch_each(pull, u.size, u, bound, weight, sums(square, 1), loss, du)


@cuda.jit(device=True)
def excess(u, bound):
    return u - bound if u > bound else u + bound if u < -bound else ZERO


@cuda.jit
def squares(u, bound, square):
    n = cuda.grid(1)
    if n < u.size:
        square[n] = excess(u[n], bound) * excess(u[n], bound)


@cuda.jit
def pull(u, bound, weight, total, loss, du):
    n = cuda.grid(1)
    norm = math.sqrt(total[0])
    if n < u.size and norm > ZERO:
        du[n] += weight * excess(u[n], bound) / norm                             # B1
    if n == 0:
        loss[0] += weight * norm                                                 # F1
