import os
import subprocess
import sys

import numpy as np
import pytest
import reference
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from reference import B, N, T, assert_sums_keep_their_digits, close, long_or_many, ragged, steps_of
from strategies import seeds

from minindrnn import Linear, linear_backward, linear_forward
from minindrnn.ops.linear import kaiming, normal, scaled


@pytest.mark.tutorial2
@ragged
@pytest.mark.parametrize("M", [1, 2, 3, 4, 6])
def test_is_its_formula(M, lengths, rng):
    x, W, b = rng.normal(size=(T, B, M)), rng.normal(size=(N, M)), rng.normal(size=N)
    for bias in (None, b):
        wanted = np.zeros((T, B, N))
        for j, steps in enumerate(steps_of(lengths)):
            for t in range(steps):
                for n in range(N):
                    wanted[t, j, n] = sum(W[n, m] * x[t, j, m] for m in range(M)) + (0 if bias is None else bias[n])
        close(linear_forward(x, W, bias, lengths=lengths)[0], wanted)


@pytest.mark.tutorial2
@given(st.integers(1, 9), st.integers(1, 4), st.integers(1, 6), st.integers(1, 5), st.booleans(),
       st.sampled_from(["f4", "f8"]), seeds)
def test_equals_the_reference_and_never_reads_padding(T, B, M, N, ragged, dtype, seed):
    rng = np.random.default_rng(seed)
    x, dy = rng.normal(size=(T, B, M)).astype(dtype), rng.normal(size=(T, B, N)).astype(dtype)
    W, b = rng.normal(size=(N, M)).astype(dtype), rng.normal(size=N).astype(dtype)
    lengths = rng.integers(1, T + 1, B) if ragged else None
    padding = np.arange(T)[:, None] >= (lengths if ragged else np.full(B, T))
    x[padding], dy[padding] = 0, 0
    y = reference.linear_forward(x, W, b)
    y[padding] = 0
    wanted = y, *reference.linear_backward(dy, x, W)
    x[padding], dy[padding] = np.nan, np.nan
    y, cache = linear_forward(x, W, b, lengths=lengths)
    for got, expected in zip((y, *linear_backward(dy, cache)), wanted):
        assert got.dtype == x.dtype
        assert_allclose(got, expected, rtol=0, atol=(1e-5 if dtype == "f4" else 1e-13) * max(1, np.abs(expected).max()))


@pytest.mark.tutorial2
@pytest.mark.parametrize("M", [1, 8])
def test_sums_keep_their_digits_over_100_000_steps(M):
    """Equal terms, which a plain float32 sum rounds the same way every time."""
    x, dy = np.ones((100_000, 1, M), np.float32), np.full((100_000, 1, 2), 0.1, np.float32)
    _, cache = linear_forward(x, np.ones((2, M), np.float32), np.zeros(2, np.float32))
    _, dW, db = linear_backward(dy, cache)
    exact = 100_000 * np.float64(np.float32(0.1))
    assert np.all(np.abs(dW / exact - 1) < 5e-6) and np.all(np.abs(db / exact - 1) < 5e-6)
    assert abs(np.cumsum(dy[:, 0, 0])[-1] / exact - 1) > 5e-5


@long_or_many
def test_float32_sums_are_those_of_float64(T, B):
    def dW_and_db(x, dy):
        _, cache = linear_forward(x, np.ones((2, 2), x.dtype), np.ones(2, x.dtype))
        return linear_backward(dy, cache)[1:]
    assert_sums_keep_their_digits(dW_and_db, T, B)


WORST_SUM = """
import numpy as np
from minindrnn.ops.linear import products
worst = 0
for N, M in [(1, 1), (2, 8), (8, 4), (16, 16), (64, 8), (31, 32), (63, 65), (64, 64), (128, 128), (1, 4096), (4096, 1)]:
    for R in (700, 1000, 3000, 9000, 100_000):
        exact = R * np.float64(np.float32(0.1))
        sums = products(np.full((R, N), 0.1, np.float32), np.ones((R, M), np.float32))
        worst = max(worst, abs(sums / exact - 1).max())
print(worst)
"""


@pytest.mark.slow
@pytest.mark.once
@pytest.mark.parametrize("processor", ["Prescott", "Sandybridge", "Haswell", "Zen", "SkylakeX", "SapphireRapids"])
def test_sums_keep_their_digits_whatever_kernels_blas_has(processor):
    """Each generation of processors adds up the terms of a matrix product in an order of its own. OpenBLAS reads the
    name of one when it is loaded; what this machine cannot run ends with a signal."""
    done = subprocess.run([sys.executable, "-c", WORST_SUM], env=os.environ | {"OPENBLAS_CORETYPE": processor},
                          capture_output=True, text=True)
    if done.returncode < 0:
        pytest.skip(f"this processor cannot run the kernels for {processor}")
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 5e-6


def test_what_is_only_read_may_be_read_only(rng):
    x, dy = rng.normal(size=(3, 2, 5)), rng.normal(size=(3, 2, 4))
    _, cache = linear_forward(x, rng.normal(size=(4, 5)), np.zeros(4))
    wanted = linear_backward(dy, cache)
    x.flags.writeable = dy.flags.writeable = False
    for got, expected in zip(linear_backward(dy, cache), wanted):
        assert_array_equal(got, expected)


@pytest.mark.tutorial2
def test_backward_twice_is_the_same(rng):
    x, dy = rng.normal(size=(3, 2, 5)), rng.normal(size=(3, 2, 4))
    _, cache = linear_forward(x, rng.normal(size=(4, 5)), np.zeros(4), lengths=[2, 3])
    first = linear_backward(dy, cache)
    for one, two in zip(first, linear_backward(dy, cache)):
        assert_array_equal(one, two)


def test_x_and_dy_stay_as_they_are(rng):
    x, dy = rng.normal(size=(3, 2, 5)), rng.normal(size=(3, 2, 4))
    kept = x.copy(), dy.copy()
    _, cache = linear_forward(x, rng.normal(size=(4, 5)), np.zeros(4), lengths=[2, 3])
    linear_backward(dy, cache)
    assert_array_equal(x, kept[0])
    assert_array_equal(dy, kept[1])


@pytest.mark.parametrize("W, b, message", [
    (np.zeros((4, 2)), np.zeros(4),
     r"x: expected \(T, B, M\) = \(5, 1, 2\), got \(5, 1, 3\); W has shape \(N, M\) = \(4, 2\)"),
    (np.zeros((4, 3)), np.zeros(3), r"b: expected \(N,\) = \(4,\), got \(3,\); W has shape \(N, M\) = \(4, 3\)"),
])
def test_errors(W, b, message):
    with pytest.raises(ValueError, match=message):
        linear_forward(np.zeros((5, 1, 3)), W, b)


@pytest.mark.parametrize("call, message", [
    (lambda rng: Linear(0, 3, rng), "inputs: expected an integer of at least 1, got 0"),
    (lambda rng: Linear(3, 0, rng), "outputs: expected an integer of at least 1, got 0"),
    (lambda rng: normal(-1), "std: expected a finite number at least 0, got -1"),
    (lambda rng: scaled(-1), "gain: expected a finite number at least 0, got -1"),
    (lambda rng: kaiming(np.nan), "slope: expected a finite number at least 0, got nan"),
])
def test_errors_of_the_layer(call, message, rng):
    with pytest.raises(ValueError, match=message):
        call(rng)


@pytest.mark.parametrize("start, std, largest", [
    (normal(0.3), 0.3, np.inf), (scaled(), 1 / 20, np.inf), (scaled(2**0.5), 2**0.5 / 20, np.inf),
    (kaiming(8), 0.1754 / 20, 0.3038 / 20), (kaiming(0), (2 / 400)**0.5, (6 / 400)**0.5)])
def test_where_weights_start(start, std, largest, rng):
    """The papers' inner weights, kaiming(8): standard deviation 0.1754 and range 0.3038, divided by sqrt(inputs)."""
    W = Linear(400, 500, rng, W=start)["W"]
    assert abs(W.std() / std - 1) < 0.01 and abs(W.mean()) < 0.01 * std and np.abs(W).max() <= largest * 1.0002


def test_a_step_of_another_type_is_refused(rng):
    with pytest.raises(TypeError, match="x: expected float32 like W, got float64"):
        Linear(2, 4, rng).step(rng.normal(size=(2, 2)))


def test_what_is_asked_of_the_generator():
    """arXiv 1502.01852: the root of 6 / ((1 + slope^2) inputs); for 24 inputs and slope 0 that is 1/2."""
    for start, inputs, wanted in [(scaled(), 25, ("normal", 0, 0.2)), (scaled(3.0), 25, ("normal", 0, 0.6)),
                                  (normal(0.3), 25, ("normal", 0, 0.3)),
                                  (kaiming(0), 24, ("uniform", -0.5, 0.5)),
                                  (kaiming(8), 24, ("uniform", -0.5 / 65**0.5, 0.5 / 65**0.5))]:
        kind, *numbers = start(inputs)
        assert kind == wanted[0] and numbers == pytest.approx(wanted[1:], rel=1e-12)
