"""Layers put together: what a network promises beyond its gradients."""
import numpy as np
import pytest
import sympy
from numpy.testing import assert_allclose, assert_array_equal

from minindrnn import AtLastStep, Chain, Concatenate, IndRNN, Linear, Residual, StackedIndRNN, Unit
from minindrnn.core.layer import leaves


def network(rng, dtype=np.float64):
    return StackedIndRNN(2, 5, 3, 4, rng, length=9, dtype=dtype)


def test_a_ragged_batch_equals_its_sequences_one_by_one(rng):
    net, lengths = network(rng), [9, 4, 1]
    x = rng.normal(size=(9, 3, 2))
    alone = [net.forward(np.ascontiguousarray(x[:n, b:b + 1]))[0][0] for b, n in enumerate(lengths)]
    for b, n in enumerate(lengths):
        x[n:, b] = np.nan
    y, cache = net.forward(x, lengths=lengths)
    assert_allclose(y, alone, rtol=0, atol=1e-13)
    dx, grads = net.backward(np.ones_like(y), cache)
    assert all(np.isfinite(grad).all() for _, grad in leaves(grads)) and np.isfinite(dx).all()


@pytest.mark.parametrize("lengths", [None, [8, 3, 1]])
def test_the_state_carries_a_sequence_over_a_cut(rng, lengths):
    body = Chain([IndRNN(2, 5, rng), Linear(5, 3, rng), IndRNN(3, 4, rng, activation="tanh")])
    x = rng.normal(size=(12, 3, 2)).astype(np.float32)
    if lengths is None:
        whole, _ = body.forward(x)
        first, cache = body.forward(np.ascontiguousarray(x[:8]))
        second, _ = body.forward(np.ascontiguousarray(x[8:]), body.last_state(cache))
        assert_allclose(np.concatenate([first, second]), whole, rtol=0, atol=1e-6)
    else:
        h, cache = body.forward(x, lengths=lengths)
        states = body.last_state(cache)
        assert states[1] is None and states[0].shape == (3, 5)
        assert_array_equal(states[2], h[np.array(lengths) - 1, np.arange(3)])


def test_backward_twice_is_the_same(rng):
    net = network(rng)
    y, cache = net.forward(rng.normal(size=(9, 2, 2)))
    (dx, grads), (again, same) = net.backward(np.ones_like(y), cache), net.backward(np.ones_like(y), cache)
    assert_array_equal(dx, again)
    for _, one, two in leaves(grads, same):
        assert_array_equal(one, two)


def test_equals_the_symbolic_derivative_of_a_residual_block(rng):
    """SymPy unrolls three steps of x + W2 h2 + b2, h2[t] = act(W1 h1[t] + b1 + u2 h2[t-1]), h1[t] = act(x[t] + u1 h1[t-1])
    of one neuron and differentiates by every number there is; ours must agree term by term."""
    x, w = sympy.symbols("x:3"), sympy.symbols("w:3")
    u1, W1, b1, u2, W2, b2, h1, h2 = symbols = sympy.symbols("u1 W1 b1 u2 W2 b2 h1 h2")
    loss, one, two = 0, h1, h2
    for t in range(3):
        one = sympy.tanh(x[t] + u1 * one)
        two = sympy.tanh(W1 * one + b1 + u2 * two)
        loss += w[t] * (x[t] + W2 * two + b2)
    numbers = dict(zip((*x, *w, *symbols), rng.normal(size=14)))
    wanted = [float(sympy.diff(loss, symbol).subs(numbers)) for symbol in (*x, *symbols)]
    half = lambda: [Unit(1, rng, activation="tanh", dtype=np.float64), Linear(1, 1, rng, dtype=np.float64)]
    block = Residual(Chain([*half(), *half()]))
    for (_, parameter), symbol in zip(leaves(block.parameters), symbols):
        parameter.value[...] = numbers[symbol]
    column = lambda names: np.array([numbers[name] for name in names], float).reshape(-1, 1, 1)
    _, cache = block.forward(column(x), [column([h1])[0], None, column([h2])[0], None])
    dx, grads = block.backward(column(w), cache)
    got = [*dx.ravel(), *(grad.item() for _, _, grad in leaves(block.parameters, grads)), grads[0]["h0"].item(), grads[2]["h0"].item()]
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


def test_gradients_have_the_tree_and_shapes_of_the_parameters(rng):
    net = network(rng, np.float32)
    y, cache = net.forward(np.ones((9, 2, 2), np.float32))
    dx, grads = net.backward(np.ones_like(y), cache)
    for path, parameter, grad in leaves(net.parameters, grads):
        assert grad.shape == parameter.value.shape and grad.dtype == parameter.value.dtype == np.float32, path


@pytest.mark.parametrize("call, message", [
    (lambda rng: Chain([]), "layers: expected at least one layer, got none"),
    (lambda rng: Chain([Linear(2, 3, rng)]).forward(np.ones((1, 1, 2), np.float32), [None, None]),
     "state: expected a list of 1, got a list of 2"),
    (lambda rng: StackedIndRNN(2, 3, 0, 1, rng, length=5), "layers: expected an integer of at least 1, got 0"),
    (lambda rng: IndRNN(2, 3, rng, u=(0.5, 0.1)), "u, its high end: expected a finite number at least 0.5, got 0.1"),
    (lambda rng: IndRNN(2, 3, rng).forward(np.ones((4, 2, 2), np.float32), np.zeros((3, 3), np.float32)),
     r"h0: expected \(B, N\) = \(2, 3\), got \(3, 3\); a has shape \(T, B, N\) = \(4, 2, 3\)"),
    (lambda rng: IndRNN(2, 3, rng, activation="rleu").forward(np.ones((4, 2, 2), np.float32)),
     "activation: expected one of relu, tanh, sigmoid, identity, got 'rleu'"),
    (lambda rng: AtLastStep(Linear(2, 3, rng)).forward(np.ones((4, 2, 2), np.float32), lengths=[5, 1]),
     "lengths: expected 1 to T = 4, got 5 for sequence 0"),
])
def test_errors(rng, call, message):
    with pytest.raises(ValueError, match=message):
        call(rng)
