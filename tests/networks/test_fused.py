"""The fused path: equal to the plain composition, with any bias, map, normalisation and dropout."""
import numpy as np
import pytest
import reference
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from reference import SCALAR, B, N, T, assert_sums_keep_their_digits, long_or_many, ragged, recurrence
from strategies import recurrences, seeds

from minindrnn import BatchNorm, Dropout, IndRNN, LayerNorm, Unit, indrnn_backward, indrnn_forward
from minindrnn.core.layer import leaves
from minindrnn.networks.fused import fused_backward, fused_forward, narrow
from minindrnn.ops.activations import KIND
from minindrnn.ops.linear import NARROW

pytestmark = pytest.mark.tutorial9

TOLERANCE = {np.dtype(np.float64): 1e-12, np.dtype(np.float32): 2e-5}


def close(got, wanted, dtype):
    assert got.dtype == dtype
    tolerance = TOLERANCE[np.dtype(dtype)]
    assert_allclose(got, wanted, rtol=tolerance, atol=tolerance)


# ---------------------------------------------------------------------------------------------------------
# The recurrence with a bias and a map

@ragged
@pytest.mark.parametrize("biased", [False, True])
@pytest.mark.parametrize("activation", KIND)
def test_is_its_formula(activation, biased, lengths, rng):
    a, h0 = rng.normal(size=(T, B, N)), rng.normal(size=(B, N))
    u, b = rng.uniform(-1.2, 1.2, (2, N))
    b, kept, how = b if biased else None, a.copy(), dict(activation=activation, lengths=lengths)
    wanted = recurrence(a, u, h0, SCALAR[activation], lengths, b)
    assert_allclose(fused_forward(a, u, h0, b=b, **how)[0], wanted, rtol=1e-11, atol=1e-12)
    assert_array_equal(a, kept)
    wanted = recurrence(a, u, np.zeros((B, N)), SCALAR[activation], lengths, b)
    assert_allclose(fused_forward(a, u, b=b, **how)[0], wanted, rtol=1e-11, atol=1e-12)


@ragged
@pytest.mark.parametrize("biased", [False, True])
@pytest.mark.parametrize("activation", KIND)
def test_over_its_argument_it_is_its_formula(activation, biased, lengths, rng):
    a, h0 = rng.normal(size=(T, B, N)), rng.normal(size=(B, N))
    u, b = rng.uniform(-1.2, 1.2, (2, N))
    b = b if biased else None
    wanted = recurrence(a, u, h0, SCALAR[activation], lengths, b)
    h, _ = fused_forward(a, u, h0, activation=activation, lengths=lengths, b=b, out=a)
    assert h is a
    assert_allclose(h, wanted, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("activation", KIND)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_bias_and_a_map_are_those_of_the_obvious_form(dtype, activation, rng):
    """Lengths up to two passes of four steps and a rest."""
    for steps in (1, 3, 4, 5, 7, 11):
        a, dy = rng.normal(size=(2, steps, 2, 5)).astype(dtype)
        (u, b), h0 = rng.uniform(-1, 1, (2, 5)).astype(dtype), rng.normal(size=(2, 5)).astype(dtype)
        p, q, m, r = pqmr = rng.normal(size=(4, 2, 5)).astype(dtype)
        h, cache = fused_forward(a, u, h0, activation=activation, b=b)
        wide = [array.astype(float) for array in (a + b, u, h0)]
        wanted, obvious = reference.indrnn_forward(*wide, activation=activation)
        close(h, wanted, dtype)
        for mapped, dh in ((None, dy.astype(float)), (pqmr, p * dy + q * (wanted - m) + r)):
            expected = reference.indrnn_backward(dh, obvious)
            expected = *expected, expected[0].sum(axis=(0, 1))
            for got, one in zip(fused_backward(dy, cache, biased=True, pqmr=mapped), expected):
                close(got, one, dtype)


@given(problem=recurrences())
def test_a_bias_on_the_way_is_a_bias_before(problem):
    a, u, h0, options, dh = problem
    b = np.linspace(-1, 1, u.size).astype(a.dtype)
    h, cache = fused_forward(a, u, h0, **options, b=b)
    wanted, plain = indrnn_forward(a + b, u, h0, **options)
    close(h, wanted, a.dtype)
    wanted = indrnn_backward(dh, plain)
    for one, two in zip(fused_backward(dh, cache, biased=True), (*wanted, wanted[0].sum(axis=(0, 1)))):
        close(one, two, a.dtype)


@given(problem=recurrences())
def test_without_a_bias_and_a_map_it_is_the_recurrence_bit_for_bit(problem):
    a, u, h0, options, dh = problem
    h, cache = fused_forward(a, u, h0, **options)
    wanted, plain = indrnn_forward(a, u, h0, **options)
    for one, two in zip((h, *fused_backward(dh, cache)), (wanted, *indrnn_backward(dh, plain))):
        assert_array_equal(one, two)


@given(problem=recurrences())
def test_cutting_changes_no_bit_with_a_bias_either(problem):
    a, u, h0, options, _ = problem
    b, options["lengths"] = np.linspace(-1, 1, u.size).astype(a.dtype), None
    whole, _ = fused_forward(a, u, h0, **options, b=b)
    cut = len(a) // 3
    if cut:
        first, _ = fused_forward(a[:cut].copy(), u, h0, **options, b=b)
        second, _ = fused_forward(a[cut:].copy(), u, first[-1].copy(), **options, b=b)
        assert_array_equal(np.concatenate([first, second]), whole)


@long_or_many
def test_sums_keep_their_digits(T, B):
    def of_u_and_b(x, dy):
        _, cache = fused_forward(x, np.full(2, 0.5, x.dtype), x[0], b=np.zeros(2, x.dtype))
        _, du, _, db = fused_backward(dy, cache, biased=True)
        return du, db
    assert_sums_keep_their_digits(of_u_and_b, T, B)


def test_what_does_not_fit_is_named(rng):
    a, u, pqmr = rng.normal(size=(3, 2, 4)), np.full(4, 0.5), rng.normal(size=(4, 2, 4))
    _, cache = fused_forward(a, u, b=u)
    for call, message in [
            (lambda: fused_forward(a, u, b=np.ones(3)),
             r"b: expected \(N,\) = \(4,\), got \(3,\); a has shape"),
            (lambda: fused_forward(a, u, b=a[0, 0], out=a), "out: expected a or memory of its own, got that of b"),
            (lambda: fused_backward(a[:2], cache),
             r"dy: expected \(T, B, N\) = \(3, 2, 4\), got \(2, 2, 4\)"),
            (lambda: fused_backward(a, cache, pqmr=pqmr[:3]),
             r"pqmr: expected \(4, B, N\) = \(4, 2, 4\), got \(3, 2, 4\)"),
            (lambda: fused_backward(a, cache, out=cache.h), "out: expected dy or memory of its own, got that of h"),
            (lambda: fused_backward(a, cache, pqmr=pqmr, out=pqmr[:3]),
             "out: expected dy or memory of its own, got that of pqmr")]:
        with pytest.raises(ValueError, match=message):
            call()


# ---------------------------------------------------------------------------------------------------------
# The unit and the layer

@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("lengths", [None, [9, 4, 7, 1]])
@pytest.mark.parametrize("statistics", ["batch", "running"])
def test_a_layer_in_fused_passes_equals_its_parts_one_by_one(dtype, lengths, statistics, rng):
    """Affine map, recurrence, batch normalisation and dropout: four layers, or one `IndRNN`."""
    x, dy = rng.normal(size=(9, 4, 6)).astype(dtype), rng.normal(size=(9, 4, 5)).astype(dtype)
    layer = IndRNN(6, 5, rng, norm="after", dropout=0.4, dtype=dtype)
    norm, dropout = BatchNorm(5, dtype=dtype), Dropout(0.4)
    layer["b"][:] = rng.normal(size=5)
    how = dict(lengths=lengths, statistics=statistics)
    y, cache = layer.forward(x, rng=np.random.default_rng(1), **how)
    dx, grads = layer.backward(dy, cache)
    a, of_linear = layer.linear.forward(x, lengths=lengths)
    h, of_recurrence = indrnn_forward(a, layer["u"], lengths=lengths)
    normal, of_norm = norm.forward(h, **how)
    wanted, mask = dropout.forward(normal, rng=np.random.default_rng(1))
    dh, of_affine = norm.backward(dropout.backward(dy, mask)[0], of_norm)
    da, du, dh0 = indrnn_backward(dh, of_recurrence)
    dx_wanted, of_map = layer.linear.backward(da, of_linear)
    expected = of_map | of_affine | {"u": du, "h0": dh0}
    assert grads.keys() == expected.keys()
    for got, one in ((y, wanted), (dx, dx_wanted), *((grads[name], expected[name]) for name in grads)):
        close(got, one, dtype)


@given(seeds, st.sampled_from([None, "over time", "per step"]), st.booleans(), st.booleans(),
       st.sampled_from([1, 2, 5]))
def test_the_fused_path_is_the_plain_composition(seed, norm, dropping, ragged, inputs):
    """Of any layer that is `fusible`, and of its unit alone: output, gradients, and what is absorbed and carried."""
    rng = np.random.default_rng(seed)
    T, B, N = rng.integers(1, 12), rng.integers(2, 5), rng.integers(1, 6)
    options = dict(activation=rng.choice(list(KIND)), dropout=0.4 * dropping, dtype=np.float64)
    if norm:
        options |= dict(norm="after", norm_options={"length": T if norm == "per step" else None, "eps": 0.1})
    layer = IndRNN(inputs, N, rng, u=(-1.1, 1.1), **options)
    layer["b"][:] = rng.normal(size=N)
    lengths = rng.integers(1, T + 1, B) if ragged else None
    how = dict(lengths=lengths, statistics=rng.choice(["batch", "running"]))
    dy, h0 = rng.normal(size=(T, B, N)), rng.normal(size=(B, N))
    for tried, x in ((layer, rng.normal(size=(T, B, inputs))), (layer.unit, rng.normal(size=(T, B, N)))):
        results = []
        for fusible in (True, False):
            with pytest.MonkeyPatch.context() as patched:
                assert layer.unit.fusible
                patched.setattr(Unit, "fusible", fusible)
                buffers = [(buffer, buffer.copy()) for _, buffer in leaves(tried.buffers)]
                y, cache = tried.forward(x, h0, rng=np.random.default_rng(seed), **how)
                dx, grads = tried.backward(dy, cache)
                tried.absorb(cache)
                results.append({"y": y.copy(), "dx": dx, "last": tried.last_state(cache)} | grads
                               | {str(k): buffer.copy() for k, (buffer, _) in enumerate(buffers)})
                for buffer, kept in buffers:
                    buffer[...] = kept
        assert results[0].keys() == results[1].keys()
        for name, got in results[0].items():
            assert_allclose(got, results[1][name], rtol=1e-10, atol=1e-10, err_msg=name)


@pytest.mark.parametrize("size", [0, 1e3, 1e5])
def test_the_map_of_the_normalisation_keeps_its_digits_far_from_zero(size, rng):
    """h = size + noise of deviation 1. da in float32 against float64, of the same h; as u = 0, da is dh."""
    h, dy = (size + rng.normal(size=(200, 16, 8))).astype(np.float32), rng.normal(size=(200, 16, 8)).astype(np.float32)
    results = []
    for dtype in (np.float32, np.float64):
        unit = Unit(8, rng, u=(0.0, 0.0), activation="identity", norm="after", dtype=dtype)
        _, cache = unit.forward(h.astype(dtype), statistics="batch")
        results.append(unit.backward(dy.astype(dtype), cache)[0])
    assert_allclose(*results, rtol=0, atol=5e-7 * np.abs(results[1]).max())


@pytest.mark.parametrize("norm, fusible", [
    ({}, True), ({"norm": "after"}, True), ({"norm": "after", "norm_options": {"length": 3}}, True),
    ({"norm": "before"}, False), ({"norm": "after", "norm_layer": LayerNorm}, False)])
def test_what_is_fused(norm, fusible, rng):
    assert Unit(3, rng, **norm).fusible == fusible


def test_with_few_inputs_the_affine_map_adds_the_bias(rng):
    assert narrow(IndRNN(1, 99, rng)) and narrow(IndRNN(NARROW, 99, rng)) and not narrow(IndRNN(NARROW + 1, 1, rng))
