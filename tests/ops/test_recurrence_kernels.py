"""What only the CPU kernels promise: in place, blocks, threads, digits over long sequences."""
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import reference
from hypothesis import given
from numpy.testing import assert_allclose, assert_array_equal
from strategies import recurrences

from minindrnn import indrnn_backward, indrnn_forward
from minindrnn.ops import recurrence_kernels
from minindrnn.ops.activations import KIND
from minindrnn.ops.recurrence_kernels import BLOCK, TERMS, scratch

pytestmark = pytest.mark.tutorial9


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
    """The kernels hold no lock and no shared state: sequences done by different threads at once are those done by
    one."""
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


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_scratch_memory_and_the_rows_of_h_do_not_compete_in_the_cache(dtype):
    """It begins 512 bytes from where h does, modulo 4096; nor are its own rows a multiple of that apart."""
    memory = np.empty(9000, dtype)
    for first in (0, 1, 17, 700):
        h = memory[first:]
        s = scratch(5, h)
        assert (s.ctypes.data - h.ctypes.data // 64 * 64) % 4096 == 512
        assert s.shape == (5, recurrence_kernels.BLOCK + 32) and s.dtype == dtype and s.flags.c_contiguous
