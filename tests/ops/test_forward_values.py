"""Every operation's forward pass against loops that follow its equations, one number at a time where that is clearer."""
import math

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from minindrnn import (
    GRU,
    LSTM,
    RNN,
    AtLastStep,
    BatchNorm,
    Bidirectional,
    Chain,
    Concatenate,
    Differences,
    Dropout,
    IndRNN,
    LanguageModel,
    LayerNorm,
    Linear,
    Residual,
    Unit,
    batchnorm_forward,
    cross_entropy,
    differences_forward,
    embedding_forward,
    indrnn_forward,
    layernorm_forward,
    linear_forward,
    mean_squared_error,
)
from minindrnn.core.padding import last_step, without_padding
from minindrnn.networks.bidirectional import reverse
from minindrnn.networks.fused import fused_forward
from minindrnn.ops.activations import KIND
from minindrnn.ops.dropout import draw, dropout_forward
from minindrnn.ops.gru import gru_forward
from minindrnn.ops.lstm import lstm_forward
from minindrnn.ops.recurrence import obvious_forward
from minindrnn.ops.rnn import rnn_forward

T, B, N = 7, 3, 5
LENGTHS = [None, [4, 7, 2]]
ragged = pytest.mark.parametrize("lengths", LENGTHS, ids=["whole", "ragged"])
ACT = {"relu": lambda z: z if z > 0 else 0.0, "tanh": math.tanh, "sigmoid": lambda z: 1 / (1 + math.exp(-z)), "identity": lambda z: z}


def close(got, wanted):
    assert_allclose(got, wanted, rtol=1e-11, atol=1e-12)


def steps_of(lengths):
    return [T] * B if lengths is None else lengths


def recurrence(a, u, h0, act, lengths, b=None):
    h = np.zeros(a.shape)
    for j, steps in enumerate(steps_of(lengths)):
        for n in range(a.shape[2]):
            before = h0[j, n]
            for t in range(steps):
                h[t, j, n] = before = act(a[t, j, n] + (0 if b is None else b[n]) + u[n] * before)
    return h


@ragged
@pytest.mark.parametrize("activation", KIND)
def test_indrnn(activation, lengths, rng):
    a, h0 = rng.normal(size=(T, B, N)), rng.normal(size=(B, N))
    u, b = rng.uniform(-1.2, 1.2, (2, N))
    kept = a.copy()
    close(obvious_forward(a, u, h0, activation), recurrence(a, u, h0, ACT[activation], None))
    close(indrnn_forward(a, u, h0, activation=activation, lengths=lengths)[0], recurrence(a, u, h0, ACT[activation], lengths))
    for bias in (None, b):
        wanted = recurrence(a, u, h0, ACT[activation], lengths, bias)
        close(fused_forward(a, u, h0, activation=activation, lengths=lengths, b=bias)[0], wanted)
        assert_array_equal(a, kept)
        close(fused_forward(a, u, activation=activation, lengths=lengths, b=bias)[0],
              recurrence(a, u, np.zeros((B, N)), ACT[activation], lengths, bias))
        h, _ = fused_forward(over := a.copy(), u, h0, activation=activation, lengths=lengths, b=bias, out=over)
        assert h is over
        close(h, wanted)


@ragged
@pytest.mark.parametrize("M", [1, 2, 3, 4, 6])
def test_linear(M, lengths, rng):
    x, W, b = rng.normal(size=(T, B, M)), rng.normal(size=(N, M)), rng.normal(size=N)
    for bias in (None, b):
        wanted = np.zeros((T, B, N))
        for j, steps in enumerate(steps_of(lengths)):
            for t in range(steps):
                for n in range(N):
                    wanted[t, j, n] = sum(W[n, m] * x[t, j, m] for m in range(M)) + (0 if bias is None else bias[n])
        close(linear_forward(x, W, bias, lengths=lengths)[0], wanted)


def gate(z):
    return 1 / (1 + np.exp(-z))


def by_steps(a, state, lengths, cell):
    """h (T, B, N) of a cell (a of one step of one sequence, state) -> (h, state), sequence by sequence."""
    h, last = np.zeros((T, B, N)), []
    for j, steps in enumerate(steps_of(lengths)):
        now = state[..., j, :]
        for t in range(steps):
            h[t, j], now = cell(a[t, j], now)
        last.append(now)
    return h, np.stack(last, axis=-2)


def lstm_cell(U):
    def cell(a, state):
        z = a + U @ state[0]
        i, f, g, o = gate(z[:N]), gate(z[N:2 * N]), np.tanh(z[2 * N:3 * N]), gate(z[3 * N:])
        c = f * state[1] + i * g
        return o * np.tanh(c), np.stack([o * np.tanh(c), c])
    return cell


def gru_cell(U):
    def cell(a, h):
        p = U @ h
        r, z = gate(a[:N] + p[:N]), gate(a[N:2 * N] + p[N:2 * N])
        n = np.tanh(a[2 * N:] + r * p[2 * N:])
        return (1 - z) * n + z * h, (1 - z) * n + z * h
    return cell


def rnn_cell(U, act=np.tanh):
    def cell(a, h):
        return act(a + U @ h), act(a + U @ h)
    return cell


@ragged
@pytest.mark.parametrize("forward, gates, state, cell, layer", [
    (rnn_forward, 1, (B, N), rnn_cell, RNN), (lstm_forward, 4, (2, B, N), lstm_cell, LSTM), (gru_forward, 3, (B, N), gru_cell, GRU)])
def test_baselines(forward, gates, state, cell, layer, lengths, rng):
    a, U, before = rng.normal(size=(T, B, gates * N)), rng.normal(size=(gates * N, N)), rng.normal(size=state)
    close(forward(a, U, before, lengths=lengths)[0], by_steps(a, before, lengths, cell(U))[0])
    close(forward(a, U, lengths=lengths)[0], by_steps(a, np.zeros(state), lengths, cell(U))[0])
    made, x = layer(4, N, rng, dtype=np.float64), rng.normal(size=(T, B, 4))
    h, last = by_steps(x @ made["W"].T + made["b"], before, lengths, cell(made["U"]))
    y, cache = made.forward(x, before, lengths=lengths)
    close(y, h)
    close(made.last_state(cache), last)


@pytest.mark.parametrize("activation", KIND)
def test_rnn_with_other_activations(activation, rng):
    a, U, h0 = rng.normal(size=(T, B, N)), 0.3 * rng.normal(size=(N, N)), rng.normal(size=(B, N))
    close(rnn_forward(a, U, h0, activation=activation)[0], by_steps(a, h0, None, rnn_cell(U, np.vectorize(ACT[activation])))[0])


@ragged
@pytest.mark.parametrize("per_step", [False, True])
@pytest.mark.parametrize("statistics", ["batch", "running"])
def test_batch_normalisation(statistics, per_step, lengths, rng):
    x, gamma, beta, mask = rng.normal(4, 2, (T, B, N)), *rng.normal(size=(2, N)), rng.choice([0.0, 1.5], (B, N))
    G = T if per_step else 1
    mean, var = rng.normal(size=(G, N)), rng.uniform(0.5, 2, (G, N))
    wanted = np.zeros((T, B, N))
    for n in range(N):
        for g in range(G):
            places = [(t, j) for j, steps in enumerate(steps_of(lengths)) for t in range(steps) if not per_step or t == g]
            values = [x[t, j, n] for t, j in places]
            own = statistics == "batch" and len(values) > 1
            m = sum(values) / len(values) if own else mean[g, n]
            v = sum((value - m)**2 for value in values) / len(values) if own else var[g, n]
            for t, j in places:
                wanted[t, j, n] = mask[j, n] * (gamma[n] * (x[t, j, n] - m) / math.sqrt(v + 0.25) + beta[n])
    got, _ = batchnorm_forward(x, gamma, beta, mean, var, per_step=per_step, statistics=statistics, lengths=lengths, eps=0.25, mask=mask)
    assert_allclose(got, wanted, rtol=1e-9, atol=1e-10)


@ragged
def test_layer_normalisation(lengths, rng):
    x, gamma, beta = rng.normal(4, 2, (T, B, N)), *rng.normal(size=(2, N))
    wanted = np.zeros((T, B, N))
    for j, steps in enumerate(steps_of(lengths)):
        for t in range(steps):
            m = sum(x[t, j]) / N
            v = sum((value - m)**2 for value in x[t, j]) / N
            wanted[t, j] = gamma * (x[t, j] - m) / math.sqrt(v + 0.25) + beta
    close(layernorm_forward(x, gamma, beta, lengths=lengths, eps=0.25)[0], wanted)
    layer = LayerNorm(N, eps=0.25, dtype=np.float64)
    layer["gamma"][:], layer["beta"][:] = gamma, beta
    close(layer.forward(x, lengths=lengths)[0], wanted)
    layer = LayerNorm(N, gain=0.5, dtype=np.float64)
    assert layer.eps == 1e-5 and layer["gamma"].tolist() == [0.5] * N and layer["beta"].tolist() == [0] * N


@ragged
def test_embedding(lengths, rng):
    E, tokens = rng.normal(size=(6, 4)), rng.integers(0, 6, (T, B))
    wanted = np.zeros((T, B, 4))
    for j, steps in enumerate(steps_of(lengths)):
        for t in range(steps):
            wanted[t, j] = E[tokens[t, j]]
    close(embedding_forward(tokens, E, 0.5, None, lengths=lengths)[0], wanted)
    x, _ = embedding_forward(tokens, E, 0.5, np.random.default_rng(3), lengths=lengths)
    kept = np.random.default_rng(3).random(6) >= 0.5
    close(x, wanted * 2 * kept[tokens][:, :, None])
    assert 0 < kept.sum() < 6


@ragged
def test_differences(lengths, rng):
    x, x0 = rng.normal(size=(T, B, 2)), rng.normal(size=(B, 2))
    for first in (None, x0):
        wanted = np.zeros((T, B, 4))
        for j, steps in enumerate(steps_of(lengths)):
            for t in range(steps):
                before = x[t - 1, j] if t else (np.zeros(2) if first is None else first[j])
                wanted[t, j] = [*x[t, j], *(x[t, j] - before)]
        close(differences_forward(x, first, lengths=lengths)[0], wanted)


def test_dropout(rng):
    x, p = rng.normal(size=(T, 40, N)), 0.25
    y, mask = dropout_forward(x, p, np.random.default_rng(5))
    again = draw((40, N), p, np.random.default_rng(5), np.dtype(float))
    assert_array_equal(mask, again)
    assert set(np.unique(mask)) == {0, 1 / 0.75} and 20 < (mask == 0).sum() < 80
    for t in range(T):
        close(y[t], x[t] * mask)
    assert dropout_forward(x, p, None)[0] is x and dropout_forward(x, 0.0, rng)[1] is None


def test_mean_squared_error(rng):
    y, target = rng.normal(size=(2, B, 4))
    loss, dy = mean_squared_error(y, target)
    assert loss == pytest.approx(sum((y[b, k] - target[b, k])**2 for b in range(B) for k in range(4)) / (4 * B), rel=1e-13)
    close(dy, [[2 * (y[b, k] - target[b, k]) / (4 * B) for k in range(4)] for b in range(B)])


@pytest.mark.parametrize("missing", [False, True])
def test_cross_entropy(missing, rng):
    """In nats; the mean over all that counts."""
    y, target = rng.normal(size=(T, B, 4)), rng.integers(0, 4, (T, B))
    if missing:
        target[2:, 1] = -1
    counted = [(t, j) for t in range(T) for j in range(B) if target[t, j] >= 0]
    wanted = sum(math.log(sum(math.exp(v) for v in y[t, j])) - y[t, j, target[t, j]] for t, j in counted) / len(counted)
    assert cross_entropy(y, target)[0] == pytest.approx(wanted, rel=1e-13)
    if not missing:
        assert cross_entropy(y[0], target[0])[0] == pytest.approx(cross_entropy(y[:1], target[:1])[0], rel=1e-13)


# ---------------------------------------------------------------------------------------------------------
# Layers made of operations

@ragged
@pytest.mark.parametrize("norm", [None, "before", "after"])
@pytest.mark.parametrize("kind", [BatchNorm, LayerNorm])
@pytest.mark.parametrize("M", [2, 6])
def test_an_indrnn_layer(M, kind, norm, lengths, rng):
    """W x + b, normalised before or after the recurrence; dropout on the way out, never within; the state is h itself."""
    layer = IndRNN(M, N, rng, u=(-1.0, 1.0), activation="tanh", norm=norm, norm_layer=kind, dropout=0.4, dtype=np.float64)
    for _, array in [(name, parameter.value) for name, parameter in layer.parameters.items() if name != "u"]:
        array += 0.1 * rng.normal(size=array.shape)
    x, h0 = rng.normal(size=(T, B, M)), rng.normal(size=(B, N))
    alive = np.arange(T)[:, None] < steps_of(lengths)
    a = np.where(alive[:, :, None], x @ layer["W"].T + layer["b"], 0)

    def normal(z):
        axes = (0,) if kind is BatchNorm else (1,)
        rows = z[alive]
        out = np.zeros_like(z)
        out[alive] = layer["gamma"] * (rows - rows.mean(axes, keepdims=True)) / np.sqrt(rows.var(axes, keepdims=True) + 1e-5) + layer["beta"]
        return out
    h = recurrence(normal(a) if norm == "before" else a, layer["u"], h0, math.tanh, lengths)
    mask = draw((B, N), 0.4, np.random.default_rng(9), np.dtype(float))
    y, cache = layer.forward(x, h0, lengths=lengths, statistics="batch", rng=np.random.default_rng(9))
    assert_allclose(y, (normal(h) if norm == "after" else h) * mask, rtol=1e-9, atol=1e-10)
    assert_allclose(layer.last_state(cache), h[np.array(steps_of(lengths)) - 1, np.arange(B)], rtol=1e-9, atol=1e-10)
    assert mask.min() == 0 and layer.parameters["u"].role == "recurrent" and layer.parameters["W"].role == "weight"


@ragged
def test_a_residual_and_a_concatenated_unit(lengths, rng):
    x, u = rng.normal(size=(T, B, N)), rng.uniform(-1, 1, N)
    unit = Unit(N, rng, dtype=np.float64)
    unit["u"][:] = u
    padding = np.arange(T)[:, None] >= steps_of(lengths)
    h, skip = recurrence(x, u, np.zeros((B, N)), ACT["relu"], lengths), np.where(padding[:, :, None], 0, x)
    close(Residual(unit).forward(x, lengths=lengths)[0], skip + h)
    close(Concatenate(unit).forward(x, lengths=lengths)[0], np.concatenate([skip, h], axis=2))
    close(Chain([unit, Residual(unit)]).forward(x, lengths=lengths)[0], h + recurrence(h, u, np.zeros((B, N)), ACT["relu"], lengths))


@ragged
def test_the_last_step_of_each_sequence(lengths, rng):
    x, linear = rng.normal(size=(T, B, N)), Linear(N, 2, rng, dtype=np.float64)
    linear["b"][:] = [1.0, -1.0]
    wanted = [linear["W"] @ x[steps - 1, j] + linear["b"] for j, steps in enumerate(steps_of(lengths))]
    close(AtLastStep(linear).forward(x, lengths=lengths)[0], wanted)
    close(last_step(x, lengths), [x[steps - 1, j] for j, steps in enumerate(steps_of(lengths))])
    close(Differences().last_state(Differences().forward(x, lengths=lengths)[1]), last_step(x, lengths))


@ragged
def test_both_directions(lengths, rng):
    onward, back = IndRNN(4, 2, rng, dtype=np.float64), IndRNN(4, 3, rng, dtype=np.float64)
    x = rng.normal(size=(T, B, 4))
    wanted = np.zeros((T, B, 5))
    for j, steps in enumerate(steps_of(lengths)):
        alone = np.ascontiguousarray(x[:steps, j:j + 1])
        wanted[:steps, j, :2] = onward.forward(alone)[0][:, 0]
        wanted[:steps, j, 2:] = back.forward(np.ascontiguousarray(alone[::-1]))[0][::-1, 0]
        assert_array_equal(reverse(x, lengths)[:, j], [*x[:steps, j][::-1], *x[steps:, j]])
    close(Bidirectional(onward, back).forward(x, lengths=lengths)[0], wanted)


@ragged
def test_a_language_model(lengths, rng):
    """y = E h + b, with h what the body makes of E[tokens]; its state is that of the body."""
    body = Chain([Dropout(0.9), IndRNN(4, 4, rng, u=(-1, 1), dtype=np.float64)])
    model = LanguageModel(6, 4, body, rng, width=0.8, dtype=np.float64)
    model.b.value[:] = rng.normal(size=6)
    tokens, h0, E = rng.integers(0, 6, (T, B)), rng.normal(size=(B, 4)), model["E"]
    layer = body.layers[1]
    x = without_padding(E[tokens], lengths)
    h = recurrence(x @ layer["W"].T + layer["b"], layer["u"], h0, ACT["relu"], lengths)
    alive = np.arange(T)[:, None] < steps_of(lengths)
    y, cache = model.forward(tokens, {"body": [None, h0]}, lengths=lengths)
    close(y, np.where(alive[:, :, None], h @ E.T + model.b.value, 0))
    close(model.last_state(cache)["body"][1], last_step(h, lengths))


def test_padding_is_taken_out(rng):
    x = rng.normal(size=(T, B, N))
    kept = x.copy()
    y = without_padding(x, [7, 2, 4])
    assert_array_equal(x, kept)
    assert not y[2:, 1].any() and not y[4:, 2].any() and np.array_equal(y[:, 0], x[:, 0]) and np.array_equal(y[:2, 1], x[:2, 1])
    assert without_padding(x, None) is x and without_padding(x, [7, 2, 4], overwrite=True) is x
