import math

import numpy as np
import pytest
from numpy.testing import assert_allclose
from reference import B, N, T, assert_sums_keep_their_digits, close, long_or_many, ragged, steps_of

from minindrnn import LayerNorm, layernorm_backward, layernorm_forward


@ragged
def test_is_its_formula(lengths, rng):
    x, gamma, beta = rng.normal(4, 2, (T, B, N)), *rng.normal(size=(2, N))
    wanted = np.zeros((T, B, N))
    for j, steps in enumerate(steps_of(lengths)):
        for t in range(steps):
            m = sum(x[t, j]) / N
            v = sum((value - m)**2 for value in x[t, j]) / N
            wanted[t, j] = gamma * (x[t, j] - m) / math.sqrt(v + 0.25) + beta
    close(layernorm_forward(x, gamma, beta, lengths=lengths, eps=0.25)[0], wanted)
    layer = LayerNorm(N, eps=0.25, dtype=np.float64)
    layer["gamma"][:], layer["beta"][:] = gamma, beta
    close(layer.forward(x, lengths=lengths)[0], wanted)


def test_what_a_new_layer_holds():
    layer = LayerNorm(N, gain=0.5, dtype=np.float64)
    assert layer.eps == 1e-5
    assert layer["gamma"].tolist() == [0.5] * N
    assert layer["beta"].tolist() == [0] * N


def normalised(x):
    return (x - x.mean(axis=2, keepdims=True)) / np.sqrt(x.var(axis=2, keepdims=True) + 1e-5)


def test_is_that_of_its_definition(rng):
    x = rng.normal(size=(3, 2, 8))
    y, _ = layernorm_forward(x, np.ones(8), np.zeros(8), eps=1e-5)
    assert_allclose(y, normalised(x), rtol=0, atol=1e-13)


def test_sound_at_mean_1000(rng):
    x = (1000 + rng.normal(size=(3, 2, 8))).astype(np.float32)
    y, _ = layernorm_forward(x, np.ones(8, np.float32), np.zeros(8, np.float32))
    assert_allclose(y, normalised(x.astype(np.float64)), rtol=0, atol=2e-6)


def test_one_channel_is_zero(rng):
    x = rng.normal(size=(3, 2, 1))
    y, cache = layernorm_forward(x, np.ones(1), np.zeros(1))
    assert not y.any()
    assert not layernorm_backward(np.ones_like(y), cache)[0].any()


def test_padding_is_not_read(rng):
    x = rng.normal(size=(3, 2, 4))
    x[1:, 1] = np.nan
    y, cache = layernorm_forward(x, np.ones(4), np.zeros(4), lengths=[3, 1])
    results = layernorm_backward(np.where(np.isnan(x), np.nan, 1.0), cache)
    assert all(np.isfinite(array).all() for array in (y, *results))
    assert not y[1:, 1].any()
    assert not results[0][1:, 1].any()


@long_or_many
def test_sums_keep_their_digits(T, B):
    def dgamma_and_dbeta(x, dy):
        x = x * np.array([1, 3], x.dtype)
        y, cache = layernorm_forward(x, np.ones(2, x.dtype), np.zeros(2, x.dtype))
        return layernorm_backward(dy, cache)[1:]
    assert_sums_keep_their_digits(dgamma_and_dbeta, T, B)


def test_errors():
    with pytest.raises(ValueError, match=r"gamma: expected \(N,\) = \(4,\), got \(3,\)"):
        layernorm_forward(np.ones((2, 3, 4)), np.ones(3), np.ones(4))
