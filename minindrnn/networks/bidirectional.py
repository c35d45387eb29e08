"""Two layers, one of which reads the sequence from its end.

    F1  y = [F(x), R G(R x)], channels           R reverses every sequence, each within its own length
    B1  dx = F'(dy[:N]) + R G'(R dy[N:])         R is its own inverse and its own transpose

Padding stays in place and is not read. Source: Schuster and Paliwal, IEEE Trans. Signal Processing 45, 1997.
"""
from typing import NamedTuple

import numpy as np

from ..core.expect import expect, expect_lengths
from ..core.layer import Layer, expect_branches


def reverse(x, lengths=None):
    """x (T, B, M)  ->  x with every sequence reversed; padding stays in place.

    >>> reverse(np.arange(4.0).reshape(4, 1, 1), [3]).ravel().tolist()
    [2.0, 1.0, 0.0, 3.0]
    """
    expect("x", x, "TBM")
    T, B, _ = x.shape
    lengths = expect_lengths(lengths, T, B)
    t = np.arange(T)[:, np.newaxis]
    return x[np.where(t < lengths, lengths - 1 - t, t), np.arange(B)]


class Bidirectional(Layer):
    """[F(x), R G(R x)] of two layers: x (T, B, M)  ->  y (T, B, N of F + N of G).

    Parameters, buffers and states are lists of F's and G's; G starts from its state at the end of the sequence.
    """

    def __init__(self, onward, back):
        self.onward, self.back = onward, back

    @property
    def parameters(self):
        return [self.onward.parameters, self.back.parameters]

    @property
    def buffers(self):
        return [self.onward.buffers, self.back.buffers]

    class Cache(NamedTuple):
        """N: channels of F."""
        of_onward: tuple | list
        of_back: tuple | list
        N: int
        lengths: np.ndarray | None

    def forward(self, x, state=None, *, lengths=None, **how):
        state = [None, None] if state is None else state
        expect_branches("state", [None, None], state)
        y, of_onward = self.onward.forward(x, state[0], lengths=lengths, **how)
        z, of_back = self.back.forward(reverse(x, lengths), state[1], lengths=lengths, **how)
        both = np.concatenate([y, reverse(z, lengths)], axis=2)                                       # F1
        return both, self.Cache(of_onward, of_back, y.shape[2], lengths)

    def backward(self, dy, cache, *, overwrite=False):
        of_onward, of_back, N, lengths = cache
        expect("dy", dy, "TBZ")
        dx, onward = self.onward.backward(dy[:, :, :N].copy(), of_onward, overwrite=True)
        dz = reverse(dy[:, :, N:].copy(), lengths)
        dz, back = self.back.backward(dz, of_back, overwrite=True)
        return dx + reverse(dz, lengths), [onward, back]                                              # B1

    def step(self, x, state=None, *, start=0):
        raise ValueError("Bidirectional: expected whole sequences, got one step; its second layer starts at the end")

    def last_state(self, cache):
        """The state of the first layer; the second has none, since it starts from zero at every segment's end."""
        return [self.onward.last_state(cache.of_onward), None]

    def absorb(self, cache, *, average=False):
        self.onward.absorb(cache.of_onward, average=average)
        self.back.absorb(cache.of_back, average=average)
