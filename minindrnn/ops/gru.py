"""The GRU, a baseline: one gate controls how much of the state is replaced, one how much of it the candidate sees.

Letters   T steps, B sequences, N neurons; r, z, n are the thirds of an axis of 3 N, in this order
    a    (T, B, 3 N)   input of gates and candidate, already projected (W x + b)
    U    (3 N, N)      recurrent weights
    h0   (B, N)        state before the first step, zero unless given
    b_hn (N,)          bias of the candidate's recurrent term, zero unless given
    h    (T, B, N)     output

Forward   F1  p[t] = U h[t-1] + (0, 0, b_hn)                in thirds pr, pz, pn, as a is
          F2  r, z = sigmoid(ar + pr, az + pz)    n = tanh(an + r * pn)
          F3  h[t] = n + z * (h[t-1] - n)
Backward  B1  dh   = dh[t] + carry                          carry = 0 after the last step
          B2  dn   = dh (1 - z) (1 - n^2)    dz = dh (h[t-1] - n) z (1 - z)      from F3 and F2, as sums
          B3  dr   = dn pn r (1 - r)                        from F2
          B4  da[t] = dr, dz, dn       dp = dr, dz, dn * r  from F2
          B5  carry = dh * z + U' dp                        from F3 and F1, argument h[t-1]
          B6  dU   = sum over t and b of dp h[t-1]'
          B7  dh0  = carry after t = 0
          B8  db_hn = sum over t and b of the last third of dp      from F1, argument b_hn

r comes after the product with U, not before it, so one product a step is enough. So r also multiplies b_hn, which
cannot be part of the bias in a, unlike the biases of r and z.
Cache: U, h0, gates, pn, h (and the lengths). Source: Cho et al., arXiv 1406.1078; b_hn and the place of r as in cuDNN
and PyTorch.
"""
from typing import NamedTuple

import numpy as np

from ..core.expect import expect
from ..core.jit import kernel
from ..core.layer import Parameter
from ..core.memory_pool import empty
from ..core.padding import without_padding
from .activations import ONE, SIGMOID, TANH, activate
from .linear import products
from .rnn import RNN, expect_gates


class Cache(NamedTuple):
    """gates (T, B, 3 N): r, z, n of every step; pn (T, B, N): the last third of F1."""
    U: np.ndarray
    h0: np.ndarray
    gates: np.ndarray
    pn: np.ndarray
    h: np.ndarray
    lengths: np.ndarray | None


def gru_forward(a, U, h0=None, b_hn=None, *, lengths=None):
    """a (T, B, 3 N), U (3 N, N), h0 (B, N) or zero, b_hn (N,) or zero  ->  h (T, B, N), cache.

    lengths   (B,) integers in 1..T: later steps of a sequence are not read, and give h = 0

    float32 or float64, the same for all arrays. Raises TypeError or ValueError naming the array.

    >>> h, cache = gru_forward(np.zeros((2, 1, 3)), np.zeros((3, 1)), np.ones((1, 1)))
    >>> h.ravel().tolist()
    [0.5, 0.25]
    """
    T, B, N = expect_gates(3, a, U)
    h0 = np.zeros((B, N), a.dtype) if h0 is None else h0
    b_hn = np.zeros(N, a.dtype) if b_hn is None else b_hn
    like = ("h", np.empty((T, B, N), a.dtype), "TBN")
    expect("h0", h0, "BN", like)
    expect("b_hn", b_hn, "N", like)
    a, gates = without_padding(a, lengths), empty(a.shape, a.dtype)
    h, pn = empty((2, T, B, N), a.dtype)
    before, product = h0, np.empty((B, 3 * N), a.dtype)
    for t in range(T):
        np.matmul(before, U.T, out=product)                                            # F1
        advance(a[t], product, b_hn, before, gates[t], pn[t], h[t])                    # F1 to F3
        before = h[t]
    h = without_padding(h, lengths, overwrite=True)
    return h, Cache(U, h0, gates, pn, h, lengths)


def gru_backward(dh, cache):
    """dh (T, B, N), cache of the forward pass  ->  da (T, B, 3 N), dU (3 N, N), dh0 (B, N), db_hn (N,)."""
    U, h0, gates, pn, h, lengths = cache
    expect("dh", dh, "TBN", like=("h", h, "TBN"))
    T, B, N = h.shape
    dh, (da, dp) = without_padding(dh, lengths), empty((2, T, B, 3 * N), h.dtype)
    carry, product = np.zeros_like(h0), np.zeros_like(h0)
    for t in reversed(range(T)):
        retreat(dh[t], gates[t], pn[t], h[t - 1] if t else h0, carry, da[t], dp[t])    # B1 to B5
        np.matmul(dp[t], U, out=product)
        carry += product                                                               # B5
    dU = products(dp[1:].reshape(-1, 3 * N), h[:-1].reshape(-1, N)) + products(dp[0], h0)      # B6
    db_hn = dp[:, :, 2 * N:].sum(axis=(0, 1), dtype=np.float64)                        # B8
    return da, dU.astype(U.dtype), carry, db_hn.astype(U.dtype)                        # B7


class GRU(RNN):
    """x (T, B, inputs)  ->  h (T, B, neurons), with the gates r, z and the candidate n.

    Options as for `RNN`, without activation. The state is h, (B, neurons). Parameters W (3 neurons, inputs),
    b (3 neurons,), U (3 neurons, neurons), b_hn (neurons,).

    To load a layer of `torch.nn.GRU`, given its weights and biases as NumPy arrays:

        layer["W"][:], layer["U"][:], layer["b"][:] = weight_ih_l0, weight_hh_l0, bias_ih_l0
        layer["b"][:2 * neurons] += bias_hh_l0[:2 * neurons]
        layer["b_hn"][:] = bias_hh_l0[2 * neurons:]
    """

    gates = 3

    def __init__(self, inputs, neurons, rng, *, dtype=np.float32, **options):
        super().__init__(inputs, neurons, rng, dtype=dtype, **options)
        self.parameters["b_hn"] = Parameter(np.zeros(neurons, dtype), "bias")

    def forward(self, x, state=None, *, lengths=None, **how):
        a, of_linear = self.linear.forward(x, lengths=lengths, **how)
        h, of_recurrence = gru_forward(a, self["U"], state, self["b_hn"], lengths=lengths)
        return h, self.Cache(of_linear, of_recurrence)

    def backward(self, dy, cache, *, overwrite=False):
        of_linear, of_recurrence = cache
        da, dU, dh0, db_hn = gru_backward(dy, of_recurrence)
        dx, grads = self.linear.backward(da, of_linear)
        return dx, grads | {"U": dU, "h0": dh0, "b_hn": db_hn}


# ---------------------------------------------------------------------------------------------------------
# Kernels: one step, all sequences. The loops are short, since loops over many arrays would not vectorise.

@kernel
def advance(a, product, b_hn, before, gates, pn, h):
    """a, product, gates (B, 3 N): gates receives r, z, n."""
    B, N = h.shape
    for b in range(B):
        for k in range(2 * N):
            gates[b, k] = activate(SIGMOID, a[b, k] + product[b, k])                   # F2: r, z
        for n in range(N):
            pn[b, n] = product[b, 2 * N + n] + b_hn[n]                                 # F1
        for n in range(N):
            gates[b, 2 * N + n] = activate(TANH, a[b, 2 * N + n] + gates[b, n] * pn[b, n])     # F2: n
        for n in range(N):
            candidate = gates[b, 2 * N + n]
            h[b, n] = candidate + gates[b, N + n] * (before[b, n] - candidate)         # F3


@kernel
def retreat(dh, gates, pn, before, carry, da, dp):
    """da and dp (B, 3 N) receive the gradients of both arguments of F2; carry receives B5 without U' dp."""
    B, N = dh.shape
    for b in range(B):
        for n in range(N):
            carry[b, n] += dh[b, n]                                                    # B1
        for n in range(N):
            z, candidate = gates[b, N + n], gates[b, 2 * N + n]
            da[b, 2 * N + n] = carry[b, n] * (ONE - z) * (ONE - candidate * candidate)         # B2
            da[b, N + n] = carry[b, n] * (before[b, n] - candidate) * (z * (ONE - z))
        for n in range(N):
            r = gates[b, n]
            da[b, n] = da[b, 2 * N + n] * pn[b, n] * (r * (ONE - r))                   # B3
            dp[b, 2 * N + n] = da[b, 2 * N + n] * r                                    # B4
        for k in range(2 * N):
            dp[b, k] = da[b, k]
        for n in range(N):
            carry[b, n] *= gates[b, N + n]                                             # B5
