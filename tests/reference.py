"""The obvious NumPy truth: slow, and short enough to be checked by eye against the equations."""
import numpy as np

ACT = {"relu": lambda z: np.where(z <= 0, 0, z), "tanh": np.tanh,
       "sigmoid": lambda z: 1 / (1 + np.exp(-z)), "identity": lambda z: z}
DACT = {"relu": lambda dh, h: np.where(h <= 0, 0, dh), "tanh": lambda dh, h: dh * (1 - h**2),
        "sigmoid": lambda dh, h: dh * (h * (1 - h)), "identity": lambda dh, h: dh}


def indrnn_forward(a, u, h0=None, *, activation="relu", lengths=None):
    T, B, N = a.shape
    h0 = np.zeros((B, N), a.dtype) if h0 is None else h0
    lengths = np.full(B, T) if lengths is None else np.asarray(lengths)
    h, before = np.zeros_like(a), h0
    for t in range(T):
        alive = (t < lengths)[:, None]
        with np.errstate(all="ignore"):
            after = ACT[activation](a[t] + u * before).astype(a.dtype)
        h[t] = np.where(alive, after, 0)
        before = np.where(alive, after, before)
    return h, (u, h0, h, activation, lengths)


def indrnn_backward(dh, cache):
    u, h0, h, activation, lengths = cache
    da, carry, du = np.zeros_like(dh), np.zeros_like(h0), np.zeros(u.shape)
    for t in reversed(range(len(h))):
        alive = (t < lengths)[:, None]
        with np.errstate(all="ignore"):
            da[t] = np.where(alive, DACT[activation](dh[t] + carry, h[t]), 0)
            carry = np.where(alive, u * da[t], carry)
            du += np.where(alive, da[t] * (h[t - 1] if t else h0).astype(np.float64), 0).sum(axis=0)
    return da, du.astype(u.dtype), carry.astype(u.dtype)


def linear_forward(x, W, b):
    return np.einsum("tbm,nm->tbn", x, W) + b


def linear_backward(dy, x, W):
    return np.einsum("tbn,nm->tbm", dy, W), np.einsum("tbn,tbm->nm", dy, x), np.einsum("tbn->n", dy)
