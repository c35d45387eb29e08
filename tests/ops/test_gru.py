"""The GRU. What it shares with the other baselines: test_baselines.py."""
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from reference import ACT
from strategies import seeds

from minindrnn.ops.gru import gru_forward


@given(seed=seeds, dtype=st.sampled_from([np.float32, np.float64]))
def test_a_bias_inside_the_reset_gate_equals_the_obvious_loop(seed, dtype):
    rng = np.random.default_rng(seed)
    T, B, N = rng.integers(1, 6, 3)
    a, U = rng.normal(size=(T, B, 3 * N)).astype(dtype), rng.normal(size=(3 * N, N)).astype(dtype)
    h, b_hn = rng.normal(size=(B, N)).astype(dtype), rng.normal(size=N).astype(dtype)
    got, _ = gru_forward(a, U, h, b_hn)
    sigmoid = ACT["sigmoid"]
    for t in range(T):
        (ar, az, an), (pr, pz, pn) = np.split(a[t], 3, axis=-1), np.split(h @ U.T, 3, axis=-1)
        z = sigmoid(az + pz)
        h = (1 - z) * np.tanh(an + sigmoid(ar + pr) * (pn + b_hn)) + z * h
        assert_allclose(got[t], h, rtol=0, atol=1e-12 if dtype == np.float64 else 2e-5)


@pytest.mark.parametrize("call, message", [
    (lambda: gru_forward(np.zeros((2, 1, 8)), np.zeros((8, 2))), r"U: expected \(3 N, N\), got \(8, 2\)"),
    (lambda: gru_forward(np.zeros((2, 1, 6)), np.zeros((6, 2)), np.zeros((3, 2))),
     r"h0: expected \(B, N\) = \(1, 2\), got \(3, 2\)"),
    (lambda: gru_forward(np.zeros((2, 1, 6)), np.zeros((6, 2)), None, np.zeros(6)),
     r"b_hn: expected \(N,\) = \(2,\), got \(6,\); h has shape \(T, B, N\) = \(2, 1, 2\)"),
])
def test_errors(call, message):
    with pytest.raises(ValueError, match=message):
        call()
