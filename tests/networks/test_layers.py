"""What layers beside the recurrence promise beyond their gradients: differences, both directions, embedding, streams."""
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import minindrnn
from minindrnn import (
    GRU,
    LSTM,
    RNN,
    Adam,
    AtLastStep,
    BatchNorm,
    Bidirectional,
    Chain,
    Concatenate,
    DenseIndRNN,
    Differences,
    Dropout,
    Embedding,
    IndRNN,
    LanguageModel,
    LayerNorm,
    Linear,
    Residual,
    ResidualIndRNN,
    StackedIndRNN,
    Unit,
    batchnorm_backward,
    batchnorm_forward,
    check,
    cross_entropy,
    differences_forward,
    dropout_backward,
    dropout_forward,
    embedding_backward,
    embedding_forward,
    layernorm_backward,
    layernorm_forward,
)
from minindrnn.checks.gradient_flow import gradient_norms
from minindrnn.core.layer import Parameter, leaves, reset
from minindrnn.data.adding import adding_problem
from minindrnn.networks.bidirectional import reverse
from minindrnn.networks.papers import build
from minindrnn.training.step import train_step


def f32(*shape, rng):
    return rng.normal(size=shape).astype(np.float32)


# Differences

def test_differences_of_a_ragged_batch_and_over_a_cut(rng):
    x = rng.normal(size=(6, 2, 3))
    whole, _ = differences_forward(x)
    assert_array_equal(whole[0, :, 3:], x[0])
    assert_array_equal(whole[1:, :, 3:], x[1:] - x[:-1])
    layer = Differences()
    first, cache = layer.forward(np.ascontiguousarray(x[:4]))
    second, _ = layer.forward(np.ascontiguousarray(x[4:]), layer.last_state(cache))
    assert_array_equal(np.concatenate([first, second]), whole)
    x[2:, 1] = np.nan
    y, cache = layer.forward(x, lengths=[6, 2])
    assert_array_equal(y[:, 0], whole[:, 0])
    assert not y[2:, 1].any()
    assert_array_equal(layer.last_state(cache), [x[5, 0], x[1, 1]])
    dx, grads = layer.backward(np.ones_like(y), cache)
    assert_array_equal(dx[:, 1, 0], [1, 2, 0, 0, 0, 0])        # y[0] and y[1] hold x[1] twice, x[0] twice and once less


# Both directions

@pytest.mark.parametrize("lengths", [None, [7, 3, 1]])
def test_the_second_direction_is_the_first_one_read_from_the_end(lengths, rng):
    layer = IndRNN(2, 4, rng, u=(0.5, 1.0))
    x = f32(7, 3, 2, rng=rng)
    y, _ = Bidirectional(layer, layer).forward(x, lengths=lengths)
    steps = [7, 7, 7] if lengths is None else lengths
    for b, n in enumerate(steps):
        alone = np.ascontiguousarray(x[:n, b:b + 1])
        assert_array_equal(y[:n, b, :4], layer.forward(alone)[0][:, 0])
        assert_array_equal(y[:n, b, 4:], layer.forward(np.ascontiguousarray(alone[::-1]))[0][::-1, 0])
        assert not y[n:, b].any()


def test_turning_round_twice_is_nothing_and_padding_is_not_read(rng):
    x, lengths = rng.normal(size=(7, 3, 2)), [7, 3, 1]
    assert_array_equal(reverse(reverse(x, lengths), lengths), x)
    layer = Bidirectional(IndRNN(2, 4, rng, dtype=np.float64), IndRNN(2, 3, rng, norm="after", dtype=np.float64))
    padding, results = np.arange(7)[:, None] >= lengths, []
    for filling in (0, np.nan):
        x[padding] = filling
        y, cache = layer.forward(x, lengths=lengths, statistics="batch")
        dy = np.ones_like(y)
        dy[padding] = filling
        dx, grads = layer.backward(dy, cache)
        results.append([y, dx, *(grad for _, grad in leaves(grads))])
    for with_zeros, with_nan in zip(*results):
        assert_array_equal(with_zeros, with_nan)


def test_both_directions_know_their_state_and_statistics(rng):
    layer = Bidirectional(IndRNN(2, 4, rng, norm="after"), IndRNN(2, 3, rng, norm="after"))
    x = f32(5, 6, 2, rng=rng)
    y, cache = layer.forward(x, statistics="batch")
    onward, back = layer.last_state(cache)
    assert_array_equal(onward, layer.onward.last_state(cache[0]))
    assert back is None
    layer.absorb(cache)
    buffers = [buffer for _, buffer in leaves(layer.buffers)]
    assert len(buffers) == 6 and all(buffer.any() for buffer in buffers)
    with pytest.raises(ValueError, match="Bidirectional: expected whole sequences, got one step"):
        layer.step(x[0])


# Layer normalisation

def test_layer_normalisation_is_that_of_its_definition(rng):
    x = rng.normal(size=(3, 2, 8))
    y, _ = layernorm_forward(x, np.ones(8), np.zeros(8), eps=1e-5)
    assert_allclose(y, (x - x.mean(axis=2, keepdims=True)) / np.sqrt(x.var(axis=2, keepdims=True) + 1e-5), rtol=0, atol=1e-13)
    far = (1000 + x).astype(np.float32)
    near = far.astype(np.float64)
    y, _ = layernorm_forward(far, np.ones(8, np.float32), np.zeros(8, np.float32))
    assert_allclose(y, (near - near.mean(axis=2, keepdims=True)) / np.sqrt(near.var(axis=2, keepdims=True) + 1e-5), rtol=0, atol=2e-6)


def test_layer_normalisation_of_one_channel_is_zero_and_its_padding_is_not_read(rng):
    x = rng.normal(size=(3, 2, 1))
    y, cache = layernorm_forward(x, np.ones(1), np.zeros(1))
    assert not y.any() and not layernorm_backward(np.ones_like(y), cache)[0].any()
    x = rng.normal(size=(3, 2, 4))
    x[1:, 1] = np.nan
    y, cache = layernorm_forward(x, np.ones(4), np.zeros(4), lengths=[3, 1])
    results = layernorm_backward(np.where(np.isnan(x), np.nan, 1.0), cache)
    assert all(np.isfinite(array).all() for array in (y, *results)) and not y[1:, 1].any() and not results[0][1:, 1].any()


def test_the_norm_of_a_unit_may_be_layer_normalisation(rng):
    unit, a = Unit(4, np.random.default_rng(5), norm="after", norm_layer=LayerNorm), f32(5, 3, 4, rng=rng)
    h, _ = Unit(4, np.random.default_rng(5)).forward(a)
    assert_array_equal(unit.forward(a)[0], LayerNorm(4).forward(h)[0])
    assert unit.buffers == {} and set(unit.parameters) == {"u", "gamma", "beta"}


# Embedding and language model

def test_an_embedding_looks_up_and_sums_up(rng):
    E, tokens = rng.normal(size=(5, 3)), np.array([[0, 4], [4, 4]])
    x, cache = embedding_forward(tokens, E)
    assert_array_equal(x, E[tokens])
    dx = rng.normal(size=x.shape)
    dE = embedding_backward(dx, cache)
    assert_allclose(dE[4], dx[0, 1] + dx[1, 0] + dx[1, 1])
    assert_array_equal(dE[0], dx[0, 0])
    assert not dE[1:4].any()


def test_a_token_is_out_everywhere_or_nowhere_and_the_mean_is_kept(rng):
    tokens = np.tile(np.arange(4000), (2, 3, 1)).reshape(6, -1)
    x, _ = embedding_forward(tokens, np.ones((4000, 1)), 0.2, rng)
    by_token = x.reshape(6, 4000)
    assert (by_token == by_token[0]).all() and set(np.unique(x)) == {0.0, 1.25} and abs(x.mean() - 1) < 0.02
    assert (Embedding(4, 2, rng, p=0.5).forward(np.array([[1]]))[0] != 0).all()


def test_padding_may_hold_any_token(rng):
    layer = Embedding(4, 2, rng)
    x, cache = layer.forward(np.array([[1, 2], [3, -7]]), lengths=[2, 1])
    assert not x[1, 1].any()
    _, grads = layer.backward(np.full((2, 2, 2), np.float32(1)), cache)
    assert grads["E"][:, 0].tolist() == [0, 1, 1, 1]


def test_sums_of_many_equal_tokens_keep_their_digits():
    E = np.zeros((2, 1), np.float32)
    x, cache = embedding_forward(np.zeros((100_000, 1), int), E)
    dE = embedding_backward(np.full_like(x, 0.1), cache)
    assert abs(dE[0, 0] / (100_000 * float(np.float32(0.1))) - 1) < 1e-7


def small_model(rng, **options):
    body = Chain([Dropout(0.1), IndRNN(6, 5, rng, norm="before", norm_options={"length": 9}), Linear(5, 6, rng)])
    return LanguageModel(7, 6, body, rng, width=0.5, **options)


def test_a_language_model_learns_what_comes_next(rng):
    text = np.tile([0, 1, 2, 3, 4, 5, 6, 3], 40)
    tokens = np.stack([text[i:i + 161] for i in range(8)], axis=1)       # eight streams
    model, state, losses = small_model(rng, p=0.05, bound=0.99), None, []
    optimiser = Adam(model.parameters)
    for epoch in range(15):
        state = None
        for start in range(0, 160, 20):
            x, target = tokens[start:start + 20], tokens[start + 1:start + 21]
            loss, state = train_step(model, cross_entropy, optimiser, x, target, 1e-2, state=state, start=start, rng=rng, bound=0.99)
            losses.append(loss)
    assert losses[0] > 1.8 and np.mean(losses[-8:]) < 0.6
    state = None
    for start, token in enumerate(text[:100]):                            # one token at a time, its memory of fixed size
        y, state = model.step(np.array([token]), state, start=start)
        assert [leaf.shape for _, leaf in leaves(state) if leaf is not None] == [(1, 5)]
        assert start < 20 or y.argmax() == text[start + 1]


def test_ragged_language_model_counts_only_what_is_there(rng):
    model = small_model(rng)
    tokens = rng.integers(0, 7, (5, 2))
    y, cache = model.forward(tokens, lengths=[5, 2])
    target = rng.integers(0, 7, (5, 2))
    target[2:, 1] = -1
    loss, dy = cross_entropy(y, target)
    parts = [cross_entropy(model.forward(np.ascontiguousarray(tokens[:n, b:b + 1]))[0], target[:n, b:b + 1])[0] * n for b, n in ((0, 5), (1, 2))]
    assert loss == pytest.approx(sum(parts) / 7, rel=1e-5)
    assert not dy[2:, 1].any()


# Statistics and roles, through every layer that is made of others

def normalised(rng):
    """(layer, number of its batch normalisations), each around units that normalise."""
    unit = lambda: Unit(4, rng, norm="after", dtype=np.float64)
    layer = lambda: IndRNN(4, 4, rng, norm="before", dtype=np.float64)
    return {"unit": (unit(), 1), "layer": (layer(), 1), "chain": (Chain([unit(), Linear(4, 4, rng, dtype=np.float64), layer()]), 2),
            "residual": (Residual(Chain([unit(), unit()])), 2), "concatenate": (Concatenate(layer()), 1),
            "last step": (AtLastStep(BatchNorm(4, dtype=np.float64)), 1), "both directions": (Bidirectional(layer(), unit()), 2),
            "language model": (LanguageModel(5, 4, Chain([layer(), unit()]), rng, width=1.0, dtype=np.float64), 2)}


@pytest.mark.parametrize("name", normalised(np.random.default_rng(0)))
@pytest.mark.parametrize("average", [False, True])
def test_every_normalisation_absorbs_what_it_has_seen(name, average, rng):
    """All buffers are in the tree; after two passes a mean is 0.09 m1 + 0.1 m2, or the average of m1 and m2."""
    (layer, count), means = normalised(rng)[name], []
    for _, parameter in leaves(layer.parameters):
        parameter.value += rng.uniform(0.1, 0.5, parameter.value.shape)          # or what is normalised twice has mean 0
    buffers = dict(leaves(layer.buffers))
    assert len(buffers) == 3 * count
    for _ in range(2):
        x = rng.integers(0, 5, (6, 8)) if name == "language model" else rng.normal(size=(6, 8, 4))
        _, cache = layer.forward(x, statistics="batch")
        kept = {path: buffer.copy() for path, buffer in buffers.items()}
        for buffer in buffers.values():
            buffer[...] = 0
        layer.absorb(cache, average=True)                                        # the first one counts whole
        means.append({path: buffer.copy() for path, buffer in buffers.items() if path.endswith("mean")})
        for path, buffer in buffers.items():
            buffer[...] = kept[path]
        layer.absorb(cache, average=average)
    assert [buffer.tolist() for path, buffer in buffers.items() if path.endswith("updates")] == [[2]] * count
    for path, first in means[0].items():
        second = means[1][path]
        wanted = (first + second) / 2 if average else 0.09 * first + 0.1 * second
        assert_allclose(buffers[path], wanted, rtol=1e-9, err_msg=path)
        assert np.abs(first).min() > 1e-6, path


ROLES = {"W": "weight", "E": "weight", "U": "weight", "b": "bias", "beta": "bias", "gamma": "gain", "u": "recurrent"}


def test_every_parameter_has_the_role_of_its_name(rng):
    found = set()
    for layer in [*(layer for layer, _ in normalised(rng).values()), *networks(rng).values(), LayerNorm(3)]:
        for path, parameter in leaves(layer.parameters):
            name = path.split(".")[-1]
            assert parameter.role == ROLES.get(name, "bias"), path
            found.add(name)
    assert found >= ROLES.keys()


# State

def networks(rng):
    return {"stacked": StackedIndRNN(2, 5, 3, 4, rng, length=9, norm="after"),
            "residual": ResidualIndRNN(2, 5, 2, 4, rng, length=9, norm="before", norm_options={"length": 6}),
            "dense": DenseIndRNN(2, 2, (2, 1), 4, rng, length=9, differences=True),
            "rnn": RNN(2, 5, rng), "lstm": LSTM(2, 5, rng), "gru": GRU(2, 5, rng),
            "a unit": Unit(2, rng, norm="after"),
            "before": IndRNN(2, 5, rng, norm="before", norm_options={"length": 6}), "wide, before": IndRNN(2, 5, rng, norm="before"),
            "skips": Chain([Concatenate(IndRNN(2, 3, rng)), Linear(5, 5, rng), Residual(Unit(5, rng)), BatchNorm(5)])}


@pytest.mark.parametrize("name", networks(np.random.default_rng(0)))
def test_step_by_step_equals_one_pass_and_needs_no_more_memory(name, rng):
    network = networks(rng)[name]
    x = f32(12, 3, 2, rng=rng)
    for _, buffer in leaves(network.buffers):                       # other statistics in every row and channel
        buffer[...] = 1 if buffer.dtype.kind == "i" else rng.uniform(0.5, 2, buffer.shape)
    for _, parameter in leaves(network.parameters):                 # nor any bias or gain where it starts
        if parameter.role in ("bias", "gain"):
            parameter.value[...] += rng.uniform(-0.3, 0.3, parameter.value.shape)
    whole, _ = network.forward(x)
    state, sizes = None, set()
    for t in range(12):
        y, state = network.step(x[t], state, start=t)
        sizes.add(sum(leaf.nbytes for _, leaf in leaves(state) if leaf is not None))
        if whole.ndim == 3:
            assert_allclose(y, whole[t], rtol=1e-5, atol=1e-6)
    if whole.ndim == 2:
        assert_allclose(y, whole, rtol=1e-5, atol=1e-6)
    assert len(sizes) == 1


def test_the_output_of_a_step_is_not_its_state(rng):
    layer = IndRNN(2, 3, rng)
    y, state = layer.step(np.ones((1, 2), np.float32))
    kept = y.copy()
    reset(state, [0])
    assert_array_equal(y, kept)


@pytest.mark.parametrize("call, error, message", [
    (lambda rng: BatchNorm(4).step(f32(2, 8, rng=rng)), ValueError, r"x: expected \(B, N\) = \(2, 4\), got \(2, 8\)"),
    (lambda rng: Unit(4, rng).step(f32(2, 8, rng=rng)), ValueError, r"a: expected \(B, N\) = \(2, 4\), got \(2, 8\)"),
    (lambda rng: IndRNN(2, 4, rng).step(f32(2, 3, rng=rng)), ValueError, r"x: expected \(B, M\) = \(2, 2\), got \(2, 3\)"),
    (lambda rng: Linear(2, 4, rng).step(rng.normal(size=(2, 2))), TypeError, "x: expected float32 like W, got float64"),
    (lambda rng: Chain([Linear(2, 4, rng), Linear(4, 1, rng)]).step(f32(1, 2, rng=rng), [None]), ValueError,
     "state: expected a list of 2, got a list of 1"),
    (lambda rng: IndRNN(2, 4, rng).forward(rng.normal(size=(1, 1, 2))), TypeError, "x: expected float32 like W, got float64"),
    (lambda rng: Unit(4, rng, norm_options={"length": 3}), ValueError, "norm_options: expected none of them without a norm, got length"),
    (lambda rng: Unit(4, rng, activation="Relu"), ValueError, "activation: expected one of .* got 'Relu'"),
    (lambda rng: DenseIndRNN(2, 3, 3, 1, rng, length=9), ValueError, "blocks: expected the number of dense layers .* got 3"),
    (lambda rng: BatchNorm(2, length=3).forward(f32(1, 2, 2, rng=rng), start=-1), ValueError, "start: expected a finite number at least 0, got -1"),
    (lambda rng: embedding_backward(np.ones((1, 1, 3)), embedding_forward(np.array([[0]]), np.ones((2, 2)))[1]), ValueError,
     r"dx: expected \(T, B, M\) = \(1, 1, 2\), got \(1, 1, 3\)"),
])
def test_what_does_not_fit_is_named(rng, call, error, message):
    with pytest.raises(error, match=message):
        call(rng)


@pytest.mark.parametrize("layer", [Residual(Linear(2, 2, np.random.default_rng(0))), Concatenate(Linear(2, 3, np.random.default_rng(0))), Dropout(0.5),
                                   Chain([Dropout(0.5), Residual(Unit(2, np.random.default_rng(0)))])])
def test_combinators_do_not_read_padding(layer, rng):
    x, lengths = f32(4, 2, 2, rng=rng), [4, 2]
    padding = np.arange(4)[:, None] >= lengths
    x[padding] = np.nan
    y, cache = layer.forward(x, lengths=lengths, rng=np.random.default_rng(1))
    dy = np.where(padding[:, :, None], np.nan, np.ones_like(y))
    dx, _ = layer.backward(dy, cache)
    assert np.isfinite(y).all() and np.isfinite(dx).all() and not y[padding].any() and not dx[padding].any()


def test_reset_starts_some_sequences_anew(rng):
    network = Chain([IndRNN(2, 4, rng), LSTM(4, 3, rng), Linear(3, 2, rng)])
    x = f32(4, 3, 2, rng=rng)
    _, cache = network.forward(x)
    state = network.last_state(cache)
    reset(state, np.array([False, True, False]))
    fresh, _ = network.forward(x)
    carried, _ = network.forward(x, state)
    assert_allclose(carried[:, 1], fresh[:, 1], rtol=0, atol=1e-7)
    assert np.abs(carried[0, 0] - fresh[0, 0]).max() > 1e-6


# Memory

def layers(rng):
    return networks(rng) | {
        "bidirectional": Bidirectional(IndRNN(2, 4, rng, norm="after"), IndRNN(2, 3, rng)), "dropout": Dropout(0.5), "linear": Linear(2, 5, rng),
        "unit": Unit(2, rng), "unit, before": Unit(2, rng, norm="before", dropout=0.3), "unit, after": Unit(2, rng, norm="after", dropout=0.3),
        "unit, layer": Unit(2, rng, norm="after", norm_layer=LayerNorm, dropout=0.3), "only dropout": Chain([Dropout(0.5)]),
        "wide": IndRNN(2, 5, rng, norm="after", dropout=0.2), "last": AtLastStep(Linear(2, 3, rng)), "norm": BatchNorm(2)}


@pytest.mark.parametrize("name", layers(np.random.default_rng(0)))
@pytest.mark.parametrize("dropping", [False, True])
@pytest.mark.parametrize("shape", [(6, 3, 2), (1, 1, 2)])
def test_writing_over_dy_changes_nothing_else_and_happens_only_when_allowed(name, dropping, shape, rng):
    layer, x = layers(rng)[name], f32(*shape, rng=rng)
    x_before = x.copy()
    y, cache = layer.forward(x, statistics="batch", rng=np.random.default_rng(1) if dropping else None)
    dy, y_before = rng.normal(size=y.shape).astype(np.float32), y.copy()
    before = dy.copy()
    dx, grads = layer.backward(dy, cache)
    assert_array_equal(dy, before)
    dx = dx.copy()
    again, same = layer.backward(dy, cache, overwrite=True)
    assert_array_equal(dx, again)
    for (_, one), (_, two) in zip(leaves(grads), leaves(same)):
        assert_array_equal(one, two)
    assert_array_equal(x, x_before)
    assert_array_equal(y, y_before)


@pytest.mark.parametrize("call, message", [
    (lambda rng: Embedding(4, 2, rng).forward(np.array([[4]])), "tokens: expected 0 to V - 1 = 3, got 4"),
    (lambda rng: Embedding(4, 2, rng).forward(np.array([[-1]])), "tokens: expected 0 to V - 1 = 3, got -1"),
    (lambda rng: Embedding(4, 2, rng).forward(np.array([[1.0]])), r"tokens: expected integers \(T, B\), got float64 of shape \(1, 1\)"),
    (lambda rng: Embedding(4, 2, rng).forward(np.array([1])), r"tokens: expected integers \(T, B\), got int64 of shape \(1,\)"),
    (lambda rng: Embedding(4, 2, rng, p=1.0), "p: expected a finite number from 0 to .* got 1.0"),
    (lambda rng: differences_forward(np.ones((2, 3, 4)), np.ones((2, 4))), r"x0: expected \(B, M\) = \(3, 4\), got \(2, 4\)"),
    (lambda rng: layernorm_forward(np.ones((2, 3, 4)), np.ones(3), np.ones(4)), r"gamma: expected \(N,\) = \(4,\), got \(3,\)"),
    (lambda rng: LSTM(2, 4, rng).forward(np.ones((2, 3, 2), np.float32), np.ones((2, 1, 4), np.float32)), r"s0: expected \(2, B, N\) = \(2, 3, 4\), got \(2, 1, 4\)"),
    (lambda rng: small_model(rng).forward(np.zeros((2, 3), int), {"body": [None, np.zeros((2, 5), np.float32), None]}),
     r"h0: expected \(B, N\) = \(3, 5\), got \(2, 5\)"),
])
def test_errors(rng, call, message):
    with pytest.raises(ValueError, match=message):
        call(rng)


# What comes in: another kind, another shape, another type, another order in memory

def spoilt(array):
    """{how: (array, error)}: everything that is not an array of that shape."""
    wide = np.concatenate([array, array], axis=-1)
    return {"list": (array.tolist(), TypeError), "None": (None, TypeError), "masked": (np.ma.masked_array(array), TypeError),
            "of integers": (array.astype(int), TypeError), "of objects": (array.astype(object), TypeError),
            "of the other byte order": (array.astype(array.dtype.newbyteorder()), TypeError),
            "one axis more": (array[np.newaxis], ValueError), "one axis less": (array[0], ValueError), "wide": (wide, ValueError),
            "with gaps": (np.repeat(array, 2, axis=-1)[..., ::2], ValueError), "empty": (array[:0], ValueError)}


def all_layers(rng):
    return layers(rng) | {"layernorm": LayerNorm(2), "differences": Differences(), "embedding": Embedding(4, 3, rng), "model": small_model(rng)}


@pytest.mark.parametrize("name", all_layers(np.random.default_rng(0)))
def test_what_comes_into_a_layer_is_checked_before_it_is_used(name, rng):
    layer = all_layers(rng)[name]
    tokens = name in ("embedding", "model")
    x = rng.integers(0, 4, (4, 3)) if tokens else f32(4, 3, 2, rng=rng)
    y, cache = layer.forward(x, rng=np.random.default_rng(1))
    for dy, error in spoilt(np.ones_like(y)).values():
        with pytest.raises(error, match=r"^d\w+: expected"):
            layer.backward(dy, cache)
    if tokens:
        return
    of_any_width = name in ("differences", "dropout", "only dropout")
    for how, (wrong, error) in spoilt(x).items():
        if not (of_any_width and how == "wide"):
            with pytest.raises(error, match=r"^\w+: expected"):
                layer.forward(wrong)
    for how, (wrong, error) in spoilt(x[0]).items():
        if not (of_any_width and how == "wide" or how == "with gaps" or name == "bidirectional"):      # gaps may go by a copy
            with pytest.raises(error, match=r"^\w+: expected"):
                layer.step(wrong)


def with_bias(layer, b):
    layer.parameters["b"].value = b
    return layer


@pytest.mark.parametrize("call, message", [
    (lambda rng: Chain([Linear(2, 4, rng), Linear(4, 1, rng)]).forward(f32(3, 1, 2, rng=rng), 5), "state: expected a list of 2, got int"),
    (lambda rng: Bidirectional(IndRNN(2, 3, rng), IndRNN(2, 3, rng)).forward(f32(3, 1, 2, rng=rng), [None]), "state: expected a list of 2, got a list of 1"),
    (lambda rng: small_model(rng).forward(np.zeros((2, 3), int), [None]), "state: expected {body}, got a list of 1"),
    (lambda rng: with_bias(IndRNN(2, 3, rng), np.zeros(1, np.float32)).step(f32(4, 2, rng=rng)), r"b: expected \(3,\) like u, got \(1,\)"),
    (lambda rng: batchnorm_forward(f32(3, 2, 4, rng=rng), *np.ones((2, 4), np.float32), *np.ones((2, 1, 4), np.float32), mask=5), "mask: expected a NumPy array"),
    (lambda rng: dropout_backward(np.ones((3, 1, 4)), dropout_forward(np.ones((3, 2, 4)), 0.5, rng)[1]), r"dy: expected \(T, B, N\) = \(3, 2, 4\), got \(3, 1, 4\)"),
    (lambda rng: BatchNorm(1).absorb(BatchNorm(3).forward(f32(4, 2, 3, rng=rng), statistics="batch")[1]), r"x in the cache: expected \(1,\) like gamma, got \(3,\)"),
    (lambda rng: BatchNorm(3).absorb(BatchNorm(1).forward(f32(4, 2, 1, rng=rng), statistics="batch")[1]), r"x in the cache: expected \(3,\) like gamma, got \(1,\)"),
    (lambda rng: Parameter([1.0], "weight"), "value: expected an array, got list"),
    (lambda rng: reset(np.broadcast_to(np.float32(1), (2, 3)), [0]), "state: expected an array that can be written into, got a read-only one"),
])
def test_states_options_and_caches_that_do_not_fit_are_named(rng, call, message):
    with pytest.raises((TypeError, ValueError), match=message):
        call(rng)


# Arrays to write into

def read_only(array):
    array = array.copy()
    array.flags.writeable = False
    return array


WRONG_OUT = {"read-only": (lambda x: read_only(x), ValueError, "expected an array that can be written into, got a read-only one"),
             "one number": (lambda x: np.broadcast_to(x[:1, :1, :1], x.shape), ValueError, "expected a C-contiguous array"),
             "smaller": (lambda x: np.ones(x[1:].shape, x.dtype), ValueError, r"expected \(T, B, N\) = \(5, 2, 3\), got \(4, 2, 3\)"),
             "float32": (lambda x: x.astype(np.float32), TypeError, "expected float64 like .*, got float32"),
             "gaps": (lambda x: np.repeat(x, 2, axis=2)[:, :, ::2], ValueError, "expected a C-contiguous array"),
             "list": (lambda x: x.tolist(), TypeError, r"expected a NumPy array \(T, B, N\), got list")}


def calls_with_out(rng):
    """{name: (what may be written over, a call with out)}."""
    a, u, h0 = rng.normal(size=(5, 2, 3)), rng.uniform(size=3), rng.normal(size=(2, 3))
    h, of_recurrence = minindrnn.indrnn_forward(a, u, h0)
    _, of_norm = batchnorm_forward(a, np.ones(3), np.zeros(3), *np.ones((2, 1, 3)))
    dh = rng.normal(size=h.shape)
    return {"indrnn_forward": (a, lambda out: minindrnn.indrnn_forward(a, u, h0, out=out)[0]),
            "indrnn_backward": (dh, lambda out: minindrnn.indrnn_backward(dh, of_recurrence, out=out)[0]),
            "batchnorm_backward": (dh, lambda out: batchnorm_backward(dh, of_norm, out=out)[0])}


@pytest.mark.parametrize("name", calls_with_out(np.random.default_rng(0)))
@pytest.mark.parametrize("wrong, error, message", WRONG_OUT.values(), ids=WRONG_OUT)
def test_an_array_that_cannot_take_the_result_is_named(name, wrong, error, message, rng):
    given, call = calls_with_out(rng)[name]
    before = given.copy()
    with pytest.raises(error, match=f"^out: {message}"):
        call(wrong(given))
    given.flags.writeable = False
    with pytest.raises(ValueError, match="^out: expected an array that can be written into, got a read-only one"):
        call(given)
    assert_array_equal(given, before)


@pytest.mark.parametrize("name", calls_with_out(np.random.default_rng(0)))
def test_a_result_goes_over_its_argument_or_into_memory_of_its_own(name, rng):
    given, call = calls_with_out(rng)[name]
    wanted = call(None)
    assert_array_equal(call(np.empty_like(given)), wanted)
    assert call(given) is given
    assert_array_equal(given, wanted)


def test_a_result_does_not_go_over_what_is_still_read(rng):
    memory = rng.normal(size=(6, 2, 3))
    a, later, u = memory[:5], memory[1:], np.full(3, 0.5)
    h, cache = minindrnn.indrnn_forward(a, u)
    x, norms = rng.normal(size=(5, 2, 3)), (np.ones(3), np.zeros(3), *np.ones((2, 1, 3)))
    _, of_norm = batchnorm_forward(x, *norms)
    for call, message in [
            (lambda: minindrnn.indrnn_forward(a, u, out=later), "out: expected a or memory of its own, got that of a"),
            (lambda: minindrnn.indrnn_forward(a, u, out=a[:]), "out: expected a or memory of its own, got that of a"),
            (lambda: minindrnn.indrnn_forward(a, u, a[0], out=a), "out: expected a or memory of its own, got that of h0"),
            (lambda: minindrnn.indrnn_backward(np.ones_like(h), cache, out=h), "out: expected dh or memory of its own, got that of h"),
            (lambda: minindrnn.indrnn_backward(h, cache, out=h), "out: expected dh or memory of its own, got that of h"),
            (lambda: batchnorm_backward(np.ones_like(x), of_norm, out=x), "out: expected dy or memory of its own, got that of x")]:
        before = memory.copy()
        with pytest.raises(ValueError, match=message):
            call()
        assert_array_equal(memory, before)


# Generators

SEEDS = [42, np.random.RandomState(0), np.random, "0"]


@pytest.mark.parametrize("seed", SEEDS, ids=lambda seed: type(seed).__name__)
@pytest.mark.parametrize("call", [
    lambda rng: Linear(2, 3, rng), lambda rng: IndRNN(2, 3, rng), lambda rng: Unit(3, rng), lambda rng: RNN(2, 3, rng), lambda rng: LSTM(2, 3, rng),
    lambda rng: GRU(2, 3, rng), lambda rng: Embedding(4, 2, rng), lambda rng: LanguageModel(4, 2, Dropout(0.1), rng),
    lambda rng: StackedIndRNN(2, 3, 1, 1, rng, length=9), lambda rng: ResidualIndRNN(2, 3, 1, 1, rng, length=9), lambda rng: DenseIndRNN(2, 3, (1,), 1, rng, length=9),
    lambda rng: build("mnist-plain-6", rng), lambda rng: adding_problem(4, 2, rng), lambda rng: dropout_forward(np.ones((2, 1, 4)), 0.5, rng),
    lambda rng: Dropout(0.0).forward(np.ones((2, 1, 4)), rng=rng), lambda rng: embedding_forward(np.array([[1]]), np.ones((2, 2)), 0.0, rng),
    lambda rng: IndRNN(2, 3, np.random.default_rng(0)).forward(np.ones((2, 1, 2), np.float32), rng=rng),
    lambda rng: IndRNN(2, 3, np.random.default_rng(0), norm="after").forward(np.ones((2, 1, 2), np.float32), rng=rng),
    lambda rng: train_step(LSTM(1, 1, np.random.default_rng(0)), None, None, None, None, 0.1, rng=rng),
    lambda rng: check(None, rng), lambda rng: gradient_norms(None, None, rng)])
def test_a_seed_is_not_a_generator(call, seed):
    with pytest.raises(TypeError, match=rf"^rng: expected a numpy.random.Generator( or None)?, got {type(seed).__name__}; np.random.default_rng\(seed\) makes one"):
        call(seed)


def test_where_something_must_be_drawn_none_is_refused_too():
    with pytest.raises(TypeError, match="^rng: expected a numpy.random.Generator, got NoneType"):
        adding_problem(4, 2, None)
    with pytest.raises(TypeError, match="^rng: expected a numpy.random.Generator, got NoneType"):
        check(None, None)


@pytest.mark.parametrize("kind", [Residual, Concatenate])
@pytest.mark.parametrize("start", [0, 2, 9])
def test_a_block_in_use_tells_its_layer_which_step_it_is(kind, start, rng):
    norm, x = BatchNorm(3, length=4, dtype=np.float64), rng.normal(size=(2, 3))
    norm.buffers["mean"][:], norm.buffers["updates"][:] = rng.normal(size=(4, 3)), 1
    F = (x - norm.buffers["mean"][min(start, 3)]) / np.sqrt(1 + 1e-5)
    y, _ = kind(norm).step(x, start=start)
    assert_allclose(y, x + F if kind is Residual else np.concatenate([x, F], axis=1), rtol=1e-13)


def test_a_chain_writes_over_no_gradient_that_is_not_its_own(rng):
    """The last layer, dropout of nothing, hands on the very array that the caller gave."""
    chain, x = Chain([IndRNN(2, 3, rng), Dropout(0.0)]), f32(4, 5, 2, rng=rng)
    dy = f32(4, 5, 3, rng=rng)
    before, (_, cache) = dy.copy(), chain.forward(x)
    first, second = (chain.backward(dy, cache)[0] for _ in range(2))
    assert_array_equal(dy, before)
    assert_array_equal(first, second)
