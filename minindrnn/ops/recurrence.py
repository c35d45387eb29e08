"""The recurrence of IndRNN: every neuron remembers itself, and only itself.

Letters   T steps, B sequences, N neurons; arrays are time-major and C-contiguous
    a    (T, B, N)   input of the neurons, already projected (W x + b)
    u    (N,)        recurrent weights, one per neuron
    b    (N,)        bias, if a does not hold it yet
    h0   (B, N)      state before the first step, zero unless given
    h    (T, B, N)   activations

Forward   F1  z[t]  = a[t] + b + u * h[t-1]                 h[-1] = h0
          F2  h[t]  = act(z[t])
Backward  B0  dh[t] = p * dy[t] + q * h[t] + r            where h goes through an affine map that depends on all of h,
                                                            as in batch normalisation; else dh is given
          B1  dz[t] = (dh[t] + carry) * act'(z[t])          from F2; carry = 0 after the last step
          B2  carry = u * dz[t]                             from F1, argument h[t-1]
          B3  da[t] = dz[t]                                 from F1, argument a[t]
          B4  du    = sum over t and b of dz[t] * h[t-1]    from F1, argument u, shared by all t and b
          B5  dh0   = carry after t = 0
          B6  db    = sum over t and b of dz[t]             from F1, argument b

Cache: u, h0, h (and the lengths). z is not kept: act' follows from h.
Source: Li et al., arXiv 1803.04831, section 3; the backward recursion is derived here.
"""
from itertools import product

import numpy as np

from ..core.expect import expect, expect_choice, expect_lengths, expect_out
from ..core.jit import kernel, unfused
from ..core.memory_pool import empty_like
from .activations import IDENTITY, KIND, RELU, activate, differentiate


def indrnn_forward(a, u, h0=None, *, activation="relu", lengths=None, out=None, b=None):
    """a (T, B, N), u (N,), h0 (B, N) or zero  ->  h (T, B, N), cache.

    activation   "relu", "tanh", "sigmoid" or "identity"
    lengths      (B,) integers in 1..T: later steps of a sequence are not read, and give h = 0
    out          where to write h, an array with memory of its own; or `out=a`, which works in place and is the fastest
    b            (N,), added to a at every step on the way

    float32 or float64, the same for all arrays. Raises TypeError or ValueError naming the array.

    >>> a = np.array([1.0, 0.0, 0.0]).reshape(3, 1, 1)
    >>> h, cache = indrnn_forward(a, np.array([0.5]))
    >>> h.ravel().tolist()
    [1.0, 0.5, 0.25]
    """
    like = ("a", a, "TBN")
    expect(*like)
    T, B, N = a.shape
    h0 = np.zeros((B, N), a.dtype) if h0 is None else h0
    h = empty_like(a) if out is None else out
    expect("u", u, "N", like)
    expect("h0", h0, "BN", like)
    if b is not None:
        expect("b", b, "N", like)
    if out is not None:
        expect_out("out", out, "TBN", like, u=u, h0=h0, b=b)
    expect_choice("activation", activation, KIND)
    runs = equal_lengths(lengths, T, B)
    if h is not a:
        np.copyto(h, a)
    forward = FORWARD[activation, b is not None]
    for low, high, steps in runs:
        forward(h.reshape(T, -1), u, u if b is None else b, h0.reshape(-1), low * N, high * N, steps)
        h[steps:, low:high] = 0
    return h, (u, h0, h, activation, runs)


def indrnn_backward(dh, cache, *, out=None, db=None, pqr=None):
    """dh (T, B, N), cache of the forward pass  ->  da (T, B, N), du (N,), dh0 (B, N).

    out   where to write da, an array with memory of its own; or `out=dh`, which works in place
    db    (N,) float64: receives the gradient of b, the sum of da
    pqr   (3, B, N): p, q, r, if dh holds dy

    du is summed in float64, in a fixed order: it keeps its digits for any T and has the same bits every time.
    """
    u, h0, h, activation, runs = cache
    expect("dh", dh, "TBN", like=("h", h, "TBN"))
    da = empty_like(dh) if out is None else out
    T, B, N = h.shape
    dub, dh0 = np.zeros((2, B, N)), np.empty_like(h0)             # du and db of every column
    mapped = pqr is not None
    pqr = np.empty((3, B, N), dh.dtype) if pqr is None else pqr
    expect("pqr", pqr, "3BN", like=("h", h, "TBN"))
    if db is not None:
        expect_out("db", db, "N", like=("du", dub[0, 0], "N"))
    if out is not None:
        expect_out("out", out, "TBN", ("dh", dh, "TBN"), u=u, h0=h0, h=h, pqr=pqr, db=db)
    if da is not dh:
        np.copyto(da, dh)
    columns = da.reshape(T, -1), h.reshape(T, -1), u, h0.reshape(-1), dh0.reshape(-1), dub.reshape(2, -1)
    backward = BACKWARD[activation, db is not None, mapped, B * N * h.itemsize % PAGE > 0]
    for low, high, steps in runs:
        backward(*columns, pqr.reshape(3, -1), low * N, high * N, steps)
        da[steps:, low:high] = 0
    du, total = dub.sum(axis=1)
    if db is not None:
        db[...] = total                                                            # B6
    return da, du.astype(u.dtype), dh0


# ---------------------------------------------------------------------------------------------------------
# Kernels. A column is one neuron of one sequence; columns never interact, so B and N are one axis of B * N and SIMD
# runs across it. A block of columns goes through all of time before the next one; several steps are done per pass, so
# that u, the state and the sums are loaded once for all of them: four, but backward three where a row is a multiple of
# 4096 bytes, as nine such rows do not fit the eight ways of the L1 cache. All work is in place: h over a, da over dh.

BLOCK = 8192         # columns
PAGE = 4096          # bytes
TERMS = 384          # du: about so many terms of a column are added in the arrays' own type, then moved to float64


@kernel
def advance(kind, biased, h, s, n):
    """One step: the row h holds a[t] and receives h[t]; s[0] is u, s[1] is h[t-1], s[2] is b."""
    for k in range(n):
        a = h[k] + s[2, k] if biased else h[k]
        h[k] = s[1, k] = activate(kind, a + s[0, k] * s[1, k])                     # F1, F2


@kernel
def advance4(kind, biased, h, s, n):
    """Four steps: the rows h hold a[t] to a[t+3]. All is loaded before anything is stored: a store holds up loads
    from addresses 4096 bytes apart, which rows often are."""
    for k in range(n):
        u, before, a0, a1, a2, a3 = s[0, k], s[1, k], h[0][k], h[1][k], h[2][k], h[3][k]
        if biased:
            a0, a1, a2, a3 = a0 + s[2, k], a1 + s[2, k], a2 + s[2, k], a3 + s[2, k]
        h0 = activate(kind, a0 + u * before)                                       # F1, F2: four times
        h1 = activate(kind, a1 + u * h0)
        h2 = activate(kind, a2 + u * h1)
        h3 = activate(kind, a3 + u * h2)
        h[0][k], h[1][k], h[2][k], h[3][k], s[1, k] = h0, h1, h2, h3, h3


@unfused        # so that a carry is the same number whether it stays in the loop or leaves as dh0 at a cut
def retreat(kind, biased, mapped, dz, h, s, n):
    """One step: the row dz holds dh[t] and receives dz[t]; the rows h are h[t-1], h[t];
    s[0] is u, s[1] the carry, s[2] the sum for du, s[3] that for db, s[4] to s[6] are p, q, r."""
    for k in range(n):
        d = dz[k]
        if mapped:
            d = s[4, k] * d + s[5, k] * h[1][k] + s[6, k]                          # B0
        d = differentiate(kind, d + s[1, k], h[1][k])                              # B1
        s[1, k] = s[0, k] * d                                                      # B2
        s[2, k] += d * h[0][k]                                                     # B4
        if biased:
            s[3, k] += d                                                           # B6
        dz[k] = d                                                                  # B3


@unfused
def retreat3(kind, biased, mapped, dz, h, s, n):
    """Three steps: rows dz hold dh[t] to dh[t+2], rows h are h[t-1] to h[t+2]. Loads first, as above."""
    for k in range(n):
        u, carry, d0, d1, d2 = s[0, k], s[1, k], dz[0][k], dz[1][k], dz[2][k]
        h0, h1, h2, h3 = h[0][k], h[1][k], h[2][k], h[3][k]
        if mapped:
            p, q, r = s[4, k], s[5, k], s[6, k]
            d0, d1, d2 = p * d0 + q * h1 + r, p * d1 + q * h2 + r, p * d2 + q * h3 + r   # B0
        d2 = differentiate(kind, d2 + carry, h3)                                   # B1, B2: thrice
        d1 = differentiate(kind, d1 + u * d2, h2)
        d0 = differentiate(kind, d0 + u * d1, h1)
        s[1, k] = u * d0
        s[2, k] = s[2, k] + d2 * h2 + d1 * h1 + d0 * h0                            # B4
        if biased:
            s[3, k] = s[3, k] + d2 + d1 + d0                                       # B6
        dz[0][k], dz[1][k], dz[2][k] = d0, d1, d2                                  # B3


@unfused
def retreat4(kind, biased, mapped, dz, h, s, n):
    """Four steps, likewise."""
    for k in range(n):
        u, carry, d0, d1, d2, d3 = s[0, k], s[1, k], dz[0][k], dz[1][k], dz[2][k], dz[3][k]
        h0, h1, h2, h3, h4 = h[0][k], h[1][k], h[2][k], h[3][k], h[4][k]
        if mapped:
            p, q, r = s[4, k], s[5, k], s[6, k]
            d0, d1, d2, d3 = p * d0 + q * h1 + r, p * d1 + q * h2 + r, p * d2 + q * h3 + r, p * d3 + q * h4 + r   # B0
        d3 = differentiate(kind, d3 + carry, h4)                                   # B1, B2: four times
        d2 = differentiate(kind, d2 + u * d3, h3)
        d1 = differentiate(kind, d1 + u * d2, h2)
        d0 = differentiate(kind, d0 + u * d1, h1)
        s[1, k] = u * d0
        s[2, k] = s[2, k] + d3 * h3 + d2 * h2 + d1 * h1 + d0 * h0                  # B4
        if biased:
            s[3, k] = s[3, k] + d3 + d2 + d1 + d0                                  # B6
        dz[0][k], dz[1][k], dz[2][k], dz[3][k] = d0, d1, d2, d3                    # B3


@kernel
def scratch(rows, h):
    """An empty (rows, BLOCK + 32) that starts 512 bytes away, modulo 4096, from the columns of h,
    so that they and the rows of h do not compete for the same ways of the cache."""
    width = BLOCK + 32
    flat = np.empty(rows * width + 4096 // h.itemsize, h.dtype)
    start = (h.ctypes.data // 64 * 64 - flat.ctypes.data + 512) % 4096 // h.itemsize
    return flat[start:start + rows * width].reshape(rows, width)


@kernel
def tile(u, low, columns):
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


def _forward(kind, biased):
    cheap = kind == RELU or kind == IDENTITY      # three tanh in one pass would not vectorise

    @kernel
    def forward(h, u, b, h0, first, last, steps):
        s = scratch(3 if biased else 2, h)
        for low in range(first, last, BLOCK):
            high = min(low + BLOCK, last)
            n = high - low
            tile(u, low, s[0, :n])
            copy(h0[low:high], s[1, :n])
            if biased:
                tile(b, low, s[2, :n])
            t = 0
            while t < steps:
                if cheap and t + 4 <= steps:
                    rows = (h[t, low:high], h[t + 1, low:high], h[t + 2, low:high], h[t + 3, low:high])
                    advance4(kind, biased, rows, s, n)
                    t += 4
                else:
                    advance(kind, biased, h[t, low:high], s, n)
                    t += 1

    return forward


def _backward(kind, biased, mapped, four):
    @kernel
    def backward(da, h, u, h0, dh0, dub, pqr, first, last, steps):
        s = scratch(7 if mapped else 4 if biased else 3, h)
        for low in range(first, last, BLOCK):
            high = min(low + BLOCK, last)
            n = high - low
            tile(u, low, s[0, :n])
            s[1:4] = 0
            if mapped:
                for row in range(3):
                    copy(pqr[row, low:high], s[4 + row, :n])
            t, moved = steps, steps
            while t > 0:
                if four and t > 4:
                    t -= 4
                    retreat4(kind, biased, mapped,
                             (da[t, low:high], da[t + 1, low:high], da[t + 2, low:high], da[t + 3, low:high]),
                             (h[t - 1, low:high], h[t, low:high], h[t + 1, low:high], h[t + 2, low:high],
                              h[t + 3, low:high]), s, n)
                elif not four and t > 3:
                    t -= 3
                    retreat3(kind, biased, mapped, (da[t, low:high], da[t + 1, low:high], da[t + 2, low:high]),
                             (h[t - 1, low:high], h[t, low:high], h[t + 1, low:high], h[t + 2, low:high]), s, n)
                else:
                    t -= 1
                    before = h[t - 1, low:high] if t > 0 else h0[low:high]
                    retreat(kind, biased, mapped, da[t, low:high], (before, h[t, low:high]), s, n)
                if moved - t >= TERMS or t == 0:
                    move(s[2, :n], dub[0, low:high])
                    if biased:
                        move(s[3, :n], dub[1, low:high])
                    moved = t
            copy(s[1, :n], dh0[low:high])                                          # B5

    return backward


def equal_lengths(lengths, T, B):
    """[(first sequence, last sequence, steps)]: neighbours of equal length run together."""
    if lengths is None:
        return [(0, B, T)]
    lengths = expect_lengths(lengths, T, B)
    edges = [0, *(np.flatnonzero(np.diff(lengths)) + 1), B]
    return [(first, last, lengths[first]) for first, last in zip(edges, edges[1:])]


FORWARD = {(name, biased): _forward(kind, biased) for name, kind in KIND.items() for biased in (False, True)}
BACKWARD = {(name, *flags): _backward(kind, *flags) for name, kind in KIND.items()
            for flags in product((False, True), repeat=3)}            # biased, mapped, four
