"""The recurrence, fast: the equations of `recurrence`, from their obvious form to the one that runs.

    version 0   obvious: NumPy, one step of all columns at a time, in `recurrence`
            1   compiled, in place, one step a pass: `advance` and `retreat`. A block of columns runs through all steps
                before the next block, so that u, the state and the sums stay in the cache
            2   four steps a pass, `advance4` and `retreat4`: u, the state and the sums are loaded once for four steps
            3   in a pass all loads come before the first store: a store delays loads from addresses that are a
                multiple of 4096 bytes away, which rows often are
            4   du and db are added in the arrays' own type for some hundred steps, then moved to float64: they are
                accurate for any T

The gains differ between machines. `python -m minindrnn bench kernels` prints the speedup of version 1 over version 0
and of version 4 over version 1, and compares version 4 with its limit, the time that the memory takes for the same
streams: a and h forward, dh, h and da backward.

A column is one neuron of one sequence. Columns never interact, so B and N are one axis of B * N, and SIMD runs across
it. Forward, tanh and sigmoid take one step a pass, as four would not vectorise. In place means h over a, and da over
dh. For `networks.fused` a kernel can add a bias b and apply an affine map to dh; its docstring has F1, B0 and B6. Each
combination is a separate kernel, compiled at its first use, and contains nothing else.
"""
from functools import cache

import numpy as np

from ..core.jit import inlined, kernel, unfused
from .activations import IDENTITY, KIND, RELU, activate, differentiate

BLOCK = 8192         # columns
TERMS = 384          # du: so many terms of a column, roughly, are added in the arrays' own type, then in float64

# The rows of the scratch memory s, with a number for each column of the block.
U, STATE, BIAS = range(3)                      # forward: u, h[t-1], b
U, CARRY, DU, DB, P, Q, MEAN, R = range(8)     # backward: u, the carry, the sums for du and db, the map p, q, m, r


# One step.

@inlined
def advance(kind, biased, h, s, n):
    """The row h holds a[t] and receives h[t]."""
    for k in range(n):
        a = h[k] + s[BIAS, k] if biased else h[k]
        h[k] = s[STATE, k] = activate(kind, a + s[U, k] * s[STATE, k])             # F1, F2


@inlined
def retreat(kind, biased, mapped, dz, h, s, n):
    """The row dz holds dh[t] and receives dz[t]; the rows h are h[t-1], h[t]."""
    for k in range(n):
        d = dz[k]
        if mapped:
            d = s[P, k] * d + s[Q, k] * (h[1][k] - s[MEAN, k]) + s[R, k]       # B0
        d = differentiate(kind, d + s[CARRY, k], h[1][k])                          # B1
        s[CARRY, k] = s[U, k] * d                                                  # B2
        s[DU, k] += d * h[0][k]                                                    # B4
        if biased:
            s[DB, k] += d                                                          # B6
        dz[k] = d                                                                  # B3


# Four steps.

@inlined
def advance4(kind, biased, h, s, n):
    """The rows h hold a[t] to a[t+3] and receive h[t] to h[t+3]."""
    for k in range(n):
        u, before, a0, a1, a2, a3 = s[U, k], s[STATE, k], h[0][k], h[1][k], h[2][k], h[3][k]
        if biased:
            b = s[BIAS, k]
            a0, a1, a2, a3 = a0 + b, a1 + b, a2 + b, a3 + b
        h0 = activate(kind, a0 + u * before)                                       # F1, F2: four times
        h1 = activate(kind, a1 + u * h0)
        h2 = activate(kind, a2 + u * h1)
        h3 = activate(kind, a3 + u * h2)
        h[0][k], h[1][k], h[2][k], h[3][k], s[STATE, k] = h0, h1, h2, h3, h3


@inlined
def retreat4(kind, biased, mapped, dz, h, s, n):
    """The rows dz hold dh[t] to dh[t+3] and receive dz[t] to dz[t+3]; the rows h are h[t-1] to h[t+3]."""
    for k in range(n):
        u, carry, d0, d1, d2, d3 = s[U, k], s[CARRY, k], dz[0][k], dz[1][k], dz[2][k], dz[3][k]
        h0, h1, h2, h3, h4 = h[0][k], h[1][k], h[2][k], h[3][k], h[4][k]
        if mapped:
            p, q, m, r = s[P, k], s[Q, k], s[MEAN, k], s[R, k]
            d0, d1 = p * d0 + q * (h1 - m) + r, p * d1 + q * (h2 - m) + r          # B0
            d2, d3 = p * d2 + q * (h3 - m) + r, p * d3 + q * (h4 - m) + r
        d3 = differentiate(kind, d3 + carry, h4)                                   # B1, B2: four times
        d2 = differentiate(kind, d2 + u * d3, h3)
        d1 = differentiate(kind, d1 + u * d2, h2)
        d0 = differentiate(kind, d0 + u * d1, h1)
        s[CARRY, k] = u * d0
        s[DU, k] = s[DU, k] + d3 * h3 + d2 * h2 + d1 * h1 + d0 * h0                # B4
        if biased:
            s[DB, k] = s[DB, k] + d3 + d2 + d1 + d0                                # B6
        dz[0][k], dz[1][k], dz[2][k], dz[3][k] = d0, d1, d2, d3                    # B3


# ---------------------------------------------------------------------------------------------------------
# All steps of the columns from first to last, block after block.

@cache
def forward_kernel(activation, *, biased=False, four=True):
    """The kernel for this activation, with or without a bias; four=False: version 1."""
    kind = KIND[activation]
    four = four and (kind == RELU or kind == IDENTITY)

    @kernel
    def forward(h, s, u, b, h0, first, last, steps):
        for low in range(first, last, BLOCK):
            high = min(low + BLOCK, last)
            n = high - low
            tile(u, low, s[U, :n])
            copy(h0[low:high], s[STATE, :n])
            if biased:
                tile(b, low, s[BIAS, :n])
            t = 0
            while t < steps:
                if four and t + 4 <= steps:
                    rows = (h[t, low:high], h[t + 1, low:high], h[t + 2, low:high], h[t + 3, low:high])
                    advance4(kind, biased, rows, s, n)
                    t += 4
                else:
                    advance(kind, biased, h[t, low:high], s, n)
                    t += 1

    return forward


@cache
def backward_kernel(activation, *, biased=False, mapped=False, four=True):
    """The kernel for this activation, with or without a bias and a map; four=False: version 1."""
    kind = KIND[activation]

    @unfused        # so that a carry is the same number whether it stays in the loop or leaves as dh0 at a cut
    def backward(da, h, s, u, h0, dh0, dub, pqmr, first, last, steps):
        for low in range(first, last, BLOCK):
            high = min(low + BLOCK, last)
            n = high - low
            tile(u, low, s[U, :n])
            s[CARRY:DB + 1] = 0
            if mapped:
                for row in range(4):
                    copy(pqmr[row, low:high], s[P + row, :n])
            t, moved = steps, steps
            while t > 0:
                if four and t > 4:
                    t -= 4
                    retreat4(kind, biased, mapped,
                             (da[t, low:high], da[t + 1, low:high], da[t + 2, low:high], da[t + 3, low:high]),
                             (h[t - 1, low:high], h[t, low:high], h[t + 1, low:high], h[t + 2, low:high],
                              h[t + 3, low:high]), s, n)
                else:
                    t -= 1
                    before = h[t - 1, low:high] if t > 0 else h0[low:high]
                    retreat(kind, biased, mapped, da[t, low:high], (before, h[t, low:high]), s, n)
                if moved - t >= TERMS or t == 0:
                    move(s[DU, :n], dub[0, low:high])
                    if biased:
                        move(s[DB, :n], dub[1, low:high])
                    moved = t
            copy(s[CARRY, :n], dh0[low:high])                                      # B5

    return backward


def scratch(rows, h):
    """An empty array (rows, BLOCK + 32) that starts 512 bytes away, modulo 4096, from the columns of h,
    so that its rows and the rows of h do not compete for the same ways of the cache."""
    width = BLOCK + 32
    flat = np.empty(rows * width + 4096 // h.itemsize, h.dtype)
    start = (h.ctypes.data // 64 * 64 - flat.ctypes.data + 512) % 4096 // h.itemsize
    return flat[start:start + rows * width].reshape(rows, width)


@kernel
def tile(u, low, columns):
    """Give every column the u of its neuron."""
    n = low % u.size
    for k in range(columns.size):
        columns[k] = u[n]
        n = n + 1 if n + 1 < u.size else 0


@kernel
def move(part, total):
    for k in range(part.size):
        total[k] += part[k]
        part[k] = 0


@kernel
def copy(source, target):
    for k in range(source.size):
        target[k] = source[k]


# ---------------------------------------------------------------------------------------------------------
# All sequences. The callers have checked the arrays.

def forward_in_place(u, h0, h, activation, lengths, *, b=None):
    """h (T, B, N) holds a and receives h; b (N,) is added to a. Letters and order of `recurrence.Cache`."""
    T, B, N = h.shape
    forward = forward_kernel(activation, biased=b is not None)
    s = scratch(STATE + 1 if b is None else BIAS + 1, h)
    for low, high, steps in equal_lengths(lengths, T, B):
        forward(h.reshape(T, -1), s, u, u if b is None else b, h0.reshape(-1), low * N, high * N, steps)
        h[steps:, low:high] = 0


def step_in_place(u, h0, h, activation, *, b=None):
    """One step of all sequences: h (B, N) holds a[t] and receives h[t]; h0 (B, N) is h[t-1]."""
    forward = forward_kernel(activation, biased=b is not None)
    s = np.empty((BIAS + 1, min(h.size, BLOCK)), h.dtype)
    forward(h.reshape(1, -1), s, u, u if b is None else b, h0.reshape(-1), 0, h.size, 1)


def backward_in_place(da, u, h0, h, activation, lengths, *, biased=False, pqmr=None):
    """da (T, B, N) holds dh and receives da  ->  du (N,), dh0 (B, N), db (N,), which is 0 unless biased.

    pqmr   (4, B, N), the map: da holds dy, and dh = p * dy + q * (h - m) + r
    """
    T, B, N = h.shape
    dub, dh0 = np.zeros((2, B, N)), np.empty_like(h0)              # du and db of every column
    mapped = pqmr is not None
    pqmr = pqmr.reshape(4, -1) if mapped else np.empty((4, 0), h.dtype)
    s = scratch(R + 1 if mapped else DB + 1, h)
    columns = da.reshape(T, -1), h.reshape(T, -1), s, u, h0.reshape(-1), dh0.reshape(-1), dub.reshape(2, -1), pqmr
    backward = backward_kernel(activation, biased=biased, mapped=mapped)
    for low, high, steps in equal_lengths(lengths, T, B):
        backward(*columns, low * N, high * N, steps)
        da[steps:, low:high] = 0
    du, db = dub.sum(axis=1).astype(u.dtype)
    return du, dh0, db


def equal_lengths(lengths, T, B):
    """[(first sequence, last sequence, steps)]: adjacent sequences of equal length run together."""
    if lengths is None:
        return [(0, B, T)]
    edges = [0, *(np.flatnonzero(np.diff(lengths)) + 1), B]
    return [(first, last, lengths[first]) for first, last in zip(edges, edges[1:])]
