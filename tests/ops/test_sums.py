"""Sums over steps and over sequences keep their digits in float32: of 100 000 terms, each operation's gradients and
losses equal those that it finds in float64, to 5 millionths."""
import numba
import numpy as np
import pytest

import minindrnn as m
from minindrnn.core.layer import Parameter
from minindrnn.networks.fused import fused_backward, fused_forward
from minindrnn.ops.bounds import penalty
from minindrnn.training.optim import clip_norm

MANY = 100_000
pytestmark = pytest.mark.skipif(numba.config.DISABLE_JIT, reason="too much arithmetic for kernels that are not compiled")


def batchnorm(x, dy):
    one, zero = np.ones(2, x.dtype), np.zeros(2, x.dtype)
    x = x + (np.arange(x.size).reshape(x.shape) % 7 == 0).astype(x.dtype)
    y, cache = m.batchnorm_forward(x, one, zero, zero[np.newaxis], one[np.newaxis])
    return *cache[-1], *m.batchnorm_backward(x * dy, cache)[1:]


def layernorm(x, dy):
    x = x * np.array([1, 3], x.dtype)
    y, cache = m.layernorm_forward(x, np.ones(2, x.dtype), np.zeros(2, x.dtype))
    return m.layernorm_backward(dy, cache)[1:]


def linear(x, dy):
    _, cache = m.linear_forward(x, np.ones((2, 2), x.dtype), np.ones(2, x.dtype))
    return m.linear_backward(dy, cache)[1:]


def indrnn(x, dy):
    _, cache = fused_forward(x, np.full(2, 0.5, x.dtype), x[0], b=np.zeros(2, x.dtype))
    _, du, _, db = fused_backward(dy, cache, biased=True)
    return du, db


def matrix(gates, forward, backward):
    def both(x, dy):
        a = np.tile(x, gates)
        state = np.stack([x[0]] * 2) if gates == 4 else x[0]
        h, cache = forward(a, np.full((2 * gates, 2), 0.1, x.dtype), state)
        return backward(dy, cache)[1],
    return both


def embedding(x, dy):
    _, cache = m.embedding_forward(np.zeros(x.shape[:2], int), np.ones((1, 2), x.dtype))
    return m.embedding_backward(dy, cache),


def losses(x, dy):
    rows = (x * np.array([1, 2], x.dtype)).reshape(-1, 2)
    return m.cross_entropy(rows, np.zeros(len(rows), int))[0], m.mean_squared_error(rows, dy.reshape(-1, 2))[0]


def norms(x, dy):
    flat = x.ravel()
    return clip_norm([Parameter(flat, "weight")], [flat.copy()], 1e9), penalty(flat, 0.01)[0]


OPERATIONS = {"batch normalisation": batchnorm, "layer normalisation": layernorm, "linear": linear, "indrnn": indrnn, "embedding": embedding, "losses": losses, "norms": norms,
              "rnn": matrix(1, m.rnn_forward, m.rnn_backward), "lstm": matrix(4, m.lstm_forward, m.lstm_backward),
              "gru": matrix(3, m.gru_forward, m.gru_backward)}


@pytest.mark.parametrize("T, B", [(MANY, 1), (1, MANY)])
@pytest.mark.parametrize("name", OPERATIONS)
def test_float32_equals_float64(name, T, B):
    results = []
    for dtype in (np.float32, np.float64):
        x, dy = (np.full((T, B, 2), np.float32(value)).astype(dtype) for value in (0.3, 0.1))
        results.append(OPERATIONS[name](x, dy))
    for got, wanted in zip(*results):
        np.testing.assert_allclose(got, wanted, rtol=0, atol=5e-6 * np.abs(wanted).max())
