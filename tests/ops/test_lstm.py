"""The LSTM. What it shares with the other baselines: test_baselines.py."""
import numpy as np
import pytest
from numpy.testing import assert_array_equal

from minindrnn import LSTM
from minindrnn.ops.lstm import lstm_forward

pytestmark = pytest.mark.tutorial4


def test_the_bias_of_the_forget_gate_starts_at_one(rng):
    assert_array_equal(LSTM(2, 4, rng)["b"], [0] * 4 + [1] * 4 + [0] * 8)


@pytest.mark.parametrize("call, message", [
    (lambda: lstm_forward(np.zeros((2, 1, 8)), np.zeros((6, 2))),
     r"a: expected \(T, B, Z\) = \(2, 1, 6\), got \(2, 1, 8\)"),
    (lambda: lstm_forward(np.zeros((2, 1, 6)), np.zeros((6, 2))), r"U: expected \(4 N, N\), got \(6, 2\)"),
    (lambda: lstm_forward(np.zeros((2, 1, 8)), np.zeros((8, 2)), np.zeros((1, 1, 2))),
     r"s0: expected \(2, B, N\) = \(2, 1, 2\), got \(1, 1, 2\); h has shape \(T, B, N\) = \(2, 1, 2\)"),
    (lambda: LSTM(2, 4, np.random.default_rng(0)).forward(np.ones((2, 3, 2), np.float32),
                                                          np.ones((2, 1, 4), np.float32)),
     r"s0: expected \(2, B, N\) = \(2, 3, 4\), got \(2, 1, 4\)"),
    (lambda: LSTM(2, 3, np.random.default_rng(0), activation="relu"),
     "activation: expected one of tanh, got 'relu'"),
])
def test_errors(call, message):
    with pytest.raises(ValueError, match=message):
        call()
