"""What RNN, LSTM and GRU promise alike: the obvious loop, PyTorch's weights, padding, cuts. What each has of its own:
test_rnn.py, test_lstm.py, test_gru.py."""
import inspect
import re

import numba
import numpy as np
import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st
from llvmlite.binding import llvm_version_info
from numpy.testing import assert_allclose, assert_array_equal
from reference import ACT, B, N, T, assert_sums_keep_their_digits, close, long_or_many, ragged, steps_of
from strategies import seeds

from minindrnn import GRU, LSTM, RNN, IndRNN
from minindrnn.core.jit import OPTIONS
from minindrnn.core.layer import leaves
from minindrnn.ops import gru, lstm
from minindrnn.ops.gru import gru_backward, gru_forward
from minindrnn.ops.lstm import lstm_backward, lstm_forward
from minindrnn.ops.rnn import rnn_backward, rnn_forward

pytestmark = pytest.mark.tutorial4

sigmoid = ACT["sigmoid"]


def rnn_step(a, U, h):
    return np.tanh(a + h @ U.T)


def lstm_step(a, U, state):
    h, c = state
    i, f, g, o = np.split(a + h @ U.T, 4, axis=-1)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return np.stack([sigmoid(o) * np.tanh(c), c])


def gru_step(a, U, h):
    (ar, az, an), (pr, pz, pn) = np.split(a, 3, axis=-1), np.split(h @ U.T, 3, axis=-1)
    z = sigmoid(az + pz)
    return (1 - z) * np.tanh(an + sigmoid(ar + pr) * pn) + z * h


CELLS = {"rnn": (1, rnn_forward, rnn_backward, rnn_step, (), RNN),
         "lstm": (4, lstm_forward, lstm_backward, lstm_step, (2,), LSTM),
         "gru": (3, gru_forward, gru_backward, gru_step, (), GRU)}
every_cell = pytest.mark.parametrize("gates, forward, backward, step, state, layer", CELLS.values(), ids=CELLS)


def drawn(rng, gates, state, T=7, B=3, N=5, dtype=np.float64):
    return (rng.normal(size=(T, B, gates * N)).astype(dtype), rng.normal(size=(gates * N, N)).astype(dtype),
            rng.normal(size=(*state, B, N)).astype(dtype))


@every_cell
@given(seed=seeds, dtype=st.sampled_from([np.float32, np.float64]))
def test_equals_the_obvious_loop(gates, forward, backward, step, state, layer, seed, dtype):
    rng = np.random.default_rng(seed)
    T, B, N = rng.integers(1, 9), rng.integers(1, 4), rng.integers(1, 6)
    a, U, before = drawn(rng, gates, state, T, B, N, dtype)
    h, _ = forward(a, U, before)
    assert h.dtype == dtype
    for t in range(T):
        before = step(a[t], U, before)
        assert_allclose(h[t], before[0] if state else before, rtol=0, atol=1e-12 if dtype == np.float64 else 2e-5)


def gate(z):
    return 1 / (1 + np.exp(-z))


def by_steps(a, state, lengths, cell):
    """h (T, B, N) of a cell (a of one step of one sequence, state) -> (h, state), sequence by sequence."""
    h, last = np.zeros((T, B, N)), []
    for j, steps in enumerate(steps_of(lengths)):
        now = state[..., j, :]
        for t in range(steps):
            h[t, j], now = cell(a[t, j], now)
        last.append(now)
    return h, np.stack(last, axis=-2)


def lstm_cell(U):
    def cell(a, state):
        z = a + U @ state[0]
        i, f, g, o = gate(z[:N]), gate(z[N:2 * N]), np.tanh(z[2 * N:3 * N]), gate(z[3 * N:])
        c = f * state[1] + i * g
        return o * np.tanh(c), np.stack([o * np.tanh(c), c])
    return cell


def gru_cell(U):
    def cell(a, h):
        p = U @ h
        r, z = gate(a[:N] + p[:N]), gate(a[N:2 * N] + p[N:2 * N])
        n = np.tanh(a[2 * N:] + r * p[2 * N:])
        return (1 - z) * n + z * h, (1 - z) * n + z * h
    return cell


def rnn_cell(U):
    def cell(a, h):
        return np.tanh(a + U @ h), np.tanh(a + U @ h)
    return cell


every_cell_by_gates = pytest.mark.parametrize("forward, gates, state, cell, layer", [
    (rnn_forward, 1, (B, N), rnn_cell, RNN), (lstm_forward, 4, (2, B, N), lstm_cell, LSTM),
    (gru_forward, 3, (B, N), gru_cell, GRU)])


@ragged
@every_cell_by_gates
def test_is_its_formula_gate_by_gate(forward, gates, state, cell, layer, lengths, rng):
    a, U, before = rng.normal(size=(T, B, gates * N)), rng.normal(size=(gates * N, N)), rng.normal(size=state)
    close(forward(a, U, before, lengths=lengths)[0], by_steps(a, before, lengths, cell(U))[0])
    close(forward(a, U, lengths=lengths)[0], by_steps(a, np.zeros(state), lengths, cell(U))[0])


@ragged
@every_cell_by_gates
def test_a_layer_is_its_formula(forward, gates, state, cell, layer, lengths, rng):
    before = rng.normal(size=state)
    made, x = layer(4, N, rng, dtype=np.float64), rng.normal(size=(T, B, 4))
    h, last = by_steps(x @ made["W"].T + made["b"], before, lengths, cell(made["U"]))
    y, cache = made.forward(x, before, lengths=lengths)
    close(y, h)
    close(made.last_state(cache), last)


def torch_by_its_formulas(kind, x, h, c, w, N):
    """The recurrence as the documentation of torch.nn writes it, a sequence (T, M) after the other, every gate by
    itself."""
    def gate(k, act, x, h, inner=1):
        rows = slice(k * N, (k + 1) * N)
        return act(w["weight_ih_l0"][rows] @ x + w["bias_ih_l0"][rows]
                   + inner * (w["weight_hh_l0"][rows] @ h + w["bias_hh_l0"][rows]))

    for x_t in x:
        if kind == "RNN":
            h = gate(0, np.tanh, x_t, h)
        elif kind == "LSTM":
            i, f, g, o = (gate(k, act, x_t, h) for k, act in enumerate((sigmoid, sigmoid, np.tanh, sigmoid)))
            c = f * c + i * g
            h = o * np.tanh(c)
        else:
            r, z = (gate(k, sigmoid, x_t, h) for k in range(2))
            n = gate(2, np.tanh, x_t, h, r)
            h = (1 - z) * n + z * h
        yield h


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_weights_of_pytorch_load_exactly(kind, rng):
    """By the recipe of the docstrings; the truth is PyTorch where it is installed, else its published formulas."""
    layer_of, described, gates = {"RNN": (RNN, RNN, 1), "LSTM": (LSTM, RNN, 4), "GRU": (GRU, GRU, 3)}[kind]
    T, B, M, N = 6, 3, 2, 4
    w = {name: rng.normal(size=shape)
         for name, shape in [("weight_ih_l0", (gates * N, M)), ("weight_hh_l0", (gates * N, N)),
                            ("bias_ih_l0", gates * N), ("bias_hh_l0", gates * N)]}
    x, layer = rng.normal(size=(T, B, M)), layer_of(M, N, rng, dtype=np.float64)
    recipe = re.findall(r"^ +(layer\[.*)", described.__doc__, re.MULTILINE)
    exec("\n".join(recipe), {"layer": layer, "neurons": N} | w)
    h, _ = layer.forward(x)
    for b in range(B):
        wanted = list(torch_by_its_formulas(kind, x[:, b], np.zeros(N), np.zeros(N), w, N))
        assert_allclose(h[:, b], wanted, rtol=0, atol=1e-13)
    try:
        import torch
    except ImportError:
        return
    other = getattr(torch.nn, kind)(M, N).double()
    other.load_state_dict({name: torch.from_numpy(array) for name, array in w.items()})
    assert_allclose(h, other(torch.from_numpy(x))[0].detach().numpy(), rtol=0, atol=1e-12)


@every_cell
def test_padding_is_never_read(gates, forward, backward, step, state, layer, rng):
    a, U, before = drawn(rng, gates, state)
    dh, lengths = rng.normal(size=(7, 3, 5)), np.array([7, 3, 1])
    padding = np.arange(7)[:, None] >= lengths
    results = []
    for filling in (0, np.nan):
        a[padding], dh[padding] = filling, filling
        h, cache = forward(a, U, before, lengths=lengths)
        results.append((h, *backward(dh, cache)))
        assert not h[padding].any() and not results[-1][1][padding].any()
    for with_zeros, with_nan in zip(*results):
        assert_array_equal(with_zeros, with_nan)


@every_cell
def test_a_sequence_in_a_ragged_batch_is_what_it_is_alone(gates, forward, backward, step, state, layer, rng):
    a, U, before = drawn(rng, gates, state)
    dh = rng.normal(size=(7, 3, 5))
    h, cache = forward(a, U, before, lengths=[7, 3, 1])
    da = backward(dh, cache)[0]
    alone, cache = forward(np.ascontiguousarray(a[:3, 1:2]), U, np.ascontiguousarray(before[..., 1:2, :]))
    assert_allclose(h[:3, 1:2], alone, rtol=0, atol=1e-14)
    assert_allclose(da[:3, 1:2], backward(np.ascontiguousarray(dh[:3, 1:2]), cache)[0], rtol=0, atol=1e-13)


@every_cell
def test_the_state_carries_a_sequence_over_a_cut_bit_for_bit(gates, forward, backward, step, state, layer, rng):
    network = layer(gates, 5, rng, dtype=np.float64)
    x = rng.normal(size=(7, 3, gates))
    whole, _ = network.forward(x)
    first, cache = network.forward(np.ascontiguousarray(x[:4]))
    second, _ = network.forward(np.ascontiguousarray(x[4:]), network.last_state(cache))
    assert_array_equal(np.concatenate([first, second]), whole)


@every_cell
def test_the_state_is_that_of_the_last_step_of_each_sequence(gates, forward, backward, step, state, layer, rng):
    network, lengths = layer(gates, 5, rng, dtype=np.float64), [4, 2, 1]
    x = rng.normal(size=(4, 3, gates))
    _, cache = network.forward(x, lengths=lengths)
    got = network.last_state(cache)
    for b, n in enumerate(lengths):
        _, alone = network.forward(np.ascontiguousarray(x[:n, b:b + 1]))
        assert_allclose(got[..., b:b + 1, :], network.last_state(alone), rtol=0, atol=1e-14)


@every_cell
def test_backward_twice_is_the_same(gates, forward, backward, step, state, layer, rng):
    a, U, before = drawn(rng, gates, state)
    dh = rng.normal(size=(7, 3, 5))
    _, cache = forward(a, U, before)
    first, second = backward(dh, cache), backward(dh, cache)
    for one, two in zip(first, second):
        assert_array_equal(one, two)


@every_cell
def test_inputs_are_left_alone(gates, forward, backward, step, state, layer, rng):
    a, U, before = drawn(rng, gates, state)
    dh = rng.normal(size=(7, 3, 5))
    kept = [array.copy() for array in (a, U, before, dh)]
    _, cache = forward(a, U, before)
    backward(dh, cache)
    for array, copy in zip((a, U, before, dh), kept):
        assert_array_equal(array, copy)


@every_cell
def test_gradients_have_the_shapes_and_types_of_the_parameters(gates, forward, backward, step, state, layer, rng):
    network = layer(2, 5, rng)
    y, cache = network.forward(rng.normal(size=(7, 3, 2)).astype(np.float32))
    _, grads = network.backward(y, cache)
    for path, parameter, grad in leaves(network.parameters, grads):
        assert grad.shape == parameter.value.shape and grad.dtype == np.float32, path


def s(x):
    return 1 / (1 + sympy.exp(-x))


def symbolic_lstm(a, u, h, c):
    i, f, g, o = (x + w * h for x, w in zip(a, u))
    c = s(f) * c + s(i) * sympy.tanh(g)
    return s(o) * sympy.tanh(c), c


def symbolic_gru(a, u, h, b_hn):
    r, z = s(a[0] + u[0] * h), s(a[1] + u[1] * h)
    return (1 - z) * sympy.tanh(a[2] + r * (u[2] * h + b_hn)) + z * h, b_hn


@pytest.mark.once
@pytest.mark.parametrize("cell, symbolic", [("lstm", symbolic_lstm), ("gru", symbolic_gru)])
def test_equals_the_symbolic_derivative_of_two_steps(cell, symbolic, rng):
    """SymPy unrolls T = 2 of one neuron and differentiates; the numbers are put in afterwards."""
    gates, forward, backward, _, state, _ = CELLS[cell]
    a, u, w, start = (sympy.symbols(names, real=True) for names in (f"a:{2 * gates}", f"u:{gates}", "w:2", "h c"))
    loss, now = 0, start                                  # for the GRU c is b_hn, which stays what it is
    for t in range(2):
        now = symbolic(a[t * gates:(t + 1) * gates], u, *now)
        loss += w[t] * now[0]
    symbols = (*a, *u, *start)
    numbers = rng.normal(size=len(symbols) + 2)
    wanted = sympy.lambdify((*symbols, *w), [sympy.diff(loss, symbol) for symbol in symbols])(*numbers)
    last = [numbers[-4:-2].reshape(2, 1, 1)] if state else [numbers[-4:-3].reshape(1, 1), numbers[-3:-2]]
    _, cache = forward(numbers[:2 * gates].reshape(2, 1, -1), numbers[2 * gates:3 * gates].reshape(-1, 1), *last)
    got = backward(numbers[-2:].reshape(2, 1, 1), cache)
    assert_allclose(np.concatenate([array.ravel() for array in got]), wanted, rtol=0, atol=1e-13)


def test_the_matrix_starts_within_one_over_the_root_of_its_neurons(rng):
    for layer in (RNN(2, 9, rng), LSTM(2, 4, rng), GRU(2, 4, rng)):
        assert np.abs(layer["U"]).max() <= layer["U"].shape[1] ** -0.5
        assert layer.parameters["U"].role == "weight"


def test_the_papers_parameter_counts(rng):
    """arXiv 1910.06251, section 3: RNN M N + N^2 + N, LSTM four times that, IndRNN M N + 2 N."""
    from minindrnn.core.layer import count
    M, N = 2, 128
    assert count(RNN(M, N, rng).parameters) == M * N + N**2 + N == 16_768
    assert count(LSTM(M, N, rng).parameters) == 4 * (M * N + N**2 + N) == 67_072
    assert count(GRU(M, N, rng).parameters) == 3 * (M * N + N**2 + N) + N            # and b_hn
    assert count(IndRNN(M, N, rng).parameters) == M * N + 2 * N


@long_or_many
@pytest.mark.parametrize("gates, forward, backward", [row[:3] for row in CELLS.values()], ids=CELLS)
def test_sums_keep_their_digits(gates, forward, backward, T, B):
    def dU(x, dy):
        a = np.tile(x, gates)
        state = np.stack([x[0]] * 2) if gates == 4 else x[0]
        _, cache = forward(a, np.full((2 * gates, 2), 0.1, x.dtype), state)
        return backward(dy, cache)[1],
    assert_sums_keep_their_digits(dU, T, B)


@pytest.mark.skipif(numba.config.DISABLE_JIT, reason="looks at what the compiler made")
@pytest.mark.skipif(llvm_version_info < (20,),
                    reason="LLVM before 20 (Numba before 0.62) leaves most of these loops alone: slower, not wrong")
@pytest.mark.parametrize("kernel, axes", [
    (lstm.advance, "4 4 1 4 1 1"), (lstm.retreat, "1 4 1 1 1 1 4"),
    (gru.advance, "3 3 0 1 3 1 1"), (gru.retreat, "1 3 1 1 1 3 3")])
def test_every_loop_of_a_step_is_vectorised(kernel, axes):
    """They were not, silently, for as long as one loop read and wrote too many arrays."""
    compiled = numba.njit(**OPTIONS | dict(cache=False, fastmath={"contract", "nsz"}))(kernel.py_func)
    compiled(*(np.zeros((2, 8 * int(width)) if width > "0" else 8, np.float32) for width in axes.split()))
    code, = compiled.inspect_llvm().values()
    loops = len(re.findall("for [nk] in", inspect.getsource(kernel.py_func)))
    assert len(re.findall(r"^vector\.body\S*:", code, re.MULTILINE)) >= loops
