"""Layers made of layers, each with a backward pass of its own.

    Chain         y = F_L(... F_2(F_1(x)))       backward runs the layers in reverse: the chain rule
    AtLastStep    y = F(x[last step])            dx is zero at every other step
"""
import numpy as np

from .layer import Layer
from .shapes import expect_lengths


class Chain(Layer):
    """One layer after another."""

    def __init__(self, layers):
        self.layers = list(layers)
        if not self.layers:
            raise ValueError("layers: expected at least one layer, got none")

    @property
    def parameters(self):
        return [layer.parameters for layer in self.layers]

    def forward(self, x, state=None, *, lengths=None):
        state = [None] * len(self.layers) if state is None else state
        if len(state) != len(self.layers):
            raise ValueError(f"state: expected one entry for each of {len(self.layers)} layers, got {len(state)}")
        caches = []
        for layer, start in zip(self.layers, state):
            x, cache = layer.forward(x, start, lengths=lengths)
            caches.append(cache)
        return x, caches

    def backward(self, dy, caches):
        grads = []
        for layer, cache in zip(reversed(self.layers), reversed(caches)):
            dy, grad = layer.backward(dy, cache)
            grads.append(grad)
        return dy, grads[::-1]

    def last_state(self, caches):
        return [layer.last_state(cache) for layer, cache in zip(self.layers, caches)]


class AtLastStep(Layer):
    """Apply a stateless layer to each sequence's last step only: x (T, B, N)  ->  y (B, K)."""

    def __init__(self, layer):
        self.layer = layer

    @property
    def parameters(self):
        return self.layer.parameters

    def forward(self, x, state=None, *, lengths=None):
        T, B, _ = x.shape
        last = expect_lengths(lengths, T, B) - 1, np.arange(B)
        y, cache = self.layer.forward(x[last][np.newaxis])
        return y[0], (cache, last, x.shape)

    def backward(self, dy, cache):
        cache, last, shape = cache
        dlast, grads = self.layer.backward(dy[np.newaxis], cache)
        dx = np.zeros(shape, dy.dtype)
        dx[last] = dlast[0]
        return dx, grads
