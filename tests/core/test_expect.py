"""Arrays to write into, and generators: what does not fit is named."""
import numpy as np
import pytest
from numpy.testing import assert_array_equal

import minindrnn
from minindrnn import (
    GRU,
    LSTM,
    RNN,
    DenseIndRNN,
    Dropout,
    Embedding,
    IndRNN,
    LanguageModel,
    Linear,
    ResidualIndRNN,
    StackedIndRNN,
    Unit,
    batchnorm_backward,
    batchnorm_forward,
    check,
    dropout_forward,
    embedding_forward,
)
from minindrnn.checks.gradient_flow import gradient_norms
from minindrnn.data.adding import adding_problem
from minindrnn.networks.papers import build
from minindrnn.training.step import train_step

# Arrays to write into

def read_only(array):
    array = array.copy()
    array.flags.writeable = False
    return array


WRONG_OUT = {"read-only": (lambda x: read_only(x), ValueError,
                           "expected an array that can be written into, got a read-only one"),
             "one number": (lambda x: np.broadcast_to(x[:1, :1, :1], x.shape), ValueError,
                            "expected a C-contiguous array"),
             "smaller": (lambda x: np.ones(x[1:].shape, x.dtype), ValueError,
                         r"expected \(T, B, N\) = \(5, 2, 3\), got \(4, 2, 3\)"),
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
    assert_array_equal(given, before)


@pytest.mark.parametrize("name", calls_with_out(np.random.default_rng(0)))
def test_an_argument_that_is_read_only_is_not_written_over(name, rng):
    given, call = calls_with_out(rng)[name]
    before = given.copy()
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
            (lambda: minindrnn.indrnn_forward(a, u, a[0], out=a),
             "out: expected a or memory of its own, got that of h0"),
            (lambda: minindrnn.indrnn_backward(np.ones_like(h), cache, out=h),
             "out: expected dh or memory of its own, got that of h"),
            (lambda: minindrnn.indrnn_backward(h, cache, out=h),
             "out: expected dh or memory of its own, got that of h"),
            (lambda: batchnorm_backward(np.ones_like(x), of_norm, out=x),
             "out: expected dy or memory of its own, got that of x")]:
        before = memory.copy()
        with pytest.raises(ValueError, match=message):
            call()
        assert_array_equal(memory, before)


# Generators

SEEDS = [42, np.random.RandomState(0), np.random, "0"]


@pytest.mark.parametrize("seed", SEEDS, ids=lambda seed: type(seed).__name__)
@pytest.mark.parametrize("call", [
    lambda rng: Linear(2, 3, rng), lambda rng: IndRNN(2, 3, rng), lambda rng: Unit(3, rng),
    lambda rng: RNN(2, 3, rng), lambda rng: LSTM(2, 3, rng), lambda rng: GRU(2, 3, rng),
    lambda rng: Embedding(4, 2, rng), lambda rng: LanguageModel(4, 2, Dropout(0.1), rng),
    lambda rng: StackedIndRNN(2, 3, 1, 1, rng, length=9), lambda rng: ResidualIndRNN(2, 3, 1, 1, rng, length=9),
    lambda rng: DenseIndRNN(2, 3, (1,), 1, rng, length=9), lambda rng: build("mnist-plain-6", rng),
    lambda rng: adding_problem(4, 2, rng),
    lambda rng: dropout_forward(np.ones((2, 1, 4)), 0.5, rng),
    lambda rng: Dropout(0.0).forward(np.ones((2, 1, 4)), rng=rng),
    lambda rng: embedding_forward(np.array([[1]]), np.ones((2, 2)), 0.0, rng),
    lambda rng: IndRNN(2, 3, np.random.default_rng(0)).forward(np.ones((2, 1, 2), np.float32), rng=rng),
    lambda rng: IndRNN(2, 3, np.random.default_rng(0), norm="after").forward(np.ones((2, 1, 2), np.float32), rng=rng),
    lambda rng: train_step(LSTM(1, 1, np.random.default_rng(0)), None, None, None, None, 0.1, rng=rng),
    lambda rng: check(None, rng), lambda rng: gradient_norms(None, None, rng)])
def test_a_seed_is_not_a_generator(call, seed):
    message = (rf"^rng: expected a numpy.random.Generator( or None)?, got {type(seed).__name__}; "
               r"np.random.default_rng\(seed\) makes one")
    with pytest.raises(TypeError, match=message):
        call(seed)


def test_where_something_must_be_drawn_none_is_refused_too():
    with pytest.raises(TypeError, match="^rng: expected a numpy.random.Generator, got NoneType"):
        adding_problem(4, 2, None)
    with pytest.raises(TypeError, match="^rng: expected a numpy.random.Generator, got NoneType"):
        check(None, None)
