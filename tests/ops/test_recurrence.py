"""The recurrence beside loops and oracles that share nothing with it. What every backend keeps: test_contract.py."""
import numpy as np
import pytest
import reference
import sympy
from numpy.testing import assert_allclose, assert_array_equal
from reference import SCALAR, B, N, T, close, ragged, recurrence

import minindrnn
from minindrnn import indrnn_backward, indrnn_forward
from minindrnn.ops.activations import KIND
from minindrnn.ops.recurrence import obvious_forward

pytestmark = pytest.mark.tutorial2


@ragged
@pytest.mark.parametrize("activation", KIND)
def test_is_its_formula(activation, lengths, rng):
    a, u, h0 = rng.normal(size=(T, B, N)), rng.uniform(-1.2, 1.2, N), rng.normal(size=(B, N))
    h, _ = indrnn_forward(a, u, h0, activation=activation, lengths=lengths)
    close(h, recurrence(a, u, h0, SCALAR[activation], lengths))


@pytest.mark.parametrize("activation", KIND)
def test_the_obvious_form_is_its_formula(activation, rng):
    a, u, h0 = rng.normal(size=(T, B, N)), rng.uniform(-1.2, 1.2, N), rng.normal(size=(B, N))
    close(obvious_forward(a, u, h0, activation), recurrence(a, u, h0, SCALAR[activation], None))


def test_lengths_are_those_of_the_forward_pass(rng):
    """A cache does not see what the caller does with the array of lengths afterwards."""
    a, lengths = rng.normal(size=(5, 2, 3)), np.array([2, 5])
    _, cache = indrnn_forward(a, np.full(3, 0.5), lengths=lengths)
    wanted = indrnn_backward(np.ones_like(a), cache)
    lengths[:] = 9
    for got, expected in zip(indrnn_backward(np.ones_like(a), cache), wanted):
        assert_array_equal(got, expected)


# ---------------------------------------------------------------------------------------------------------
# Oracles, of what runs and of the obvious form

pairs = pytest.mark.parametrize("pair", [minindrnn, reference], ids=["fast", "obvious"])
SLOPE = {"relu": lambda h: h > 0, "tanh": lambda h: 1 - h**2, "sigmoid": lambda h: h - h**2, "identity": lambda h: 1}


@pairs
def test_equals_a_dense_rnn_with_a_diagonal_matrix(pair, rng):
    """h[t] = tanh(a[t] + U h[t-1]) with U = diag(u), differentiated as a dense RNN: matrices, not Hadamard products."""
    T, B, N = 7, 2, 4
    a, dh = rng.normal(size=(2, T, B, N))
    u, h0 = rng.uniform(-1.2, 1.2, N), rng.normal(size=(B, N))
    U, states = np.diag(u), [h0]
    for t in range(T):
        states.append(np.tanh(a[t] + states[-1] @ U.T))
    carry, dU, da = np.zeros((B, N)), np.zeros((N, N)), np.zeros_like(a)
    for t in reversed(range(T)):
        da[t] = (dh[t] + carry) * (1 - states[t + 1]**2)
        dU += da[t].T @ states[t]
        carry = da[t] @ U
    h, cache = pair.indrnn_forward(a, u, h0, activation="tanh")
    for got, wanted in zip((h, *pair.indrnn_backward(dh, cache)), (np.array(states[1:]), da, np.diag(dU), carry)):
        assert_allclose(got, wanted, rtol=0, atol=1e-13)


@pairs
@pytest.mark.parametrize("activation", KIND)
def test_equals_exact_forward_mode(pair, activation, rng):
    """One trace per weight, e[t] = dh[t]/du, moves forward with h and needs no backward pass at all."""
    a, dh = rng.normal(size=(2, 30, 3, 5))
    u, h0 = rng.uniform(-1, 1, 5), rng.normal(size=(3, 5))
    h, cache = pair.indrnn_forward(a, u, h0, activation=activation)
    trace, dstate, du, dh0 = np.zeros((3, 5)), np.ones((3, 5)), np.zeros(5), np.zeros((3, 5))
    for t in range(30):
        before = h[t - 1] if t else h0
        trace = SLOPE[activation](h[t]) * (before + u * trace)
        dstate = SLOPE[activation](h[t]) * u * dstate
        du += (dh[t] * trace).sum(axis=0)
        dh0 += dh[t] * dstate
    _, got_du, got_dh0 = pair.indrnn_backward(dh, cache)
    assert_allclose(got_du, du, rtol=0, atol=1e-12)
    assert_allclose(got_dh0, dh0, rtol=0, atol=1e-12)


@pairs
@pytest.mark.parametrize("activation, act", [("tanh", sympy.tanh), ("identity", lambda z: z),
                                             ("sigmoid", lambda z: 1 / (1 + sympy.exp(-z)))])
def test_equals_the_symbolic_derivative_of_three_steps(pair, activation, act, rng):
    """SymPy unrolls T = 3 and differentiates; the numbers are put in afterwards."""
    a, u, h0, w = sympy.symbols("a:3"), sympy.Symbol("u"), sympy.Symbol("h0"), sympy.symbols("w:3")
    h, loss = h0, 0
    for t in range(3):
        h = act(a[t] + u * h)
        loss += w[t] * h
    values = dict(zip((*a, u, h0, *w), rng.normal(size=8)))
    wanted = [float(sympy.diff(loss, symbol).subs(values)) for symbol in (*a, u, h0)]

    def column(symbols):
        return np.array([values[s] for s in symbols]).reshape(-1, 1, 1)

    _, cache = pair.indrnn_forward(column(a), np.array([values[u]]), np.array([[values[h0]]]), activation=activation)
    da, du, dh0 = pair.indrnn_backward(column(w), cache)
    assert_allclose([*da.ravel(), *du, *dh0.ravel()], wanted, rtol=0, atol=1e-13)


def test_two_linear_layers_are_the_diagonalisable_linear_rnn(rng):
    """arXiv 1803.04831, section 4: f[t] = W x[t] + u f[t-1], s[t] = V f[t] is
    s[t] = V W x[t] + V diag(u) V^-1 s[t-1]."""
    T, N = 20, 4
    x, W, V, u = rng.normal(size=(T, 1, N)), rng.normal(size=(N, N)), rng.normal(size=(N, N)), rng.uniform(-1, 1, N)
    f, _ = indrnn_forward(x @ W.T, u, activation="identity")
    U, s = V @ np.diag(u) @ np.linalg.inv(V), np.zeros(N)
    for t in range(T):
        s = V @ W @ x[t, 0] + U @ s
        assert_allclose(f[t, 0] @ V.T, s, rtol=0, atol=1e-10)
