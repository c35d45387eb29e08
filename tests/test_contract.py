"""The contract of the recurrence, the same for every backend; a new backend adds its name to BACKENDS. The obvious form
is the truth for the others and keeps the contract itself, but for the checks. On a GPU: `pytest -m gpu`; in the
simulator: see tests/gpu/test_simulator.py."""
import os

import numpy as np
import pytest
import reference
from hypothesis import given
from numpy.testing import assert_allclose, assert_array_equal
from strategies import recurrences

import minindrnn
import minindrnn.gpu
from minindrnn.gpu.recurrence import AHEAD
from minindrnn.ops.activations import KIND

pytestmark = pytest.mark.tutorial2

BACKENDS = [pytest.param(minindrnn, id="numba"), pytest.param(minindrnn.gpu, id="gpu", marks=pytest.mark.gpu)]
if os.environ.get("NUMBA_ENABLE_CUDASIM") == "1":
    BACKENDS.append(pytest.param(minindrnn.gpu, id="cuda simulator"))

checked = pytest.mark.parametrize("backend", BACKENDS)
also_obvious = pytest.mark.parametrize("backend", [pytest.param(reference, id="obvious"), *BACKENDS])


def close(got, expected):
    """Equal to rounding: float64 to 1e-13, float32 to 1e-5, relative to the array's largest element."""
    scale = max(1.0, np.abs(expected).max())
    assert got.dtype == expected.dtype
    assert_allclose(got, expected, rtol=0, atol=(1e-13 if got.dtype == np.float64 else 1e-5) * scale)


@checked
@given(problem=recurrences())
def test_equals_the_reference(backend, problem):
    a, u, h0, options, dh = problem
    h, cache = backend.indrnn_forward(a, u, h0, **options)
    expected, reference_cache = reference.indrnn_forward(a, u, h0, **options)
    close(h, expected)
    for got, wanted in zip(backend.indrnn_backward(dh, cache), reference.indrnn_backward(dh, reference_cache)):
        close(got, wanted)


@also_obvious
@given(problem=recurrences())
def test_padding_is_never_read(backend, problem):
    a, u, h0, options, dh = problem
    if options["lengths"] is None:
        return
    padding = np.arange(len(a))[:, None] >= options["lengths"]
    results = []
    for filling in (0, np.nan):
        a[padding], dh[padding] = filling, filling
        h, cache = backend.indrnn_forward(a, u, h0, **options)
        results.append((h, *backend.indrnn_backward(dh, cache)))
        assert not h[padding].any() and not results[-1][1][padding].any()
    for with_zeros, with_nan in zip(*results):
        assert_array_equal(with_zeros, with_nan)


@checked
def test_every_length_to_beyond_two_passes(backend, rng):
    """The CUDA kernels take AHEAD steps in one pass and the rest one by one; a batch has every length once."""
    lengths = np.arange(1, 2 * AHEAD + 3)
    a, dh = rng.normal(size=(2, len(lengths), len(lengths), 1))
    h, cache = backend.indrnn_forward(a, np.array([0.9]), activation="tanh", lengths=lengths)
    expected, reference_cache = reference.indrnn_forward(a, np.array([0.9]), activation="tanh", lengths=lengths)
    close(h, expected)
    for got, wanted in zip(backend.indrnn_backward(dh, cache), reference.indrnn_backward(dh, reference_cache)):
        close(got, wanted)


@also_obvious
@given(problem=recurrences())
def test_cutting_the_sequence_changes_no_bit(backend, problem):
    """h, da and dh0 are the same bits in one pass or many; du is a sum over the pieces, equal to rounding."""
    a, u, h0, options, dh = problem
    T, B, N = a.shape
    options["lengths"] = None
    h0 = np.zeros((B, N), a.dtype) if h0 is None else h0
    h, cache = backend.indrnn_forward(a, u, h0, **options)
    da, du, dh0 = backend.indrnn_backward(dh, cache)
    edges = sorted({0, T // 3, T // 2, T})
    state, caches = h0, []
    for start, stop in zip(edges, edges[1:]):
        piece, cache = backend.indrnn_forward(np.ascontiguousarray(a[start:stop]), u, state, **options)
        assert_array_equal(piece, h[start:stop])
        state = piece[-1].copy()
        caches.append(cache)
    carry, pieces = np.zeros_like(h0), np.zeros(N)
    for start, stop, cache in reversed(list(zip(edges, edges[1:], caches))):
        later = dh[start:stop].copy()
        later[-1] += carry
        piece, dpiece, carry = backend.indrnn_backward(later, cache)
        assert_array_equal(piece, da[start:stop])
        pieces += dpiece
    assert_array_equal(carry, dh0)
    close(pieces.astype(du.dtype), du)


@also_obvious
@given(problem=recurrences())
def test_what_comes_in_is_not_changed(backend, problem):
    a, u, h0, options, dh = problem
    inputs = [array for array in (a, u, h0, dh) if array is not None]
    before = [array.copy() for array in inputs]
    _, cache = backend.indrnn_forward(a, u, h0, **options)
    backend.indrnn_backward(dh, cache)
    for array, kept in zip(inputs, before):
        assert_array_equal(array, kept)


@also_obvious
@given(problem=recurrences())
def test_backward_twice_is_the_same(backend, problem):
    a, u, h0, options, dh = problem
    _, cache = backend.indrnn_forward(a, u, h0, **options)
    first = backend.indrnn_backward(dh, cache)
    for one, two in zip(first, backend.indrnn_backward(dh, cache)):
        assert_array_equal(one, two)


@also_obvious
@pytest.mark.parametrize("activation", KIND)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_nan_and_infinity_reach_the_output(backend, dtype, activation):
    a = np.zeros((9, 1, 3), dtype)
    a[4, 0, 0], a[4, 0, 1], a[4, 0, 2] = np.nan, np.inf, -np.inf
    h, cache = backend.indrnn_forward(a, np.full(3, 0.5, dtype), activation=activation)
    assert np.isnan(h[4:, 0, 0]).all() and not np.isnan(h[:4]).any() and not np.isnan(h[:, 0, 1:]).any()
    assert_array_equal(h[4, 0, 1:],
                       [reference.ACT[activation](dtype(np.inf)), reference.ACT[activation](dtype(-np.inf))]
                       if activation in ("relu", "identity", "tanh") else [1, h[4, 0, 2]])
    assert 0 <= h[4, 0, 2] < 1e-37 or activation in ("identity", "tanh")
    da, du, dh0 = backend.indrnn_backward(np.ones_like(h), cache)
    assert np.isnan(du[0])
    if activation in ("relu", "identity"):
        assert du[1] == np.inf
    da, du, dh0 = backend.indrnn_backward(np.full_like(h, np.nan), cache)
    assert np.isnan(du[1]) and (np.isnan(da[:, 0, 1]).all() or activation == "relu")


@also_obvious
def test_relu_has_slope_zero_at_the_kink(backend):
    h, cache = backend.indrnn_forward(np.zeros((2, 1, 1)), np.ones(1))
    da, du, dh0 = backend.indrnn_backward(np.ones((2, 1, 1)), cache)
    assert not da.any() and not du.any() and not dh0.any()


GOOD = {"a": np.zeros((6, 2, 4)), "u": np.zeros(4), "h0": np.zeros((2, 4)), "activation": "relu", "lengths": None}


@checked
@pytest.mark.parametrize("change, error, message", [
    ({"u": np.zeros(3)}, ValueError, "u: expected (N,) = (4,), got (3,); a has shape (T, B, N) = (6, 2, 4)"),
    ({"h0": np.zeros((2, 3))}, ValueError,
     "h0: expected (B, N) = (2, 4), got (2, 3); a has shape (T, B, N) = (6, 2, 4)"),
    ({"u": np.zeros((4, 1))}, ValueError,
     "u: expected 1 axes (N,), got shape (4, 1); a has shape (T, B, N) = (6, 2, 4)"),
    ({"a": np.zeros((6, 8))}, ValueError, "a: expected 3 axes (T, B, N), got shape (6, 8)"),
    ({"a": np.zeros((0, 2, 4))}, ValueError, "a: expected at least one element along each of (T, B, N), got (0, 2, 4)"),
    ({"a": np.zeros((6, 0, 4))}, ValueError, "a: expected at least one element along each of (T, B, N), got (6, 0, 4)"),
    ({"a": np.zeros((6, 2, 0))}, ValueError, "a: expected at least one element along each of (T, B, N), got (6, 2, 0)"),
    ({"a": [[[1.0]]]}, TypeError, "a: expected a NumPy array (T, B, N), got list"),
    ({"a": np.zeros((6, 2, 4), int)}, TypeError, "a: expected float32 or float64, got int64"),
    ({"u": np.zeros(4, np.float32)}, TypeError, "u: expected float64 like a, got float32"),
    ({"a": np.zeros((4, 2, 6)).T}, ValueError, "a: expected a C-contiguous array (T, B, N), got strides (8, 48, 96); "
                                               "use np.ascontiguousarray(a)"),
    ({"activation": "rleu"}, ValueError, "activation: expected one of relu, tanh, sigmoid, identity, got 'rleu'"),
    ({"lengths": [6, 7]}, ValueError, "lengths: expected 1 to T = 6, got 7 for sequence 1"),
    ({"lengths": [0, 6]}, ValueError, "lengths: expected 1 to T = 6, got 0 for sequence 0"),
    ({"lengths": [6]}, ValueError, "lengths: expected (B,) = (2,), got (1,)"),
    ({"lengths": [6.0, 6.0]}, TypeError, "lengths: expected integers, got float64"),
])
def test_errors_name_what_was_expected_and_what_was_got(backend, change, error, message):
    arguments = GOOD | change
    with pytest.raises(error) as caught:
        backend.indrnn_forward(arguments.pop("a"), arguments.pop("u"), arguments.pop("h0"), **arguments)
    assert str(caught.value) == message


@checked
def test_errors_of_backward(backend):
    _, cache = backend.indrnn_forward(GOOD["a"], GOOD["u"])
    with pytest.raises(ValueError, match=r"dh: expected \(T, B, N\) = \(6, 2, 4\), got \(6, 2, 5\); h has shape"):
        backend.indrnn_backward(np.zeros((6, 2, 5)), cache)
    with pytest.raises(TypeError, match="dh: expected float64 like h, got float32"):
        backend.indrnn_backward(np.zeros((6, 2, 4), np.float32), cache)
