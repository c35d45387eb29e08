"""A keyword that nothing reads is an error, in every layer and network, in each of its calls; those of the contract are not."""
import inspect

import numpy as np
import pytest

import minindrnn
from minindrnn import LSTM, BatchNorm, Dropout, Embedding, IndRNN, LayerNorm, StackedIndRNN, Unit
from minindrnn.checks import cases
from minindrnn.core.layer import Layer, expect_known
from minindrnn.networks.combinators import Around

ROWS = [name for name in cases.PROBLEMS if name[0].isupper()]
PARTS = {"Unit": lambda rng: Unit(2, rng), "Unit, normalised": lambda rng: Unit(2, rng, norm="before", dropout=0.5),
         "BatchNorm": lambda rng: BatchNorm(2), "BatchNorm, per step": lambda rng: BatchNorm(2, length=3), "LayerNorm": lambda rng: LayerNorm(2),
         "Dropout": lambda rng: Dropout(0.5), "Embedding": lambda rng: Embedding(5, 3, rng)}
FORWARD = {"lengths": [2, 1], "statistics": "batch", "start": 1, "rng": np.random.default_rng(0)}


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
    return np.random.default_rng(1).normal(size=(2, 2, 2 if x is None else x.shape[2])).astype(np.float32 if x is None else x.dtype)


def kinds_below(kind):
    return {kind}.union(*(kinds_below(below) for below in kind.__subclasses__()))


def test_every_kind_of_layer_is_among_them(monkeypatch):
    tested = {type(of_problem(name, monkeypatch)[0]) for name in ROWS} | {type(make(np.random.default_rng(0))) for make in PARTS.values()}
    there = {kind for kind in kinds_below(Layer) if kind.__module__.startswith("minindrnn.") and not kind.__module__.startswith("minindrnn.gpu")}
    assert there - {Layer, Around} == tested


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
    with pytest.raises(TypeError, match=f"forward: expected some of lengths, statistics, start, rng, got {keyword}"):
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
            caught = [p.name for p in inspect.signature(call).parameters.values() if p.kind is p.VAR_KEYWORD] if call else []
            for name in caught:
                source = inspect.getsource(call)
                assert f"expect_known({name})" in source or source.count(f"**{name}") > 1, call


@pytest.mark.parametrize("build, message", [
    (lambda rng: IndRNN(2, 3, rng, droput=0.1), r"Unit.__init__\(\) got an unexpected keyword argument 'droput'"),
    (lambda rng: IndRNN(2, 3, rng, norm="after", norm_options={"step": 3}), r"BatchNorm.__init__\(\) got an unexpected keyword argument 'step'"),
    *[(lambda rng, network=network: network(2, 3, depth, 1, rng, steps=9), "missing 1 required keyword-only argument: 'length'")
      for network, depth in ((StackedIndRNN, 2), (minindrnn.ResidualIndRNN, 2), (minindrnn.DenseIndRNN, (1,)))],
    (lambda rng: BatchNorm(3, steps=9), r"BatchNorm.__init__\(\) got an unexpected keyword argument 'steps'"),
    (lambda rng: StackedIndRNN(2, 3, 2, 1, rng, length=9, acitvation="relu"), r"Unit.__init__\(\) got an unexpected keyword argument 'acitvation'"),
    (lambda rng: minindrnn.ResidualIndRNN(2, 3, 2, 1, rng, length=9, post=True), r"Unit.__init__\(\) got an unexpected keyword argument 'post'"),
    (lambda rng: minindrnn.DenseIndRNN(2, 3, (1,), 1, rng, length=9, grow=2), r"Unit.__init__\(\) got an unexpected keyword argument 'grow'"),
    (lambda rng: LSTM(2, 3, rng, activation_="relu"), r"RNN.__init__\(\) got an unexpected keyword argument 'activation_'"),
    (lambda rng: minindrnn.LanguageModel(4, 2, Dropout(0.1), rng, wide=1.0), r"Embedding.__init__\(\) got an unexpected keyword argument 'wide'"),
])
def test_an_unknown_option_of_a_layer_is_named_beside_who_refuses_it(rng, build, message):
    with pytest.raises(TypeError, match=message):
        build(rng)


def test_what_is_unused_but_known_passes():
    expect_known({})
    expect_known(dict.fromkeys(FORWARD))
