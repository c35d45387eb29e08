"""The obvious NumPy truth: slow, and short enough to be checked by eye against the equations."""
import math
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from minindrnn.core.layer import leaves
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
            da[:steps, one], du_of_one, dh0[one] = obvious_backward(
                dh[:steps, one], u, h0[one], h[:steps, one], activation)
            du += du_of_one
    return da, du.astype(u.dtype), dh0


def linear_forward(x, W, b):
    return np.einsum("tbm,nm->tbn", x, W) + b


def linear_backward(dy, x, W):
    return np.einsum("tbn,nm->tbm", dy, W), np.einsum("tbn,tbm->nm", dy, x), np.einsum("tbn->n", dy)


# ---------------------------------------------------------------------------------------------------------
# One number at a time, whole and ragged

T, B, N = 7, 3, 5
ragged = pytest.mark.parametrize("lengths", [None, [4, 7, 2]], ids=["whole", "ragged"])
SCALAR = {"relu": lambda z: z if z > 0 else 0.0, "tanh": math.tanh, "sigmoid": lambda z: 1 / (1 + math.exp(-z)),
          "identity": lambda z: z}


def steps_of(lengths):
    """The length of each of the B sequences."""
    return [T] * B if lengths is None else lengths


def close(got, wanted):
    assert_allclose(got, wanted, rtol=1e-11, atol=1e-12)


def recurrence(a, u, h0, act, lengths, b=None):
    """h (T, B, N), act on one number."""
    h = np.zeros(a.shape)
    for j, steps in enumerate(steps_of(lengths)):
        for n in range(a.shape[2]):
            before = h0[j, n]
            for t in range(steps):
                h[t, j, n] = before = act(a[t, j, n] + (0 if b is None else b[n]) + u[n] * before)
    return h


# ---------------------------------------------------------------------------------------------------------
# Sums over steps and over sequences

def assert_sums_keep_their_digits(operation, T, B):
    """Of 100 000 terms: what an operation of x, dy (T, B, 2) sums up in float32 equals what it finds in float64, to 5
    millionths."""
    results = []
    for dtype in (np.float32, np.float64):
        x, dy = (np.full((T, B, 2), np.float32(value)).astype(dtype) for value in (0.3, 0.1))
        results.append(operation(x, dy))
    for got, wanted in zip(*results):
        assert_allclose(got, wanted, rtol=0, atol=5e-6 * np.abs(wanted).max())


def long_or_many(test):
    """A test of 100 000 steps, and of 100 000 sequences."""
    return pytest.mark.compiled(pytest.mark.parametrize("T, B", [(100_000, 1), (1, 100_000)])(test))


# ---------------------------------------------------------------------------------------------------------
# Where weights start: a generator that draws nothing writes down what it was asked for

class Notes(np.random.Generator):
    """Every draw of a network in the order of its parameters; the arrays take no memory."""

    def __init__(self):
        super().__init__(np.random.PCG64(0))
        self.drawn = []

    def uniform(self, low, high, shape):
        return self.noted("uniform", low, high, shape)

    def normal(self, mean, deviation, shape):
        return self.noted("normal", mean, deviation, shape)

    def noted(self, *asked):
        self.drawn.append(asked)
        return SimpleNamespace(astype=lambda dtype: np.broadcast_to(np.zeros((), dtype), asked[-1]))


def starts(made, *arguments):
    """What `made(*arguments, generator)` draws."""
    notes = Notes()
    made(*arguments, notes)
    return notes.drawn


def same(drawn, wanted):
    """To rounding, with shapes as they are."""
    assert len(drawn) == len(wanted)
    for place, ((kind, low, high, shape), (other, *limits, size)) in enumerate(zip(drawn, wanted)):
        assert (kind, shape) == (other, size) and [low, high] == pytest.approx(limits, rel=1e-12), place


def he(inputs, outputs, slope):
    s = (6 / ((1 + slope**2) * inputs)) ** 0.5
    return "uniform", -s, s, (outputs, inputs)


def gauss(inputs, outputs, gain=1.0):
    return "normal", 0, gain / inputs**0.5, (outputs, inputs)


def u(neurons, low, high):
    return "uniform", low, high, neurons


# ---------------------------------------------------------------------------------------------------------
# Networks, looked into and replaced

def within(layer, kind):
    """Every layer of a kind in a network."""
    if isinstance(layer, kind):
        yield layer
    inside = [getattr(layer, name, None) for name in ("unit", "norm", "body", "layer")]
    for inner in inside + list(getattr(layer, "layers", [])):
        if inner is not None:
            yield from within(inner, kind)


def values(network):
    """{path: copy of the parameter}"""
    return {path: parameter.value.copy() for path, parameter in leaves(network.parameters)}


class Scripted:
    """Gives these answers, in turn; notes by which statistics it was asked."""

    bound = None
    buffers = {"mean": np.zeros(1)}

    def __init__(self, answers):
        self.answers, self.asked, self.ways = answers, 0, []

    def forward(self, x, lengths=None, statistics="running", ranks=None):
        y = self.answers[self.asked:self.asked + x.shape[1]]
        self.asked += x.shape[1]
        self.ways.append(statistics)
        return y, None
