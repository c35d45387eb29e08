"""Layers put together: what Chain, Residual, Concatenate and AtLastStep promise beyond their gradients."""
import numpy as np
import pytest
import sympy
from numpy.testing import assert_allclose, assert_array_equal
from reference import SCALAR, B, N, T, close, ragged, recurrence, steps_of
from strategies import f32

from minindrnn import AtLastStep, BatchNorm, Chain, Concatenate, Dropout, IndRNN, Linear, Residual, Unit
from minindrnn.core.layer import leaves

pytestmark = pytest.mark.tutorial5


@ragged
def test_are_their_formulas(lengths, rng):
    """A unit, x -> h: x + h and [x, h]; and in a chain, h + the unit of h."""
    x, u = rng.normal(size=(T, B, N)), rng.uniform(-1, 1, N)
    unit = Unit(N, rng, dtype=np.float64)
    unit["u"][:] = u
    padding = np.arange(T)[:, None] >= steps_of(lengths)
    h, skip = recurrence(x, u, np.zeros((B, N)), SCALAR["relu"], lengths), np.where(padding[:, :, None], 0, x)
    close(Residual(unit).forward(x, lengths=lengths)[0], skip + h)
    close(Concatenate(unit).forward(x, lengths=lengths)[0], np.concatenate([skip, h], axis=2))
    again = recurrence(h, u, np.zeros((B, N)), SCALAR["relu"], lengths)
    close(Chain([unit, Residual(unit)]).forward(x, lengths=lengths)[0], h + again)


@ragged
def test_the_last_step_of_each_sequence(lengths, rng):
    x, linear = rng.normal(size=(T, B, N)), Linear(N, 2, rng, dtype=np.float64)
    linear["b"][:] = [1.0, -1.0]
    wanted = [linear["W"] @ x[steps - 1, j] + linear["b"] for j, steps in enumerate(steps_of(lengths))]
    close(AtLastStep(linear).forward(x, lengths=lengths)[0], wanted)


def chain(rng):
    return Chain([IndRNN(2, 5, rng), Linear(5, 3, rng), IndRNN(3, 4, rng, activation="tanh")])


def test_the_state_carries_a_sequence_over_a_cut(rng):
    body, x = chain(rng), f32(12, 3, 2, rng=rng)
    whole, _ = body.forward(x)
    first, cache = body.forward(np.ascontiguousarray(x[:8]))
    second, _ = body.forward(np.ascontiguousarray(x[8:]), body.last_state(cache))
    assert_allclose(np.concatenate([first, second]), whole, rtol=0, atol=1e-6)


def test_the_state_of_a_chain_is_that_of_each_layer_where_its_sequence_ends(rng):
    body, lengths = chain(rng), [8, 3, 1]
    h, cache = body.forward(f32(12, 3, 2, rng=rng), lengths=lengths)
    states = body.last_state(cache)
    assert states[1] is None
    assert states[0].shape == (3, 5)
    assert_array_equal(states[2], h[np.array(lengths) - 1, np.arange(3)])


def test_equals_the_symbolic_derivative_of_a_residual_block(rng):
    """SymPy unrolls three steps of one neuron, x + W2 h2 + b2 with h2[t] = act(W1 h1[t] + b1 + u2 h2[t-1]) and
    h1[t] = act(x[t] + u1 h1[t-1]), and differentiates by every number there is; ours must agree term by term."""
    x, w = sympy.symbols("x:3"), sympy.symbols("w:3")
    u1, W1, b1, u2, W2, b2, h1, h2 = symbols = sympy.symbols("u1 W1 b1 u2 W2 b2 h1 h2")
    loss, one, two = 0, h1, h2
    for t in range(3):
        one = sympy.tanh(x[t] + u1 * one)
        two = sympy.tanh(W1 * one + b1 + u2 * two)
        loss += w[t] * (x[t] + W2 * two + b2)
    numbers = dict(zip((*x, *w, *symbols), rng.normal(size=14)))
    wanted = [float(sympy.diff(loss, symbol).subs(numbers)) for symbol in (*x, *symbols)]
    halves = [(Unit(1, rng, activation="tanh", dtype=np.float64), Linear(1, 1, rng, dtype=np.float64)) for _ in "12"]
    block = Residual(Chain([*halves[0], *halves[1]]))
    for (_, parameter), symbol in zip(leaves(block.parameters), symbols):
        parameter.value[...] = numbers[symbol]

    def column(names):
        return np.array([numbers[name] for name in names], float).reshape(-1, 1, 1)

    _, cache = block.forward(column(x), [column([h1])[0], None, column([h2])[0], None])
    dx, grads = block.backward(column(w), cache)
    got = [*dx.ravel(), *(grad.item() for _, _, grad in leaves(block.parameters, grads)), grads[0]["h0"].item(),
           grads[2]["h0"].item()]
    assert_allclose(got, wanted, rtol=0, atol=1e-13)


@pytest.mark.parametrize("combinator, identity_and", [(Residual, lambda W: np.eye(4) + W),
                                                      (Concatenate, lambda W: np.concatenate([np.eye(4), W]))])
def test_a_combinator_around_a_linear_map_is_a_linear_map(combinator, identity_and, rng):
    """x + W x = (I + W) x and [x, W x] = [I; W] x, so their gradients are transposes of those matrices."""
    block = combinator(Linear(4, 4, rng, dtype=np.float64))
    W = identity_and(block.layer["W"])
    x, dy = rng.normal(size=(3, 2, 4)), rng.normal(size=(3, 2, len(W)))
    y, cache = block.forward(x)
    dx, grads = block.backward(dy, cache)
    assert_allclose(y, x @ W.T, rtol=0, atol=1e-13)
    assert_allclose(dx, dy @ W, rtol=0, atol=1e-13)
    assert_allclose(grads["W"], np.einsum("tbn,tbm->nm", dy[:, :, -4:], x), rtol=0, atol=1e-13)


@pytest.mark.parametrize("layer", [
    Residual(Linear(2, 2, np.random.default_rng(0))), Concatenate(Linear(2, 3, np.random.default_rng(0))),
    Dropout(0.5), Chain([Dropout(0.5), Residual(Unit(2, np.random.default_rng(0)))])])
def test_padding_is_not_read(layer, rng):
    x, lengths = f32(4, 2, 2, rng=rng), [4, 2]
    padding = np.arange(4)[:, None] >= lengths
    x[padding] = np.nan
    y, cache = layer.forward(x, lengths=lengths, rng=np.random.default_rng(1))
    dy = np.where(padding[:, :, None], np.nan, np.ones_like(y))
    dx, _ = layer.backward(dy, cache)
    assert np.isfinite(y).all() and not y[padding].any()
    assert np.isfinite(dx).all() and not dx[padding].any()


@pytest.mark.parametrize("kind", [Residual, Concatenate])
@pytest.mark.parametrize("start", [0, 2, 9])
def test_a_block_in_use_tells_its_layer_which_step_it_is(kind, start, rng):
    norm, x = BatchNorm(3, length=4, dtype=np.float64), rng.normal(size=(2, 3))
    norm.buffers["mean"][:], norm.buffers["updates"][:] = rng.normal(size=(4, 3)), 1
    F = (x - norm.buffers["mean"][min(start, 3)]) / np.sqrt(1 + 1e-5)
    y, _ = kind(norm).step(x, start=start)
    assert_allclose(y, x + F if kind is Residual else np.concatenate([x, F], axis=1), rtol=1e-13)


def test_a_chain_writes_over_no_gradient_that_is_not_its_own(rng):
    """The last layer, dropout of nothing, hands on the very array that the caller gave."""
    chain, x = Chain([IndRNN(2, 3, rng), Dropout(0.0)]), f32(4, 5, 2, rng=rng)
    dy = f32(4, 5, 3, rng=rng)
    before, (_, cache) = dy.copy(), chain.forward(x)
    first, second = (chain.backward(dy, cache)[0] for _ in range(2))
    assert_array_equal(dy, before)
    assert_array_equal(first, second)


@pytest.mark.parametrize("call, message", [
    (lambda rng: Chain([]), "layers: expected at least one layer, got none"),
    (lambda rng: Chain([Linear(2, 3, rng)]).forward(f32(1, 1, 2, rng=rng), [None, None]),
     "state: expected a list of 1, got a list of 2"),
    (lambda rng: Chain([Linear(2, 4, rng), Linear(4, 1, rng)]).step(f32(1, 2, rng=rng), [None]),
     "state: expected a list of 2, got a list of 1"),
    (lambda rng: Chain([Linear(2, 4, rng), Linear(4, 1, rng)]).forward(f32(3, 1, 2, rng=rng), 5),
     "state: expected a list of 2, got int"),
    (lambda rng: AtLastStep(Linear(2, 3, rng)).forward(f32(4, 2, 2, rng=rng), lengths=[5, 1]),
     "lengths: expected 1 to T = 4, got 5 for sequence 0"),
    (lambda rng: Residual(Linear(2, 3, rng)).forward(f32(1, 1, 2, rng=rng)),
     r"Residual: expected a layer that keeps the shape \(1, 1, 2\), got \(1, 1, 3\)"),
])
def test_errors(rng, call, message):
    with pytest.raises((TypeError, ValueError), match=message):
        call(rng)
