"""The plain recurrent network. What it shares with the other baselines: test_baselines.py."""
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from reference import SCALAR, B, N, T, close

from minindrnn import RNN, indrnn_backward, indrnn_forward
from minindrnn.ops.activations import KIND
from minindrnn.ops.rnn import rnn_backward, rnn_forward

pytestmark = pytest.mark.tutorial4


@pytest.mark.parametrize("activation", KIND)
def test_other_activations_are_their_formula(activation, rng):
    a, U, h = rng.normal(size=(T, B, N)), 0.3 * rng.normal(size=(N, N)), rng.normal(size=(B, N))
    got, _ = rnn_forward(a, U, h, activation=activation)
    act = np.vectorize(SCALAR[activation])
    for t in range(T):
        h = act(a[t] + h @ U.T)
        close(got[t], h)


@pytest.mark.parametrize("activation", KIND)
def test_a_diagonal_matrix_makes_it_an_indrnn(activation, rng):
    a, dh = rng.normal(size=(2, 9, 2, 4))
    u, h0 = rng.uniform(-1, 1, 4), rng.normal(size=(2, 4))
    h, cache = rnn_forward(a, np.diag(u), h0, activation=activation)
    da, dU, dh0 = rnn_backward(dh, cache)
    wanted, cache = indrnn_forward(a, u, h0, activation=activation)
    for got, expected in zip((h, da, np.diag(dU), dh0), (wanted, *indrnn_backward(dh, cache))):
        assert_allclose(got, expected, rtol=0, atol=1e-12)


def test_irnn_starts_with_the_identity(rng):
    irnn = RNN(2, 4, rng, activation="relu", U="identity")
    assert_array_equal(irnn["U"], np.eye(4))
    h, _ = irnn.forward(np.zeros((6, 1, 2), np.float32), np.ones((1, 4), np.float32))
    assert_allclose(h, 1)                                       # nothing is forgotten


@pytest.mark.parametrize("call, error, message", [
    (lambda: rnn_forward(np.zeros((2, 1, 3)), np.zeros((3, 4))), ValueError,
     r"U: expected \(N, N\) = \(3, 3\), got \(3, 4\)"),
    (lambda: rnn_forward(np.zeros((2, 1, 3)), np.zeros((3, 3), np.float32)), TypeError,
     "U: expected float64 like a, got float32"),
    (lambda: rnn_forward(np.zeros((2, 1, 3)), np.zeros((3, 3)), activation="rleu"), ValueError,
     "activation: expected one of .* got 'rleu'"),
    (lambda: RNN(2, 3, np.random.default_rng(0), U="orthogonal"), ValueError,
     "U: expected one of uniform, identity, got 'orthogonal'"),
    (lambda: RNN(2, 0, np.random.default_rng(0)), ValueError, "neurons: expected an integer of at least 1, got 0"),
    (lambda: RNN(2, 2.5, np.random.default_rng(0)), TypeError, "neurons: expected an integer, got 2.5"),
    (lambda: RNN(2, 3, np.random.default_rng(0), activation="rleu"), ValueError,
     "activation: expected one of .* got 'rleu'"),
    (lambda: RNN(2, 3, np.random.default_rng(0), dtype=np.int64), TypeError,
     "dtype: expected float32 or float64, got int64"),
])
def test_errors(call, error, message):
    with pytest.raises(error, match=message):
        call()
