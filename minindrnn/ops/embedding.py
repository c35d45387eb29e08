"""A vector for every token, and dropout of whole tokens.

Letters   T steps, B sequences, V tokens, M channels
    tokens (T, B) integers in 0..V-1     E (V, M)     mask (V,)     x (T, B, M)

Forward   F1  x[t, b] = mask[v] E[v],  v = tokens[t, b]      mask = 0 with probability p, else 1 / (1 - p)
Backward  B1  dE[v]   = mask[v] sum over all t, b with tokens[t, b] = v of dx[t, b]

A dropped token is dropped wherever it occurs, in all sequences. Tokens have no gradient.
Cache: tokens, mask, M (and the lengths). Source: Gal and Ghahramani, arXiv 1512.05287 (dropout of tokens).
"""
from typing import NamedTuple

import numpy as np

from ..core.expect import expect, expect_count, expect_generator, expect_lengths, expect_number
from ..core.jit import kernel
from ..core.layer import Layer, Parameter, drawn, expect_known
from ..core.padding import without_padding


class Cache(NamedTuple):
    """tokens has 0 for padding; M: channels of E."""
    tokens: np.ndarray
    mask: np.ndarray
    M: int
    lengths: np.ndarray | None


def embedding_forward(tokens, E, p=0.0, rng=None, *, lengths=None):
    """tokens (T, B) integers, E (V, M), 0 <= p < 1, a generator or None for no dropout  ->  x (T, B, M), cache.

    lengths   (B,) integers in 1..T: later tokens of a sequence are not read, and give x = 0

    E and x are float32 or float64. Raises TypeError or ValueError naming the array.

    >>> x, cache = embedding_forward(np.array([[1], [0]]), np.array([[1.0, 2.0], [3.0, 4.0]]))
    >>> x[:, 0].tolist()
    [[3.0, 4.0], [1.0, 2.0]]
    """
    expect("E", E, "VM")
    expect_number("p", p, 0, np.nextafter(1, 0))
    expect_generator(rng, none=True)
    tokens = np.asarray(tokens)
    if tokens.dtype.kind not in "iu" or tokens.ndim != 2 or tokens.size == 0:
        raise ValueError(f"tokens: expected integers (T, B), got {tokens.dtype} of shape {tokens.shape}")
    T, B = tokens.shape
    tokens = np.where(np.arange(T)[:, np.newaxis] < expect_lengths(lengths, T, B), tokens, 0)
    if tokens.min() < 0 or tokens.max() >= len(E):
        wrong = tokens[(tokens < 0) | (tokens >= len(E))][0]
        raise ValueError(f"tokens: expected 0 to V - 1 = {len(E) - 1}, got {wrong}")
    mask = np.ones(len(E), E.dtype)
    if rng is not None and p > 0:
        mask = (rng.random(len(E), E.dtype) >= p).astype(E.dtype) / E.dtype.type(1 - p)
    x = E[tokens] * mask[tokens][:, :, np.newaxis]                                       # F1
    return without_padding(x, lengths, overwrite=True), Cache(tokens, mask, E.shape[1], lengths)


def embedding_backward(dx, cache):
    """dx (T, B, M), cache of the forward pass  ->  dE (V, M), summed in float64 in the order of the tokens."""
    tokens, mask, M, lengths = cache
    expect("dx", dx, "TBM", like=("x", np.empty((*tokens.shape, M), mask.dtype), "TBM"))
    seen, place = np.unique(tokens, return_inverse=True)
    total = np.zeros((len(seen), M))
    add_rows(without_padding(dx, lengths).reshape(-1, M), place.ravel(), total)
    dE = np.zeros((len(mask), M), dx.dtype)
    dE[seen] = mask[seen, np.newaxis] * total                                            # B1
    return dE


class Embedding(Layer):
    """tokens (T, B)  ->  x (T, B, channels).

    rng   a `numpy.random.Generator`, for E, which starts in U(-width, width) (0.01, as in the authors' script)
    p     probability of dropping a token, when forward is given a generator
    """

    def __init__(self, tokens, channels, rng, *, p=0.0, width=0.01, dtype=np.float32):
        expect_count("tokens", tokens)
        expect_count("channels", channels)
        expect_number("p", p, 0, np.nextafter(1, 0))
        expect_number("width", width, 0)
        self.p = p
        E = drawn(rng, "uniform", -width, width, (tokens, channels), dtype=dtype)
        self.parameters = {"E": Parameter(E, "weight")}

    def forward(self, x, state=None, *, lengths=None, rng=None, **unused):
        expect_known(unused)
        return embedding_forward(x, self["E"], self.p, rng, lengths=lengths)

    def backward(self, dy, cache, *, overwrite=False):
        """The gradient of the tokens is None."""
        return None, {"E": embedding_backward(dy, cache)}


# ---------------------------------------------------------------------------------------------------------
# Kernel

@kernel
def add_rows(dx, place, total):
    """Add row r of dx (R, M) to row place[r] of total."""
    for r in range(place.size):
        for m in range(dx.shape[1]):
            total[place[r], m] += dx[r, m]                                               # B1
