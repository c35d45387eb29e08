"""The contract of a layer, kept by all: keywords, roles, statistics, states, and what comes in."""
import inspect

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from strategies import f32, small_model

import minindrnn
from minindrnn import (
    GRU,
    LSTM,
    RNN,
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
)
from minindrnn.checks import cases
from minindrnn.core.layer import Layer, Parameter, expect_known, leaves, reset
from minindrnn.core.ranks import ALONE
from minindrnn.networks.combinators import Around

# Keywords: one that nothing reads is an error, in every layer and network, in each of its calls

ROWS = [name for name in cases.PROBLEMS if name[0].isupper()]
PARTS = {"Unit": lambda rng: Unit(2, rng), "Unit, normalised": lambda rng: Unit(2, rng, norm="before", dropout=0.5),
         "BatchNorm": lambda rng: BatchNorm(2), "BatchNorm, per step": lambda rng: BatchNorm(2, length=3),
         "LayerNorm": lambda rng: LayerNorm(2), "Dropout": lambda rng: Dropout(0.5),
         "Embedding": lambda rng: Embedding(5, 3, rng)}
FORWARD = {"lengths": [2, 1], "statistics": "batch", "start": 1, "rng": np.random.default_rng(0), "ranks": ALONE}


def of_problem(name, monkeypatch):
    """Layer, x and state of a row of the table of problems."""
    monkeypatch.setattr(cases, "of_layer", lambda layer, x, state, **_: (layer, x, state))
    module, problem = cases.PROBLEMS[name]
    return problem(module, np.random.default_rng(5))


@pytest.fixture(params=[*ROWS, *PARTS])
def layer(request, monkeypatch):
    if request.param in PARTS:
        return PARTS[request.param](np.random.default_rng(0)), None
    layer, x, _ = of_problem(request.param, monkeypatch)
    return layer, x


def input_of(layer, x):
    """x (2, 2, M) of the right kind: the steps and sequences of what was drawn are any."""
    if isinstance(layer, Embedding) or x is not None and x.dtype.kind == "i":
        return np.ones((2, 2), int)
    M, dtype = (2, np.float32) if x is None else (x.shape[2], x.dtype)
    return np.random.default_rng(1).normal(size=(2, 2, M)).astype(dtype)


def kinds_below(kind):
    return {kind}.union(*(kinds_below(below) for below in kind.__subclasses__()))


def test_every_kind_of_layer_is_among_them(monkeypatch):
    tested = ({type(of_problem(name, monkeypatch)[0]) for name in ROWS}
              | {type(make(np.random.default_rng(0))) for make in PARTS.values()})
    ours = {kind for kind in kinds_below(Layer) if kind.__module__.startswith("minindrnn.")}
    there = {kind for kind in ours if not kind.__module__.startswith("minindrnn.gpu")}
    missing = [kind.__name__ for kind in there - {Layer, Around} - tested]
    assert not missing, f"expected a problem of its own in checks/cases.py, or a part here, for {' and '.join(missing)}"


def test_every_keyword_of_the_contract_is_taken(layer):
    layer, x = layer
    x = input_of(layer, x)
    assert FORWARD.keys() == Layer.forward.__kwdefaults__.keys()
    for keyword, value in FORWARD.items():
        layer.forward(x, **{keyword: value})
    y, cache = layer.forward(x, **FORWARD)
    for overwrite in (False, True):
        layer.backward(np.ones_like(y), cache, overwrite=overwrite)
    for average in (False, True):
        layer.absorb(cache, average=average)
    if not isinstance(layer, minindrnn.Bidirectional):
        layer.step(x[0], start=1)


@pytest.mark.parametrize("keyword", ["lenghts", "overwrite_", "average", "rate"])
def test_any_other_keyword_of_forward_is_named_and_so_is_what_is_taken(layer, keyword):
    layer, x = layer
    with pytest.raises(TypeError, match=f"forward: expected some of {', '.join(FORWARD)}, got {keyword}"):
        layer.forward(input_of(layer, x), **{keyword: [2, 1]})


def test_any_other_keyword_of_the_other_calls_is_named(layer):
    layer, x = layer
    x = input_of(layer, x)
    y, cache = layer.forward(x)
    for call in (lambda **how: layer.backward(np.ones_like(y), cache, **how), lambda **how: layer.absorb(cache, **how),
                 lambda **how: layer.step(x[0], **how)):
        for keyword in ("overwrit", "averages", "strat", "lengths"):
            with pytest.raises(TypeError, match=rf"\(\) got an unexpected keyword argument '{keyword}'"):
                call(**{keyword: 1})


def test_no_call_takes_keywords_and_forgets_them():
    """Where a signature ends in **, what is caught there goes on by **, or is looked at."""
    for kind in kinds_below(Layer):
        for name in ("forward", "backward", "step", "absorb"):
            call = vars(kind).get(name)
            parameters = inspect.signature(call).parameters.values() if call else []
            for caught in [p.name for p in parameters if p.kind is p.VAR_KEYWORD]:
                source = inspect.getsource(call)
                assert f"expect_known({caught})" in source or source.count(f"**{caught}") > 1, call


@pytest.mark.parametrize("build, message", [
    (lambda rng: IndRNN(2, 3, rng, droput=0.1), r"Unit.__init__\(\) got an unexpected keyword argument 'droput'"),
    (lambda rng: IndRNN(2, 3, rng, norm="after", norm_options={"step": 3}),
     r"BatchNorm.__init__\(\) got an unexpected keyword argument 'step'"),
    (lambda rng: BatchNorm(3, steps=9), r"BatchNorm.__init__\(\) got an unexpected keyword argument 'steps'"),
    (lambda rng: StackedIndRNN(2, 3, 2, 1, rng, length=9, acitvation="relu"),
     r"Unit.__init__\(\) got an unexpected keyword argument 'acitvation'"),
    (lambda rng: ResidualIndRNN(2, 3, 2, 1, rng, length=9, post=True),
     r"Unit.__init__\(\) got an unexpected keyword argument 'post'"),
    (lambda rng: DenseIndRNN(2, 3, (1,), 1, rng, length=9, grow=2),
     r"Unit.__init__\(\) got an unexpected keyword argument 'grow'"),
    (lambda rng: LSTM(2, 3, rng, activation_="relu"),
     r"RNN.__init__\(\) got an unexpected keyword argument 'activation_'"),
    (lambda rng: LanguageModel(4, 2, Dropout(0.1), rng, wide=1.0),
     r"Embedding.__init__\(\) got an unexpected keyword argument 'wide'"),
])
def test_an_unknown_option_of_a_layer_is_named_beside_who_refuses_it(rng, build, message):
    with pytest.raises(TypeError, match=message):
        build(rng)


@pytest.mark.parametrize("network, layers", [(StackedIndRNN, 2), (ResidualIndRNN, 2), (DenseIndRNN, (1,))])
def test_without_a_length_there_is_no_network(network, layers, rng):
    with pytest.raises(TypeError, match="missing 1 required keyword-only argument: 'length'"):
        network(2, 3, layers, 1, rng, steps=9)


def test_what_is_unused_but_known_passes():
    expect_known({})
    expect_known(dict.fromkeys(FORWARD))


# Statistics and roles, through every layer that is made of others

def normalised(rng):
    """(layer, number of its batch normalisations), each around units that normalise."""
    def unit():
        return Unit(4, rng, norm="after", dtype=np.float64)

    def layer():
        return IndRNN(4, 4, rng, norm="before", dtype=np.float64)

    return {"unit": (unit(), 1), "layer": (layer(), 1),
            "chain": (Chain([unit(), Linear(4, 4, rng, dtype=np.float64), layer()]), 2),
            "residual": (Residual(Chain([unit(), unit()])), 2), "concatenate": (Concatenate(layer()), 1),
            "last step": (AtLastStep(BatchNorm(4, dtype=np.float64)), 1),
            "both directions": (Bidirectional(layer(), unit()), 2),
            "language model": (LanguageModel(5, 4, Chain([layer(), unit()]), rng, width=1.0, dtype=np.float64), 2)}


@pytest.mark.parametrize("name", normalised(np.random.default_rng(0)))
@pytest.mark.parametrize("average", [False, True])
def test_every_normalisation_absorbs_what_it_has_seen(name, average, rng):
    """All buffers are in the tree; after two passes a mean is 0.09 m1 + 0.1 m2, or the average of m1 and m2."""
    (layer, count), means = normalised(rng)[name], []
    for _, parameter in leaves(layer.parameters):
        parameter.value += rng.uniform(0.1, 0.5, parameter.value.shape)      # or what is normalised twice has mean 0
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


def networks(rng):
    return {"stacked": StackedIndRNN(2, 5, 3, 4, rng, length=9, norm="after"),
            "residual": ResidualIndRNN(2, 5, 2, 4, rng, length=9, norm="before", norm_options={"length": 6}),
            "dense": DenseIndRNN(2, 2, (2, 1), 4, rng, length=9, differences=True),
            "rnn": RNN(2, 5, rng), "lstm": LSTM(2, 5, rng), "gru": GRU(2, 5, rng),
            "a unit": Unit(2, rng, norm="after"),
            "before": IndRNN(2, 5, rng, norm="before", norm_options={"length": 6}),
            "wide, before": IndRNN(2, 5, rng, norm="before"),
            "skips": Chain([Concatenate(IndRNN(2, 3, rng)), Linear(5, 5, rng), Residual(Unit(5, rng)), BatchNorm(5)])}


ROLES = {"W": "weight", "E": "weight", "U": "weight", "b": "bias", "beta": "bias", "gamma": "gain", "u": "recurrent"}


def test_every_parameter_has_the_role_of_its_name(rng):
    found = set()
    for layer in [*(layer for layer, _ in normalised(rng).values()), *networks(rng).values(), LayerNorm(3)]:
        for path, parameter in leaves(layer.parameters):
            name = path.split(".")[-1]
            assert parameter.role == ROLES.get(name, "bias"), path
            found.add(name)
    assert found >= ROLES.keys()


# States, a step at a time

@pytest.mark.parametrize("name", networks(np.random.default_rng(0)))
def test_step_by_step_equals_one_pass(name, rng):
    network = networks(rng)[name]
    x = f32(12, 3, 2, rng=rng)
    for _, buffer in leaves(network.buffers):                       # other statistics in every row and channel
        buffer[...] = 1 if buffer.dtype.kind == "i" else rng.uniform(0.5, 2, buffer.shape)
    for _, parameter in leaves(network.parameters):                 # nor any bias or gain where it starts
        if parameter.role in ("bias", "gain"):
            parameter.value[...] += rng.uniform(-0.3, 0.3, parameter.value.shape)
    whole, _ = network.forward(x)
    state = None
    for t in range(12):
        y, state = network.step(x[t], state, start=t)
        if whole.ndim == 3:
            assert_allclose(y, whole[t], rtol=1e-5, atol=1e-6)
    if whole.ndim == 2:
        assert_allclose(y, whole, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", networks(np.random.default_rng(0)))
def test_a_state_does_not_grow_step_by_step(name, rng):
    network, x = networks(rng)[name], f32(12, 3, 2, rng=rng)
    state, sizes = None, set()
    for t in range(12):
        _, state = network.step(x[t], state, start=t)
        sizes.add(sum(leaf.nbytes for _, leaf in leaves(state) if leaf is not None))
    assert len(sizes) == 1


def test_the_output_of_a_step_is_not_its_state(rng):
    layer = IndRNN(2, 3, rng)
    y, state = layer.step(np.ones((1, 2), np.float32))
    kept = y.copy()
    reset(state, [0])
    assert_array_equal(y, kept)


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


# What comes in: another kind, another shape, another type, another order in memory; and what is written over

def layers(rng):
    return networks(rng) | {
        "bidirectional": Bidirectional(IndRNN(2, 4, rng, norm="after"), IndRNN(2, 3, rng)),
        "dropout": Dropout(0.5), "only dropout": Chain([Dropout(0.5)]), "linear": Linear(2, 5, rng),
        "unit": Unit(2, rng), "unit, before": Unit(2, rng, norm="before", dropout=0.3),
        "unit, after": Unit(2, rng, norm="after", dropout=0.3),
        "unit, layer": Unit(2, rng, norm="after", norm_layer=LayerNorm, dropout=0.3),
        "wide": IndRNN(2, 5, rng, norm="after", dropout=0.2), "last": AtLastStep(Linear(2, 3, rng)),
        "norm": BatchNorm(2)}


@pytest.mark.parametrize("name", layers(np.random.default_rng(0)))
@pytest.mark.parametrize("dropping", [False, True])
@pytest.mark.parametrize("shape", [(6, 3, 2), (1, 1, 2)])
def test_dy_is_written_over_only_if_allowed(name, dropping, shape, rng):
    layer, x = layers(rng)[name], f32(*shape, rng=rng)
    y, cache = layer.forward(x, statistics="batch", rng=np.random.default_rng(1) if dropping else None)
    dy = rng.normal(size=y.shape).astype(np.float32)
    before = dy.copy()
    layer.backward(dy, cache)
    assert_array_equal(dy, before)


@pytest.mark.parametrize("name", layers(np.random.default_rng(0)))
@pytest.mark.parametrize("dropping", [False, True])
@pytest.mark.parametrize("shape", [(6, 3, 2), (1, 1, 2)])
def test_writing_over_dy_changes_nothing_else(name, dropping, shape, rng):
    layer, x = layers(rng)[name], f32(*shape, rng=rng)
    x_before = x.copy()
    y, cache = layer.forward(x, statistics="batch", rng=np.random.default_rng(1) if dropping else None)
    dy, y_before = rng.normal(size=y.shape).astype(np.float32), y.copy()
    dx, grads = layer.backward(dy, cache)
    dx = dx.copy()
    again, same = layer.backward(dy, cache, overwrite=True)
    assert_array_equal(dx, again)
    for (_, one), (_, two) in zip(leaves(grads), leaves(same)):
        assert_array_equal(one, two)
    assert_array_equal(x, x_before)
    assert_array_equal(y, y_before)


def spoilt(array):
    """{how: (array, error)}: everything that is not an array of that shape."""
    wide = np.concatenate([array, array], axis=-1)
    return {"list": (array.tolist(), TypeError), "None": (None, TypeError),
            "masked": (np.ma.masked_array(array), TypeError),
            "of integers": (array.astype(int), TypeError), "of objects": (array.astype(object), TypeError),
            "of the other byte order": (array.astype(array.dtype.newbyteorder()), TypeError),
            "one axis more": (array[np.newaxis], ValueError), "one axis less": (array[0], ValueError),
            "wide": (wide, ValueError),
            "with gaps": (np.repeat(array, 2, axis=-1)[..., ::2], ValueError), "empty": (array[:0], ValueError)}


def all_layers(rng):
    return layers(rng) | {"layernorm": LayerNorm(2), "differences": Differences()}


OF_ANY_WIDTH = "differences", "dropout", "only dropout"


@pytest.mark.parametrize("name", [*all_layers(np.random.default_rng(0)), "embedding", "model"])
def test_what_comes_into_backward_is_checked_before_it_is_used(name, rng):
    layer = (all_layers(rng) | {"embedding": Embedding(4, 3, rng), "model": small_model(rng)})[name]
    x = rng.integers(0, 4, (4, 3)) if name in ("embedding", "model") else f32(4, 3, 2, rng=rng)
    y, cache = layer.forward(x, rng=np.random.default_rng(1))
    for dy, error in spoilt(np.ones_like(y)).values():
        with pytest.raises(error, match=r"^d\w+: expected"):
            layer.backward(dy, cache)


@pytest.mark.parametrize("name", all_layers(np.random.default_rng(0)))
def test_what_comes_into_forward_is_checked_before_it_is_used(name, rng):
    layer = all_layers(rng)[name]
    for how, (wrong, error) in spoilt(f32(4, 3, 2, rng=rng)).items():
        if not (name in OF_ANY_WIDTH and how == "wide"):
            with pytest.raises(error, match=r"^\w+: expected"):
                layer.forward(wrong)


@pytest.mark.parametrize("name", [name for name in all_layers(np.random.default_rng(0)) if name != "bidirectional"])
def test_what_comes_into_a_step_is_checked_before_it_is_used(name, rng):
    layer = all_layers(rng)[name]
    for how, (wrong, error) in spoilt(f32(3, 2, rng=rng)).items():
        if not (name in OF_ANY_WIDTH and how == "wide" or how == "with gaps"):              # gaps may go by a copy
            with pytest.raises(error, match=r"^\w+: expected"):
                layer.step(wrong)


def test_the_value_of_a_parameter_is_an_array():
    with pytest.raises(TypeError, match="value: expected an array, got list"):
        Parameter([1.0], "weight")


def test_a_state_that_cannot_be_written_into_is_not_reset():
    with pytest.raises(ValueError, match="state: expected an array that can be written into, got a read-only one"):
        reset(np.broadcast_to(np.float32(1), (2, 3)), [0])
