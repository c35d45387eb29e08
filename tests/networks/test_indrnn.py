import math

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from reference import B, N, T, ragged, recurrence, steps_of
from strategies import f32

from minindrnn import BatchNorm, IndRNN, LayerNorm, Unit
from minindrnn.ops.dropout import draw

pytestmark = pytest.mark.tutorial5


@ragged
@pytest.mark.parametrize("norm", [None, "before", "after"])
@pytest.mark.parametrize("kind", [BatchNorm, LayerNorm])
@pytest.mark.parametrize("M", [2, 6])
def test_is_its_formula(M, kind, norm, lengths, rng):
    """W x + b, normalised before or after the recurrence; dropout on the way out, never within; the state is h
    itself."""
    layer = IndRNN(M, N, rng, u=(-1.0, 1.0), activation="tanh", norm=norm, norm_layer=kind, dropout=0.4,
                   dtype=np.float64)
    for _, array in [(name, parameter.value) for name, parameter in layer.parameters.items() if name != "u"]:
        array += 0.1 * rng.normal(size=array.shape)
    x, h0 = rng.normal(size=(T, B, M)), rng.normal(size=(B, N))
    alive = np.arange(T)[:, None] < steps_of(lengths)
    a = np.where(alive[:, :, None], x @ layer["W"].T + layer["b"], 0)

    def normal(z):
        axes = (0,) if kind is BatchNorm else (1,)
        rows = z[alive]
        scaled = (rows - rows.mean(axes, keepdims=True)) / np.sqrt(rows.var(axes, keepdims=True) + 1e-5)
        out = np.zeros_like(z)
        out[alive] = layer["gamma"] * scaled + layer["beta"]
        return out
    h = recurrence(normal(a) if norm == "before" else a, layer["u"], h0, math.tanh, lengths)
    mask = draw((B, N), 0.4, np.random.default_rng(9), np.dtype(float))
    y, cache = layer.forward(x, h0, lengths=lengths, statistics="batch", rng=np.random.default_rng(9))
    assert_allclose(y, (normal(h) if norm == "after" else h) * mask, rtol=1e-9, atol=1e-10)
    assert_allclose(layer.last_state(cache), h[np.array(steps_of(lengths)) - 1, np.arange(B)], rtol=1e-9, atol=1e-10)
    assert mask.min() == 0 and layer.parameters["u"].role == "recurrent" and layer.parameters["W"].role == "weight"


def test_the_norm_of_a_unit_may_be_layer_normalisation(rng):
    unit, a = Unit(4, np.random.default_rng(5), norm="after", norm_layer=LayerNorm), f32(5, 3, 4, rng=rng)
    h, _ = Unit(4, np.random.default_rng(5)).forward(a)
    assert_array_equal(unit.forward(a)[0], LayerNorm(4).forward(h)[0])
    assert unit.buffers == {} and set(unit.parameters) == {"u", "gamma", "beta"}


@pytest.mark.parametrize("start", [0, 2, 9])
@pytest.mark.parametrize("order", ["before", "after"])
def test_a_unit_in_use_is_normalised_with_the_row_of_its_step(order, start, rng):
    unit = Unit(3, rng, u=(0.5, 0.5), norm=order, norm_options=dict(length=4), dtype=np.float64)
    a, state = rng.normal(size=(2, 2, 3))
    mean, var = (unit.buffers[name] for name in ("mean", "var"))
    mean[:], var[:], unit.buffers["updates"][:] = rng.normal(size=(4, 3)), rng.uniform(0.5, 3, (4, 3)), 1

    def normalised(x):
        return (x - mean[min(start, 3)]) / np.sqrt(var[min(start, 3)] + 1e-5)
    h = np.maximum((normalised(a) if order == "before" else a) + 0.5 * state, 0)
    y, after = unit.step(a, state, start=start)
    assert_allclose(y, normalised(h) if order == "after" else h, rtol=1e-12, atol=1e-14)
    assert_allclose(after, h, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("call, error, message", [
    (lambda rng: IndRNN(2, 3, rng, u=(0.5, 0.1)), ValueError,
     "u, its high end: expected a finite number at least 0.5, got 0.1"),
    (lambda rng: IndRNN(2, 3, rng).forward(f32(4, 2, 2, rng=rng), np.zeros((3, 3), np.float32)), ValueError,
     r"h0: expected \(B, N\) = \(2, 3\), got \(3, 3\); a has shape \(T, B, N\) = \(4, 2, 3\)"),
    (lambda rng: IndRNN(2, 3, rng, activation="rleu").forward(f32(4, 2, 2, rng=rng)), ValueError,
     "activation: expected one of relu, tanh, sigmoid, identity, got 'rleu'"),
    (lambda rng: IndRNN(2, 4, rng).forward(rng.normal(size=(1, 1, 2))), TypeError,
     "x: expected float32 like W, got float64"),
    (lambda rng: IndRNN(2, 4, rng).step(f32(2, 3, rng=rng)), ValueError,
     r"x: expected \(B, M\) = \(2, 2\), got \(2, 3\)"),
    (lambda rng: with_bias(IndRNN(2, 3, rng), np.zeros(1, np.float32)).step(f32(4, 2, rng=rng)), ValueError,
     r"b: expected \(3,\) like u, got \(1,\)"),
    (lambda rng: Unit(4, rng).step(f32(2, 8, rng=rng)), ValueError,
     r"a: expected \(B, N\) = \(2, 4\), got \(2, 8\)"),
    (lambda rng: Unit(4, rng, norm_options={"length": 3}), ValueError,
     "norm_options: expected none of them without a norm, got length"),
    (lambda rng: Unit(4, rng, activation="Relu"), ValueError, "activation: expected one of .* got 'Relu'"),
    (lambda rng: Unit(3, rng, norm="befor"), ValueError, "norm: expected one of .* got 'befor'"),
    (lambda rng: Unit(3, rng, dropout=-0.1), ValueError, "dropout: expected a finite number from 0 to .* got -0.1"),
    (lambda rng: Unit(3, rng, dropout=1.0), ValueError, "dropout: expected a finite number from 0 to .* got 1.0"),
])
def test_errors(rng, call, error, message):
    with pytest.raises(error, match=message):
        call(rng)


def with_bias(layer, b):
    layer.parameters["b"].value = b
    return layer
