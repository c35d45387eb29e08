"""The obvious NumPy truth: slow, and short enough to be checked by eye against the equations."""
import numpy as np

from minindrnn.ops.activations import OBVIOUS
from minindrnn.ops.recurrence import obvious_backward, obvious_forward

ACT = {name: act for name, (act, _) in OBVIOUS.items()}


def indrnn_forward(a, u, h0=None, *, activation="relu", lengths=None):
    """Each sequence alone, as if there were nothing behind its end."""
    T, B, N = a.shape
    h0 = np.zeros((B, N), a.dtype) if h0 is None else h0
    lengths, h = np.full(B, T) if lengths is None else np.asarray(lengths), np.zeros_like(a)
    with np.errstate(all="ignore"):
        for b, steps in enumerate(lengths):
            one = slice(b, b + 1)
            h[:steps, one] = obvious_forward(a[:steps, one], u, h0[one], activation)
    return h, (u, h0, h, activation, lengths)


def indrnn_backward(dh, cache):
    u, h0, h, activation, lengths = cache
    da, du, dh0 = np.zeros_like(dh), np.zeros(u.shape), np.empty_like(h0)
    with np.errstate(all="ignore"):
        for b, steps in enumerate(lengths):
            one = slice(b, b + 1)
            da[:steps, one], du_of_one, dh0[one] = obvious_backward(dh[:steps, one], u, h0[one], h[:steps, one], activation)
            du += du_of_one
    return da, du.astype(u.dtype), dh0


def linear_forward(x, W, b):
    return np.einsum("tbm,nm->tbn", x, W) + b


def linear_backward(dy, x, W):
    return np.einsum("tbn,nm->tbm", dy, W), np.einsum("tbn,tbm->nm", dy, x), np.einsum("tbn->n", dy)
