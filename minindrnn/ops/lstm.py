"""The LSTM, a baseline: three gates keep, write and read a cell.

Letters   T steps, B sequences, N neurons; i, f, g, o are the quarters of an axis of 4 N, in this order
    a    (T, B, 4 N)   input of gates and candidate, already projected (W x + b)
    U    (4 N, N)      recurrent weights
    s0   (2, B, N)     state before the first step, h[-1] and c[-1], zero unless given
    h, c (T, B, N)     output and cell

Forward   F1  z[t] = a[t] + U h[t-1]                        in quarters zi, zf, zg, zo
          F2  i, f, o = sigmoid(zi, zf, zo)    g = tanh(zg)
          F3  c[t] = f * c[t-1] + i * g
          F4  h[t] = o * tanh(c[t])
Backward  B1  dh   = dh[t] + carry_h                        carries are 0 after the last step
          B2  dc   = dh * o * (1 - tanh(c[t])^2) + carry_c  from F4 and, at the next step, F3
          B3  do   = dh * tanh(c[t])                        from F4
          B4  di, df, dg = dc * g, dc * c[t-1], dc * i      from F3
          B5  dz   = di i (1 - i), df f (1 - f), dg (1 - g^2), do o (1 - o)     from F2
          B6  carry_c = dc * f         carry_h = U' dz      from F3 and F1
          B7  da[t]   = dz             dU = sum over t and b of dz[t] h[t-1]'
          B8  ds0  = the carries after t = 0

Cache: U, s0, gates, h, c (and the lengths). No peepholes.
Source: Hochreiter and Schmidhuber, Neural Computation 9(8), 1997; forget gate: Gers et al., 2000.
"""
from typing import NamedTuple

import numpy as np

from ..core.expect import expect
from ..core.jit import kernel
from ..core.memory_pool import empty
from ..core.padding import last_step, without_padding
from .activations import ONE, SIGMOID, TANH, activate
from .linear import products
from .rnn import RNN, expect_gates


class Cache(NamedTuple):
    """gates (T, B, 4 N): i, f, g, o of every step."""
    U: np.ndarray
    s0: np.ndarray
    gates: np.ndarray
    h: np.ndarray
    c: np.ndarray
    lengths: np.ndarray | None


def lstm_forward(a, U, s0=None, *, lengths=None):
    """a (T, B, 4 N), U (4 N, N), s0 (2, B, N) or zero  ->  h (T, B, N), cache.

    lengths   (B,) integers in 1..T: later steps of a sequence are not read, and give h = 0

    float32 or float64, the same for all arrays. Raises TypeError or ValueError naming the array.

    >>> h, cache = lstm_forward(np.full((2, 1, 4), 100.0), np.zeros((4, 1)))
    >>> h.ravel().round(4).tolist(), np.tanh([1, 2]).round(4).tolist()
    ([0.7616, 0.964], [0.7616, 0.964])
    """
    T, B, N = expect_gates(4, a, U)
    s0 = np.zeros((2, B, N), a.dtype) if s0 is None else s0
    expect("s0", s0, "2BN", like=("h", np.empty((T, B, N), a.dtype), "TBN"))
    a, gates = without_padding(a, lengths), empty(a.shape, a.dtype)
    h, c = empty((2, T, B, N), a.dtype)
    (before, cell), product = s0, np.empty((B, 4 * N), a.dtype)
    for t in range(T):
        np.matmul(before, U.T, out=product)                                            # F1
        advance(a[t], product, cell, gates[t], c[t], h[t])                             # F1 to F4
        before, cell = h[t], c[t]
    h, c = (without_padding(state, lengths, overwrite=True) for state in (h, c))
    return h, Cache(U, s0, gates, h, c, lengths)


def lstm_backward(dh, cache):
    """dh (T, B, N), cache of the forward pass  ->  da (T, B, 4 N), dU (4 N, N), ds0 (2, B, N)."""
    U, s0, gates, h, c, lengths = cache
    expect("dh", dh, "TBN", like=("h", h, "TBN"))
    T, B, N = h.shape
    dh, da, ds0 = without_padding(dh, lengths), empty(gates.shape, gates.dtype), np.zeros_like(s0)
    carry_h, carry_c = ds0                                                             # B8: their last values
    for t in reversed(range(T)):
        retreat(dh[t], gates[t], c[t - 1] if t else s0[1], c[t], carry_h, carry_c, da[t])   # B1 to B6
        np.matmul(da[t], U, out=carry_h)                                               # B6
    dU = products(da[1:].reshape(-1, 4 * N), h[:-1].reshape(-1, N)) + products(da[0], s0[0])   # B7
    return da, dU.astype(U.dtype), ds0


class LSTM(RNN):
    """x (T, B, inputs)  ->  h (T, B, neurons), with the gates i, f, g, o; the bias of f starts at 1, to keep c.

    Options as for `RNN`, without activation. Parameters W (4 neurons, inputs), b (4 neurons,), U (4 neurons,
    neurons). The state is h and c, (2, B, neurons).
    """

    gates, forward_pass, backward_pass = 4, staticmethod(lstm_forward), staticmethod(lstm_backward)

    def __init__(self, inputs, neurons, rng, **options):
        super().__init__(inputs, neurons, rng, **options)
        self["b"][neurons:2 * neurons] = 1

    def last_state(self, cache):
        h, c, lengths = cache.of_recurrence.h, cache.of_recurrence.c, cache.of_recurrence.lengths
        return np.stack([last_step(h, lengths), last_step(c, lengths)])


# ---------------------------------------------------------------------------------------------------------
# Kernels: one step, all sequences. The loops are short, since loops over many arrays would not vectorise.

@kernel
def advance(a, product, before, gates, c, h):
    """a, product, gates (B, 4 N): gates receives i, f, g, o; before is c[t-1]."""
    B, N = c.shape
    for b in range(B):
        for k in range(2 * N):
            gates[b, k] = activate(SIGMOID, a[b, k] + product[b, k])                   # F1, F2: i, f
        for n in range(N):
            gates[b, 2 * N + n] = activate(TANH, a[b, 2 * N + n] + product[b, 2 * N + n])      # g
        for n in range(N):
            gates[b, 3 * N + n] = activate(SIGMOID, a[b, 3 * N + n] + product[b, 3 * N + n])   # o
        for n in range(N):
            c[b, n] = gates[b, N + n] * before[b, n] + gates[b, n] * gates[b, 2 * N + n]       # F3
        for n in range(N):
            h[b, n] = gates[b, 3 * N + n] * activate(TANH, c[b, n])                    # F4


@kernel
def retreat(dh, gates, before, c, carry_h, carry_c, dz):
    """dz (B, 4 N) receives the gradients of zi, zf, zg, zo; carry_h becomes dh, carry_c goes one step back."""
    B, N = c.shape
    for b in range(B):
        for n in range(N):
            carry_h[b, n] += dh[b, n]                                                  # B1
        for n in range(N):
            o, r = gates[b, 3 * N + n], activate(TANH, c[b, n])
            carry_c[b, n] += carry_h[b, n] * o * (ONE - r * r)                         # B2: now dc
            dz[b, 3 * N + n] = carry_h[b, n] * r * (o * (ONE - o))                     # B3, B5
        for n in range(N):
            i, g = gates[b, n], gates[b, 2 * N + n]
            dz[b, n] = carry_c[b, n] * g * (i * (ONE - i))                             # B4, B5
            dz[b, 2 * N + n] = carry_c[b, n] * i * (ONE - g * g)
        for n in range(N):
            f = gates[b, N + n]
            dz[b, N + n] = carry_c[b, n] * before[b, n] * (f * (ONE - f))
            carry_c[b, n] *= f                                                         # B6
