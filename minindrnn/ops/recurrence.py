"""The recurrence of IndRNN: every neuron remembers itself, and only itself.

Letters   T steps, B sequences, N neurons; arrays are time-major and C-contiguous
    a    (T, B, N)   input of the neurons, already projected (W x + b)
    u    (N,)        recurrent weights, one per neuron
    h0   (B, N)      state before the first step, zero unless given
    h    (T, B, N)   activations

Forward   F1  z[t]  = a[t] + u * h[t-1]                   h[-1] = h0
          F2  h[t]  = act(z[t])
Backward  B1  dz[t] = (dh[t] + carry) * act'(z[t])        from F2; carry = 0 after the last step of a sequence
          B2  carry = u * dz[t]                           from F1, argument h[t-1]
          B3  da[t] = dz[t]                               from F1, argument a[t]
          B4  du    = sum over t and b of dz[t] * h[t-1]  from F1, argument u, shared by all t and b
          B5  dh0   = carry after t = 0

Cache: u, h0, h, the activation and the lengths. z is not kept: act' follows from h, see `activations`. du is summed in
float64.
Source: Li et al., arXiv 1803.04831, section 3; the backward recursion is derived here.
"""
from typing import NamedTuple

import numpy as np

from ..core.expect import expect, expect_choice, expect_lengths, expect_out
from ..core.memory_pool import empty_like
from .activations import KIND, OBVIOUS
from .recurrence_kernels import backward_in_place, forward_in_place


def obvious_forward(a, u, h0, activation="relu"):
    """a (T, B, N), u (N,), h0 (B, N)  ->  h (T, B, N)."""
    act, _ = OBVIOUS[activation]
    h, before = np.empty_like(a), h0
    for t in range(len(a)):
        z = a[t] + u * before                                            # F1
        h[t] = before = act(z)                                           # F2
    return h


def obvious_backward(dh, u, h0, h, activation="relu"):
    """dh (T, B, N), u (N,), h0 (B, N), h (T, B, N)  ->  da (T, B, N), du (N,), dh0 (B, N)."""
    _, dact = OBVIOUS[activation]
    da, du, carry = np.empty_like(dh), np.zeros(u.shape), np.zeros_like(h0)
    for t in reversed(range(len(dh))):
        dz = dact(dh[t] + carry, h[t])                                   # B1
        carry = u * dz                                                   # B2
        da[t] = dz                                                       # B3
        du += np.sum(dz * (h[t - 1] if t > 0 else h0), axis=0)           # B4
    return da, du.astype(u.dtype), carry                                 # B5


# ---------------------------------------------------------------------------------------------------------
# This is the whole operation. The rest of this file computes the same, for any lengths, checked and fast.

class Cache(NamedTuple):
    """The values that backward needs; lengths (B,) or None."""
    u: np.ndarray
    h0: np.ndarray
    h: np.ndarray
    activation: str
    lengths: np.ndarray | None


def indrnn_forward(a, u, h0=None, *, activation="relu", lengths=None, out=None):
    """a (T, B, N), u (N,), h0 (B, N) or zero  ->  h (T, B, N), cache.

    activation   "relu", "tanh", "sigmoid" or "identity"
    lengths      (B,) integers in 1..T: later steps of a sequence are not read, and give h = 0
    out          an array for h that shares no memory with the others; or `out=a`, which works in place and is fastest

    float32 or float64, the same for all arrays. Raises TypeError or ValueError naming the array.

    >>> a = np.array([1.0, 0.0, 0.0]).reshape(3, 1, 1)
    >>> h, cache = indrnn_forward(a, np.array([0.5]))
    >>> h.ravel().tolist()
    [1.0, 0.5, 0.25]
    """
    cache = checked(a, u, h0, activation, lengths, out)
    forward_in_place(*cache)                                             # F1, F2
    return cache.h, cache


def indrnn_backward(dh, cache, *, out=None):
    """dh (T, B, N), cache of the forward pass  ->  da (T, B, N), du (N,), dh0 (B, N).

    out   an array for da that shares no memory with the others; or `out=dh`, which works in place

    du is summed in float64, in a fixed order: it is accurate for any T and has the same bits every time.
    """
    expect("dh", dh, "TBN", like=("h", cache.h, "TBN"))
    if out is not None:
        expect_out("out", out, "TBN", ("dh", dh, "TBN"), u=cache.u, h0=cache.h0, h=cache.h)
    da = copied(dh, out)
    du, dh0, _ = backward_in_place(da, *cache)                           # B1 to B5
    return da, du, dh0


def checked(a, u, h0, activation, lengths, out):
    """The cache, in which h holds a. Raises TypeError or ValueError."""
    like = ("a", a, "TBN")
    expect(*like)
    T, B, N = a.shape
    h0 = np.zeros((B, N), a.dtype) if h0 is None else h0
    expect("u", u, "N", like)
    expect("h0", h0, "BN", like)
    expect_choice("activation", activation, KIND)
    lengths = None if lengths is None else expect_lengths(lengths, T, B).copy()
    if out is not None:
        expect_out("out", out, "TBN", like, u=u, h0=h0)
    return Cache(u, h0, copied(a, out), activation, lengths)


def copied(array, out):
    """The values of the array in `out`, or in a new array; the array itself if it is `out`."""
    out = empty_like(array) if out is None else out
    if out is not array:
        np.copyto(out, array)
    return out
