"""Batch normalisation: equal to the textbook, and the stated rule wherever the textbook has none."""
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from reference import B, N, T, assert_sums_keep_their_digits, long_or_many, ragged, steps_of
from strategies import seeds

from minindrnn import BatchNorm, batchnorm_backward, batchnorm_forward

pytestmark = pytest.mark.tutorial5


def textbook(x, gamma, beta, groups, eps):
    """x (R, N) with the group of each row -> y, by the formula, one group after another."""
    y = np.empty_like(x)
    for g in np.unique(groups):
        rows = x[groups == g]
        y[groups == g] = gamma * (rows - rows.mean(axis=0)) / np.sqrt(rows.var(axis=0) + eps) + beta
    return y


@given(st.integers(1, 6), st.integers(2, 5), st.integers(1, 4), st.booleans(), st.booleans(), seeds)
def test_equals_the_textbook_and_never_reads_padding(T, B, N, per_step, ragged, seed):
    rng = np.random.default_rng(seed)
    x, gamma, beta = rng.normal(size=(T, B, N)), rng.normal(size=N), rng.normal(size=N)
    lengths = np.r_[T, T, rng.integers(1, T + 1, B - 2)] if ragged else None       # two sequences alive at every step
    alive = np.arange(T)[:, None] < (np.full(B, T) if lengths is None else lengths)
    groups = np.broadcast_to(np.arange(T)[:, None] * per_step, (T, B))
    wanted = textbook(x[alive], gamma, beta, groups[alive], 1e-5)
    x[~alive] = np.nan
    G = T if per_step else 1
    y, cache = batchnorm_forward(x, gamma, beta, np.zeros((G, N)), np.ones((G, N)), per_step=per_step, lengths=lengths)
    assert_allclose(y[alive], wanted, rtol=0, atol=1e-10)
    assert not y[~alive].any()
    dy = np.where(alive[:, :, None], rng.normal(size=x.shape), np.nan)
    for grad in batchnorm_backward(dy, cache):
        assert np.isfinite(grad).all()


@ragged
@pytest.mark.parametrize("per_step", [False, True])
@pytest.mark.parametrize("statistics", ["batch", "running"])
def test_is_its_formula(statistics, per_step, lengths, rng):
    x, gamma, beta, mask = rng.normal(4, 2, (T, B, N)), *rng.normal(size=(2, N)), rng.choice([0.0, 1.5], (B, N))
    G = T if per_step else 1
    mean, var = rng.normal(size=(G, N)), rng.uniform(0.5, 2, (G, N))
    wanted = np.zeros((T, B, N))
    for n in range(N):
        for g in range(G):
            places = [(t, j) for j, steps in enumerate(steps_of(lengths)) for t in range(steps)
                      if not per_step or t == g]
            values = [x[t, j, n] for t, j in places]
            own = statistics == "batch" and len(values) > 1
            m = sum(values) / len(values) if own else mean[g, n]
            v = sum((value - m)**2 for value in values) / len(values) if own else var[g, n]
            for t, j in places:
                wanted[t, j, n] = mask[j, n] * (gamma[n] * (x[t, j, n] - m) / math.sqrt(v + 0.25) + beta[n])
    got, _ = batchnorm_forward(x, gamma, beta, mean, var, per_step=per_step, statistics=statistics, lengths=lengths,
                               eps=0.25, mask=mask)
    assert_allclose(got, wanted, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("per_step", [False, True])
def test_the_gradient_cannot_see_shift_or_scale(per_step, rng):
    """An oracle without differences: y does not change when a group of x is shifted or stretched, so within every group
    dx is orthogonal to 1 and to xhat; and dgamma, dbeta are the two sums of the textbook."""
    x, dy, gamma = rng.normal(size=(5, 7, 3)), rng.normal(size=(5, 7, 3)), rng.normal(size=3)
    G = 5 if per_step else 1
    y, cache = batchnorm_forward(x, gamma, np.zeros(3), np.zeros((G, 3)), np.ones((G, 3)), per_step=per_step, eps=0.0)
    dx, dgamma, dbeta = batchnorm_backward(dy, cache)
    axes = (1,) if per_step else (0, 1)
    assert_allclose(dx.sum(axis=axes), 0, atol=1e-12)
    assert_allclose((dx * y / gamma).sum(axis=axes), 0, atol=1e-12)
    assert_allclose(dgamma, (dy * y / gamma).sum(axis=(0, 1)), atol=1e-12)
    assert_allclose(dbeta, dy.sum(axis=(0, 1)), atol=1e-12)


@pytest.mark.parametrize("dtype, tolerance", [(np.float32, 2e-4), (np.float64, 1e-10)])
def test_sound_at_mean_1000_and_standard_deviation_1(dtype, tolerance, rng):
    """float32 holds numbers near 1000 to 6e-5; nothing more is lost."""
    x = (1000 + rng.normal(size=(500, 8, 3))).astype(dtype)
    one, zero = np.ones(3, dtype), np.zeros(3, dtype)
    y, _ = batchnorm_forward(x, one, zero, zero[None], one[None], eps=0.0)
    wide = x.astype(np.float64)
    assert_allclose(y, (wide - wide.mean(axis=(0, 1))) / wide.std(axis=(0, 1)), rtol=0, atol=tolerance)


@long_or_many
def test_sums_keep_their_digits(T, B):
    def statistics_and_gradients(x, dy):
        one, zero = np.ones(2, x.dtype), np.zeros(2, x.dtype)
        x = x + (np.arange(x.size).reshape(x.shape) % 7 == 0).astype(x.dtype)
        y, cache = batchnorm_forward(x, one, zero, zero[np.newaxis], one[np.newaxis])
        return cache.batch_mean, cache.batch_var, *batchnorm_backward(x * dy, cache)[1:]
    assert_sums_keep_their_digits(statistics_and_gradients, T, B)


@pytest.mark.parametrize("per_step", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_an_outlier_in_front_and_deviations_a_millionth_of_the_mean(per_step, dtype, rng):
    """Equal to the textbook for the numbers that the type holds, whichever row the sums are taken from."""
    T, B = 4, 5000
    x = (1000 + 1e-3 * rng.normal(size=(T, B, 2))).astype(dtype)
    x[0, 0, 0] = 0
    G = T if per_step else 1
    one, zero = np.ones(2, dtype), np.zeros(2, dtype)
    y, cache = batchnorm_forward(x, one, zero, np.zeros((G, 2), dtype), np.ones((G, 2), dtype),
                                 per_step=per_step, eps=0.0)
    groups = np.repeat(np.arange(T) * per_step, B)
    wanted = textbook(x.reshape(-1, 2).astype(np.longdouble), one, zero, groups, 0.0).astype(float).reshape(x.shape)
    assert_allclose(y, wanted, rtol=1e-6 if dtype == np.float32 else 1e-10, atol=1e-6 if dtype == np.float32 else 1e-8)
    dy = rng.normal(size=x.shape).astype(dtype)
    dx, dgamma, _ = batchnorm_backward(dy, cache)
    assert_allclose(dgamma, (dy * wanted).sum(axis=(0, 1)), rtol=1e-4)
    again, cache = batchnorm_forward(wanted, np.ones(2), np.zeros(2), np.zeros((G, 2)), np.ones((G, 2)),
                                     per_step=per_step, eps=0.0)
    deviation = np.array([x[groups.reshape(T, B) == g].astype(float).std(axis=0) for g in range(G)])[:, None]
    assert_allclose(dx * deviation, batchnorm_backward(dy.astype(float), cache)[0], rtol=0, atol=1e-5)


@pytest.mark.parametrize("dtype, size", [(np.float32, 1e20), (np.float32, 3e38), (np.float64, 1e150)])
def test_the_largest_numbers_are_normalised(dtype, size):
    x = np.resize([size, -size], (4, 3, 1)).astype(dtype)
    norm = BatchNorm(1, dtype=dtype)
    y, cache = norm.forward(x, statistics="batch")
    assert_allclose(y, np.sign(x), rtol=2e-6)
    dx, grads = norm.backward(np.ones_like(x), cache)
    assert grads["gamma"] == 0 and grads["beta"] == x.size and not dx.any()


def test_a_variance_that_no_float_holds_is_nan_and_not_zero():
    """As 1 / sqrt(infinity) is 0, all would become beta."""
    x, norm = np.resize([1e200, -1e200], (4, 3, 1)), BatchNorm(1, dtype=np.float64)
    with np.errstate(all="ignore"):
        assert np.isnan(norm.forward(x, statistics="batch")[0]).all()


def test_a_running_variance_that_no_float_holds_is_nan_and_not_zero():
    x, norm = np.resize(np.float32([1e20, -1e20]), (4, 3, 1)), BatchNorm(1)
    with np.errstate(all="ignore"):
        norm.absorb(norm.forward(x, statistics="batch")[1])
        assert np.isnan(norm.forward(x)[0]).all() and np.isnan(norm.step(x[0])[0]).all()


def test_a_variance_that_is_too_large_is_not_a_number():
    """Squares of 1.2e154, twice: their sum is beyond float64; what is normalised by it is not beta either."""
    x = np.array([0, 1.2e154, 1.2e154, 0]).reshape(4, 1, 1)
    y, _ = batchnorm_forward(x, np.ones(1), np.zeros(1), np.zeros((1, 1)), np.ones((1, 1)))
    assert np.isnan(y).all()


def test_a_start_between_two_steps_is_refused():
    norm, x = BatchNorm(2, length=3), np.ones((2, 2), np.float32)
    for call in (lambda: norm.step(x, start=0.5), lambda: norm.forward(x[None], start=0.5)):
        with pytest.raises(TypeError, match="start: expected an integer, got 0.5"):
            call()


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("average", [False, True])
def test_a_variance_beyond_the_buffers_is_absorbed_without_a_warning(average):
    norm, x = BatchNorm(1), np.resize(np.float32([1e20, -1e20]), (4, 3, 1))
    norm.absorb(norm.forward(x, statistics="batch")[1], average=average)
    assert np.isnan(norm.buffers["var"]).all() and abs(norm.buffers["mean"][0, 0]) < 1e14


def test_a_group_of_one_value_takes_the_running_statistics(rng):
    x, one, zero = rng.normal(size=(1, 1, 2)), np.ones(2), np.zeros(2)
    y, cache = batchnorm_forward(x, one, zero, np.full((1, 2), 3.0), np.full((1, 2), 4.0), eps=0.0)
    assert_allclose(y, (x - 3) / 2)
    dx, _, _ = batchnorm_backward(np.ones_like(x), cache)
    assert_allclose(dx, 0.5)


def test_per_step_the_only_sequence_left_takes_the_running_statistics(rng):
    x, one, zero = rng.normal(size=(3, 2, 2)), np.ones(2), np.zeros(2)
    y, _ = batchnorm_forward(x, one, zero, np.zeros((3, 2)), np.ones((3, 2)), per_step=True, lengths=[3, 2], eps=0.0)
    assert_allclose(y[2, 0], x[2, 0])
    assert_allclose(np.abs(y[:2]), 1)


def test_the_running_statistics_are_the_averages_they_say(rng):
    norm, mean, var = BatchNorm(2, dtype=np.float64), np.zeros(2), np.ones(2)
    for _ in range(3):
        x = rng.normal(2, 3, (5, 4, 2))
        y, cache = norm.forward(x, statistics="batch")
        norm.absorb(cache)
        mean = 0.9 * mean + 0.1 * x.mean(axis=(0, 1))
        var = 0.9 * var + 0.1 * x.var(axis=(0, 1), ddof=1)
    assert_allclose(norm.buffers["mean"][0], mean)
    assert_allclose(norm.buffers["var"][0], var)


def test_a_forward_pass_changes_no_running_statistics(rng):
    norm, x = BatchNorm(2, dtype=np.float64), rng.normal(2, 3, (5, 4, 2))
    norm.absorb(norm.forward(x, statistics="batch")[1])
    before = {name: buffer.copy() for name, buffer in norm.buffers.items()}
    norm.forward(x)
    norm.forward(x, statistics="batch")
    for name, buffer in norm.buffers.items():
        assert_array_equal(buffer, before[name])


def test_per_step_at_other_lengths_than_trained(rng):
    norm = BatchNorm(2, length=4, dtype=np.float64)
    _, cache = norm.forward(rng.normal(5, 2, (2, 50, 2)), statistics="batch")      # only positions 0 and 1 are trained
    norm.absorb(cache)
    assert norm.buffers["updates"].tolist() == [1, 1, 0, 0]
    x = rng.normal(size=(7, 3, 2))
    y, _ = norm.forward(x)
    mean, var = norm.buffers["mean"], norm.buffers["var"]
    wanted = np.array([(x[t] - mean[min(t, 1)]) / np.sqrt(var[min(t, 1)] + 1e-5) for t in range(7)])
    assert_allclose(y, wanted)
    late, _ = norm.forward(np.ascontiguousarray(x[3:]), start=3)
    assert_allclose(late, wanted[3:])


def test_positions_from_the_last_row_on_share_it(rng):
    norm = BatchNorm(1, length=2, momentum=0.5, dtype=np.float64)
    x = rng.normal(size=(3, 4, 1))
    norm.absorb(norm.forward(x, statistics="batch")[1])
    assert norm.buffers["updates"].tolist() == [1, 2]
    assert_allclose(norm.buffers["mean"][1], 0.25 * x[1].mean() + 0.5 * x[2].mean())


def test_nan_stays_where_it_belongs(rng):
    x = rng.normal(size=(4, 3, 2))
    x[1, 1, 0] = np.nan
    y, _ = BatchNorm(2, dtype=np.float64).forward(x, statistics="batch")
    assert np.isnan(y[:, :, 0]).all() and np.isfinite(y[:, :, 1]).all()


@pytest.mark.parametrize("call, message", [
    (lambda: BatchNorm(0), "channels: expected an integer of at least 1, got 0"),
    (lambda: BatchNorm(2, length=3).step(np.ones((1, 2), np.float32), start=-1),
     "start: expected an integer of at least 0, got -1"),
    (lambda: BatchNorm(2, momentum=2), "momentum: expected a finite number from 0 to 1, got 2"),
    (lambda: BatchNorm(2).forward(np.ones((2, 2, 2), np.float32), statistics="bacth"),
     "statistics: expected one of batch, running, got 'bacth'"),
    (lambda: batchnorm_forward(np.ones((2, 2, 2)), np.ones(2), np.ones(2), np.ones((3, 2)), np.ones((3, 2))),
     r"mean: expected \(G, N\) = \(1, 2\), got \(3, 2\); over time G = 1"),
    (lambda: batchnorm_forward(np.ones((4, 3, 2)), np.ones(2), np.ones(2), np.zeros((1, 2)), np.ones((1, 2)),
                               mask=np.ones((2, 2))), r"mask: expected \(B, N\) = \(3, 2\), got \(2, 2\)"),
    (lambda: batchnorm_forward(np.ones((3, 2, 4)), *np.ones((2, 4)), *np.ones((2, 1, 4)), mask=5),
     "mask: expected a NumPy array"),
    (lambda: BatchNorm(4).step(np.ones((2, 8), np.float32)), r"x: expected \(B, N\) = \(2, 4\), got \(2, 8\)"),
    (lambda: BatchNorm(2, length=3).forward(np.ones((1, 2, 2), np.float32), start=-1),
     "start: expected an integer of at least 0, got -1"),
    (lambda: BatchNorm(1).absorb(BatchNorm(3).forward(np.ones((4, 2, 3), np.float32), statistics="batch")[1]),
     r"x in the cache: expected \(1,\) like gamma, got \(3,\)"),
    (lambda: BatchNorm(3).absorb(BatchNorm(1).forward(np.ones((4, 2, 1), np.float32), statistics="batch")[1]),
     r"x in the cache: expected \(3,\) like gamma, got \(1,\)"),
])
def test_errors(call, message):
    with pytest.raises((TypeError, ValueError), match=message):
        call()


def test_a_mask_is_dropout_after(rng):
    x, dy, gamma, beta = *rng.normal(size=(2, 4, 3, 2)), *rng.normal(size=(2, 2))
    mask = np.array([[0, 2.0], [2.0, 0], [2.0, 2.0]])
    plain, cache = batchnorm_forward(x, gamma, beta, np.zeros((1, 2)), np.ones((1, 2)))
    masked, with_mask = batchnorm_forward(x, gamma, beta, np.zeros((1, 2)), np.ones((1, 2)), mask=mask)
    assert_allclose(masked, plain * mask, rtol=0, atol=1e-14)
    for got, wanted in zip(batchnorm_backward(dy, with_mask), batchnorm_backward(dy * mask, cache)):
        assert_allclose(got, wanted, rtol=0, atol=1e-13)


@pytest.mark.parametrize("slope", [0, 10, 1000])
def test_per_step_is_sound_when_the_mean_moves(slope, rng):
    """float32 holds x to 6e-8 of its size; nothing more is lost, at any step."""
    T, B = 100, 32
    x = (slope * np.arange(T)[:, None, None] + rng.normal(size=(T, B, 3))).astype(np.float32)
    one, zero = np.ones(3, np.float32), np.zeros(3, np.float32)
    y, _ = batchnorm_forward(x, one, zero, np.zeros((T, 3), np.float32), np.ones((T, 3), np.float32),
                             per_step=True, eps=0.0)
    wide = x.astype(np.float64)
    wanted = (wide - wide.mean(axis=1, keepdims=True)) / wide.std(axis=1, keepdims=True)
    assert_allclose(y, wanted, rtol=0, atol=1e-5 + 2e-7 * T * slope)


def test_a_lone_tail_takes_the_last_trained_row_in_training_too(rng):
    norm = BatchNorm(1, length=4, dtype=np.float64)
    for _ in range(200):
        _, cache = norm.forward(rng.normal(10, 1, (2, 5, 1)), statistics="batch")
        norm.absorb(cache)
    x, lengths = rng.normal(10, 1, (4, 3, 1)), [4, 2, 2]
    batch, _ = norm.forward(x, lengths=lengths, statistics="batch")
    running, _ = norm.forward(x, lengths=lengths)
    assert_array_equal(batch[2:, 0], running[2:, 0])
    assert np.abs(batch[2:, 0]).max() < 5


def trained(rng, steps=4, channels=3, **options):
    """Per step, with other statistics in each row; gamma and beta far from where they start."""
    norm = BatchNorm(channels, length=steps, dtype=np.float64, **options)
    norm.buffers["mean"][:] = rng.normal(size=(steps, channels))
    norm.buffers["var"][:] = rng.uniform(0.1, 3, (steps, channels))
    norm.buffers["updates"][:] = 1
    norm["gamma"][:], norm["beta"][:] = rng.normal(size=(2, channels))
    return norm


@pytest.mark.parametrize("start", [0, 2, 3, 9])
def test_a_step_in_use_is_its_formula_with_the_row_of_its_step(start, rng):
    norm, x = trained(rng, eps=0.3), rng.normal(size=(5, 3))
    row = min(start, 3)
    mean, var = norm.buffers["mean"][row], norm.buffers["var"][row]
    y, state = norm.step(x, start=start)
    assert state is None
    assert_allclose(y, norm["gamma"] * (x - mean) / np.sqrt(var + 0.3) + norm["beta"], rtol=1e-13)
    assert_allclose(norm.forward(x[None], start=start)[0][0], y, rtol=1e-13)


def test_a_step_where_no_row_was_trained_takes_the_last_one_before(rng):
    norm, x = trained(rng), rng.normal(size=(2, 3))
    norm.buffers["updates"][:] = [0, 5, 0, 0]
    wanted = norm["gamma"] * (x - norm.buffers["mean"][1]) / np.sqrt(norm.buffers["var"][1] + 1e-5) + norm["beta"]
    for start in (0, 1, 2, 7):                                # before the first trained row there is only the first
        assert_allclose(norm.step(x, start=start)[0], wanted, rtol=1e-13)


def test_over_time_a_step_in_use_has_one_row(rng):
    norm, x = BatchNorm(3, eps=0.2, dtype=np.float64), rng.normal(size=(2, 3))
    norm.buffers["mean"][:], norm.buffers["var"][:] = 2.0, 4.0
    for start in (0, 5):
        assert_allclose(norm.step(x, start=start)[0], (x - 2) / np.sqrt(4.2), rtol=1e-13)


@pytest.mark.parametrize("lengths", [None, [3, 2, 2, 1, 3]])
@pytest.mark.parametrize("start", [0, 1, 3])
def test_what_is_absorbed_is_what_each_step_held(start, lengths, rng):
    """new = 0.7 old + 0.3 batch, with the unbiased variance, in the rows start, start + 1, ...; the last row takes the
    rest."""
    norm, x = trained(rng, momentum=0.3), rng.normal(size=(3, 5, 3))
    alive = np.arange(3)[:, None] < (np.full(5, 3) if lengths is None else lengths)
    mean, var, updates = (norm.buffers[name].copy() for name in ("mean", "var", "updates"))
    for t in range(3):
        rows, row = x[t, alive[t]], min(start + t, 3)
        mean[row] = 0.7 * mean[row] + 0.3 * rows.mean(axis=0)
        var[row] = 0.7 * var[row] + 0.3 * rows.var(axis=0, ddof=1)
        updates[row] += 1
    norm.absorb(norm.forward(x, lengths=lengths, statistics="batch", start=start)[1])
    assert_allclose(norm.buffers["mean"], mean, rtol=1e-12)
    assert_allclose(norm.buffers["var"], var, rtol=1e-12)
    assert_array_equal(norm.buffers["updates"], updates)


def test_a_plain_average_weighs_all_alike(rng):
    norm, batches = BatchNorm(2, momentum=0.9, dtype=np.float64), rng.normal(3, 2, (4, 5, 6, 2))
    for x in batches:
        norm.absorb(norm.forward(x, statistics="batch")[1], average=True)
    rows = batches.reshape(4, 30, 2)
    assert_allclose(norm.buffers["mean"][0], rows.mean(axis=1).mean(axis=0), rtol=1e-10)
    assert_allclose(norm.buffers["var"][0], rows.var(axis=1, ddof=1).mean(axis=0), rtol=1e-10)


def test_a_group_of_one_value_is_not_absorbed(rng):
    norm = BatchNorm(2, length=3, dtype=np.float64)
    norm.absorb(norm.forward(rng.normal(size=(3, 2, 2)), lengths=[3, 1], statistics="batch")[1])
    assert norm.buffers["updates"].tolist() == [1, 0, 0] and norm.buffers["mean"][1:].tolist() == [[0, 0]] * 2


@pytest.mark.parametrize("steps", [None, 6])
def test_running_statistics_are_used_as_they_are(steps, rng):
    norm = BatchNorm(3, length=steps, eps=0.5, gain=0.1, dtype=np.float64)
    norm.buffers["mean"][:] = rng.normal(size=norm.buffers["mean"].shape)
    norm.buffers["var"][:] = rng.uniform(1, 2, norm.buffers["var"].shape)
    norm.buffers["updates"][:] = 1
    norm["beta"][:] = 3.0
    x = rng.normal(size=(4, 2, 3))
    mean, var = (norm.buffers[name][2:6] if steps else norm.buffers[name] for name in ("mean", "var"))
    y, _ = norm.forward(x, start=2)
    assert_allclose(y, 0.1 * (x - mean[:, None]) / np.sqrt(var[:, None] + 0.5) + 3, rtol=1e-12)


def test_what_a_new_layer_holds():
    norm = BatchNorm(2, length=3, gain=0.1)
    assert (norm.momentum, norm.eps) == (0.1, 1e-5)
    assert norm["gamma"].tolist() == [np.float32(0.1)] * 2
    assert not norm["beta"].any()
    assert norm.buffers["mean"].tolist() == [[0, 0]] * 3 and norm.buffers["var"].tolist() == [[1, 1]] * 3
    assert [parameter.role for parameter in norm.parameters.values()] == ["gain", "bias"]
