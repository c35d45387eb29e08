"""What only the CPU kernels promise: in place, bits, digits over long sequences; and oracles that share nothing with them
and the obvious form."""
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import reference
import sympy
from hypothesis import given
from numpy.testing import assert_allclose, assert_array_equal
from strategies import recurrences

import minindrnn
from minindrnn import indrnn_backward, indrnn_forward
from minindrnn.ops.activations import KIND
from minindrnn.ops.recurrence_kernels import BLOCK, TERMS


@given(problem=recurrences())
def test_in_place_gives_the_same_bits(problem):
    a, u, h0, options, dh = problem
    h, cache = indrnn_forward(a, u, h0, **options)
    da, du, dh0 = indrnn_backward(dh, cache)
    over, cache = indrnn_forward(a, u, h0, **options, out=a)
    assert over is a
    assert_array_equal(a, h)
    for got, wanted in zip(indrnn_backward(dh, cache, out=dh), (da, du, dh0)):
        assert_array_equal(got, wanted)


@pytest.mark.parametrize("activation", KIND)
def test_more_columns_than_a_block_and_more_terms_than_a_sum(activation, rng):
    T, B, N = TERMS + 7, 3, BLOCK // 2 + 1
    if activation != "relu":
        T, N = 5, BLOCK + 3
    a, dh = rng.normal(size=(2, T, B, N)).astype(np.float32)
    u = rng.uniform(-1, 1, N).astype(np.float32)
    few = np.r_[0, 1, N // 2, N - 2, N - 1]
    h, cache = indrnn_forward(a, u, activation=activation)
    got = h, *indrnn_backward(dh, cache)
    h, cache = reference.indrnn_forward(a[:, :, few].astype(float), u[few].astype(float), activation=activation)
    for one, wanted in zip(got, (h, *reference.indrnn_backward(dh[:, :, few].astype(float), cache))):
        assert_allclose(one[..., few], wanted, rtol=2e-5, atol=2e-5)


def test_same_bits_from_several_threads(rng):
    """The kernels hold no lock and no shared state: sequences done by different threads at once are those done by one."""
    a, dh = rng.normal(size=(2, 50, 8, 16)).astype(np.float32)
    u = rng.uniform(-1, 1, 16).astype(np.float32)
    h, cache = indrnn_forward(a, u)
    da, _, dh0 = indrnn_backward(dh, cache)

    def part(b):
        h, cache = indrnn_forward(np.ascontiguousarray(a[:, b:b + 2]), u)
        return h, *indrnn_backward(np.ascontiguousarray(dh[:, b:b + 2]), cache)

    with ThreadPoolExecutor(4) as pool:
        for b, (hb, dab, _, dh0b) in zip(range(0, 8, 2), pool.map(part, range(0, 8, 2))):
            assert_array_equal(hb, h[:, b:b + 2])
            assert_array_equal(dab, da[:, b:b + 2])
            assert_array_equal(dh0b, dh0[b:b + 2])


@pytest.mark.parametrize("constant", [0.1, 0.3, 0.7])
def test_du_keeps_its_digits_over_100_000_steps(constant):
    """Equal terms round the same way every time, so that a plain float32 sum drifts; ours does not."""
    a = np.full((100_000, 1, 2), constant, np.float32)
    u = np.array([0.0, 0.5], np.float32)
    h, cache = indrnn_forward(a, u)
    da, du, _ = indrnn_backward(np.ones_like(a), cache)
    exact = (da[1:].astype(np.float64) * h[:-1]).sum(axis=(0, 1))
    plain = np.cumsum(da[1:] * h[:-1], axis=0, dtype=np.float32)[-1, 0]
    assert np.all(np.abs(du / exact - 1) < 5e-6)
    assert np.all(np.abs(plain / exact - 1) > 5e-5)


def test_lengths_are_those_of_the_forward_pass(rng):
    """A cache does not see what the caller does with the array of lengths afterwards."""
    a, lengths = rng.normal(size=(5, 2, 3)), np.array([2, 5])
    _, cache = indrnn_forward(a, np.full(3, 0.5), lengths=lengths)
    wanted = indrnn_backward(np.ones_like(a), cache)
    lengths[:] = 9
    for got, expected in zip(indrnn_backward(np.ones_like(a), cache), wanted):
        assert_array_equal(got, expected)


# ---------------------------------------------------------------------------------------------------------
# Oracles, of what runs and of the obvious form.

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
    column = lambda symbols: np.array([values[s] for s in symbols]).reshape(-1, 1, 1)
    _, cache = pair.indrnn_forward(column(a), np.array([values[u]]), np.array([[values[h0]]]), activation=activation)
    da, du, dh0 = pair.indrnn_backward(column(w), cache)
    assert_allclose([*da.ravel(), *du, *dh0.ravel()], wanted, rtol=0, atol=1e-13)


def test_two_linear_layers_are_the_diagonalisable_linear_rnn(rng):
    """arXiv 1803.04831, section 4: f[t] = W x[t] + u f[t-1], s[t] = V f[t] is s[t] = V W x[t] + V diag(u) V^-1 s[t-1]."""
    T, N = 20, 4
    x, W, V, u = rng.normal(size=(T, 1, N)), rng.normal(size=(N, N)), rng.normal(size=(N, N)), rng.uniform(-1, 1, N)
    f, _ = indrnn_forward(x @ W.T, u, activation="identity")
    U, s = V @ np.diag(u) @ np.linalg.inv(V), np.zeros(N)
    for t in range(T):
        s = V @ W @ x[t, 0] + U @ s
        assert_allclose(f[t, 0] @ V.T, s, rtol=0, atol=1e-10)
