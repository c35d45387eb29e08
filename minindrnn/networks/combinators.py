"""Layers made of layers, each with its own backward pass.

    Chain         y = F_L(... F_2(F_1(x)))       backward runs the layers in reverse: the chain rule
    Residual      y = x + F(x)                   dx = dy + F'(dy)
    Concatenate   y = [x, F(x)], channels        dx = dy[:M] + F'(dy[M:])
    AtLastStep    y = F(x[last step])            dx is zero at every other step

F'(dy) is the backward pass of F. Source of the two middle ones for IndRNN: arXiv 1910.06251, section 4.
"""
from typing import NamedTuple

import numpy as np

from ..core.expect import expect, expect_lengths
from ..core.layer import Layer, expect_branches
from ..core.memory_pool import empty, empty_like
from ..core.padding import without_padding


class Chain(Layer):
    """One layer after another: x (T, B, M)  ->  y of the last layer. A network sets `bound`, the largest |u| of its
    recurrent weights."""

    bound = None

    def __init__(self, layers):
        self.layers = list(layers)
        if not self.layers:
            raise ValueError("layers: expected at least one layer, got none")

    @property
    def parameters(self):
        return [layer.parameters for layer in self.layers]

    @property
    def buffers(self):
        return [layer.buffers for layer in self.layers]

    def forward(self, x, state=None, **how):
        caches = []
        for layer, start in zip(self.layers, self._states(state)):
            x, cache = layer.forward(x, start, **how)
            caches.append(cache)
        return x, caches

    def backward(self, dy, caches, *, overwrite=False):
        grads = []
        for layer, cache in zip(reversed(self.layers), reversed(caches)):
            dx, grad = layer.backward(dy, cache, overwrite=overwrite)
            overwrite = overwrite or dx is not dy                 # from here on only this chain uses dy
            dy = dx
            grads.append(grad)
        return dy, grads[::-1]

    def _states(self, state):
        state = [None] * len(self.layers) if state is None else state
        expect_branches("state", self.layers, state)
        return state

    def step(self, x, state=None, *, start=0):
        after = []
        for layer, before in zip(self.layers, self._states(state)):
            x, now = layer.step(x, before, start=start)
            after.append(now)
        return x, after

    def last_state(self, caches):
        return [layer.last_state(cache) for layer, cache in zip(self.layers, caches)]

    def absorb(self, caches, *, average=False):
        for layer, cache in zip(self.layers, caches):
            layer.absorb(cache, average=average)


class Around(Layer):
    """A layer around a layer F, with F's parameters, buffers and state; its cache holds F's cache as `of_layer`."""

    def __init__(self, layer):
        self.layer = layer

    @property
    def parameters(self):
        return self.layer.parameters

    @property
    def buffers(self):
        return self.layer.buffers

    def last_state(self, cache):
        return self.layer.last_state(cache.of_layer)

    def absorb(self, cache, *, average=False):
        self.layer.absorb(cache.of_layer, average=average)


class Residual(Around):
    """y = x + F(x), all (T, B, N): F keeps the shape of x, else forward raises ValueError."""

    class Cache(NamedTuple):
        of_layer: tuple | list
        lengths: np.ndarray | None

    def forward(self, x, state=None, *, lengths=None, **how):
        y, of_layer = self.layer.forward(x, state, lengths=lengths, **how)
        if y.shape != x.shape:
            raise ValueError(f"Residual: expected a layer that keeps the shape {x.shape}, got {y.shape}")
        return without_padding(np.add(x, y, out=empty_like(x)), lengths, overwrite=True), self.Cache(of_layer, lengths)

    def backward(self, dy, cache, *, overwrite=False):
        of_layer, lengths = cache
        dx, grads = self.layer.backward(dy, of_layer)
        return without_padding(np.add(dy, dx, out=empty_like(dy)), lengths, overwrite=True), grads

    def step(self, x, state=None, *, start=0):
        y, state = self.layer.step(x, state, start=start)
        return x + y, state


class Concatenate(Around):
    """x (T, B, M)  ->  y = [x, F(x)] (T, B, M + N): the channels of F(x) behind those of x."""

    class Cache(NamedTuple):
        of_layer: tuple | list
        M: int
        lengths: np.ndarray | None

    def forward(self, x, state=None, *, lengths=None, **how):
        expect("x", x, "TBM")
        T, B, M = x.shape
        y, of_layer = self.layer.forward(x, state, lengths=lengths, **how)
        both = np.concatenate([x, y], axis=2, out=empty((T, B, M + y.shape[2]), x.dtype))
        return without_padding(both, lengths, overwrite=True), self.Cache(of_layer, M, lengths)

    def backward(self, dy, cache, *, overwrite=False):
        of_layer, M, lengths = cache
        expect("dy", dy, "TBZ")
        if dy.shape[2] <= M:
            raise ValueError(f"dy: expected more than {M} channels, got shape {dy.shape}")
        dskip, dF = dy[:, :, :M], empty((*dy.shape[:2], dy.shape[2] - M), dy.dtype)
        dF[:] = dy[:, :, M:]
        dx, grads = self.layer.backward(dF, of_layer, overwrite=True)
        return without_padding(np.add(dskip, dx, out=empty_like(dx)), lengths, overwrite=True), grads

    def step(self, x, state=None, *, start=0):
        y, state = self.layer.step(x, state, start=start)
        return np.concatenate([x, y], axis=1), state


class AtLastStep(Around):
    """Apply a stateless layer to each sequence's last step only: x (T, B, N)  ->  y (B, K)."""

    class Cache(NamedTuple):
        """steps (B,): lengths; shape: the shape of x."""
        of_layer: tuple | list
        steps: np.ndarray
        shape: tuple

    def forward(self, x, state=None, *, lengths=None, **how):
        expect("x", x, "TBN")
        T, B, _ = x.shape
        steps = expect_lengths(lengths, T, B)
        y, of_layer = self.layer.forward(x[steps - 1, np.arange(B)][np.newaxis], **how)
        return y[0], self.Cache(of_layer, steps, x.shape)

    def backward(self, dy, cache, *, overwrite=False):
        of_layer, steps, shape = cache
        expect("dy", dy, "BK")
        dlast, grads = self.layer.backward(dy[np.newaxis], of_layer)
        dx = empty(shape, dy.dtype)
        dx[:] = 0
        dx[steps - 1, np.arange(len(steps))] = dlast[0]
        return dx, grads

    def step(self, x, state=None, *, start=0):
        return self.layer.step(x, start=start)

    def last_state(self, cache):
        return None
