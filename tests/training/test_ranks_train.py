"""A network that ranks train together is the one that a single process trains: gradients through the exchange, fifty
updates of every kind of network, and runs with their checkpoints."""
from functools import partial

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from threads_as_ranks import on_ranks

from minindrnn import (
    GRU,
    LSTM,
    RNN,
    SGD,
    Adam,
    AtLastStep,
    Bidirectional,
    Chain,
    DenseIndRNN,
    Dropout,
    Embedding,
    IndRNN,
    LanguageModel,
    LayerNorm,
    Linear,
    ResidualIndRNN,
    StackedIndRNN,
    batchnorm_backward,
    batchnorm_forward,
    check,
    cross_entropy,
    mean_squared_error,
    train_step,
)
from minindrnn.checks.gradcheck import Problem
from minindrnn.core.layer import leaves
from minindrnn.core.ranks import ALONE
from minindrnn.training.run import arrays_of

T, B, M, K = 6, 7, 2, 3
OPTIONS = dict(dtype=np.float64, dropout=0.3)


def stack(rng, **options):
    return StackedIndRNN(M, 4, 2, K, rng, length=T, **OPTIONS | options)


def both_ways(rng):
    layer = partial(IndRNN, M, 3, rng, norm="after", **OPTIONS)
    return Chain([Bidirectional(layer(), layer()), AtLastStep(Linear(6, K, rng, dtype=np.float64))])


def of_cell(cell, rng):
    return Chain([cell(M, 4, rng, dtype=np.float64), Dropout(0.3), AtLastStep(Linear(4, K, rng, dtype=np.float64))])


def language_model(rng, norm="before"):
    body = IndRNN(4, 4, rng, norm=norm, norm_options=norm and dict(length=T + 2), **OPTIONS)
    return LanguageModel(K, 4, body, rng, p=0.2, width=1.0, dtype=np.float64)


PER_STEP = dict(norm="after", norm_options=dict(length=4))
NETWORKS = {
    "plain": stack, "normalised over time": partial(stack, norm="after"), "before": partial(stack, norm="before"),
    "per step": partial(stack, **PER_STEP), "per step, before": partial(stack, **PER_STEP | dict(norm="before")),
    "layer normalisation": partial(stack, norm="after", norm_layer=LayerNorm),
    "residual": lambda rng: ResidualIndRNN(M, 4, 1, K, rng, length=T, norm="after", **OPTIONS),
    "dense": lambda rng: DenseIndRNN(M, 2, [1, 1], K, rng, length=T, norm="after", **OPTIONS),
    "both directions": both_ways,
    "RNN": partial(of_cell, RNN), "LSTM": partial(of_cell, LSTM), "GRU": partial(of_cell, GRU),
    "language model": language_model, "language model, not normalised": partial(language_model, norm=None)}


# A normalisation takes away the bias in front of it, whose gradient is rounding alone: Adam would make updates of that.
UNFELT = {"before", "per step, before", "language model"}


def batch(name, update=0, sequences=B, ragged=True):
    """x, target, lengths of the whole batch; NaN in the padding."""
    rng = np.random.default_rng([7, update])
    lengths = rng.integers(1, T + 1, sequences) if ragged else None
    if "language model" in name:
        return rng.integers(0, K, (T, sequences)), rng.integers(0, K, (T, sequences)), None
    x, target = rng.normal(3, 1, (T, sequences, M)), rng.integers(0, K, sequences)
    if ragged:
        x[np.arange(T)[:, None] >= lengths] = np.nan
    return x, target, lengths


def part_of(here, x, target, lengths):
    by_step = target.shape[:2] == x.shape[:2]
    return (np.ascontiguousarray(x[:, here.part]), target[:, here.part] if by_step else target[here.part],
            None if lengths is None else lengths[here.part])


@pytest.mark.parametrize("ranks", [2, 3])
@pytest.mark.parametrize("name", NETWORKS)
def test_the_gradient_through_the_exchange(name, ranks):
    """Finite differences of the loss of the whole batch, computed by ranks. Gradients of parameters are the sums of
    those of the ranks, that of x lies on them in parts."""
    network, rng = NETWORKS[name](np.random.default_rng(3)), np.random.default_rng(4)
    x, target, lengths = batch(name)
    there = np.ones(x.shape[:2], bool) if lengths is None else np.arange(T)[:, None] < lengths
    parameters = {path: parameter.value for path, parameter in leaves(network.parameters)}
    for value in parameters.values():
        value += rng.normal(0, 0.1, value.shape)          # a bias of 0 is on relu's kink where all that comes in is out
    arrays = parameters if x.dtype.kind == "i" else {"x": np.nan_to_num(x)} | parameters

    def loss(all_ranks, backward=False):
        here = all_ranks.of(B)
        mine, wanted, steps = part_of(here, arrays.get("x", x), target, lengths)
        y, cache = network.forward(mine, lengths=steps, statistics="batch", rng=np.random.default_rng(5), ranks=here)
        value, dy = here.weigh(np.size(wanted), *cross_entropy(y, wanted))
        total = float(here.sum(value))
        if not backward:
            return total
        dx, grads = network.backward(dy, cache)
        grads = {path: grad for path, _, grad in leaves(network.parameters, grads)}
        here.sum_in_place(list(grads.values()))
        return grads if dx is None else {"x": here.whole(dx, 1)} | grads

    def forward():
        values = on_ranks(ranks, loss)
        assert len(set(values)) == 1
        return np.array(values[:1]), None

    def backward(dy, cache):
        first, *others = on_ranks(ranks, partial(loss, backward=True))
        for grads in others:
            for name, grad in grads.items():
                assert_array_equal(grad, first[name], err_msg=name)
        return {name: dy[0] * grad for name, grad in first.items()}
    check(Problem(arrays, forward, backward), np.random.default_rng(1))
    if "x" in arrays:
        assert not backward(np.ones(1), None)["x"][~there].any()


def updates(name, count, here_of, penalty=0.0, sequences=B, loss=cross_entropy, carried=False):
    """(losses, arrays of network and optimiser) after so many updates of one rank, or of ALONE."""
    network = NETWORKS[name](np.random.default_rng(3))
    optimiser = SGD(network.parameters, momentum=0.9) if name in UNFELT else Adam(network.parameters, decay=1e-3)
    losses, state = [], None
    for update in range(count):
        size = sequences if carried or update % 3 else max(1, sequences - 1)
        here, (x, target, lengths) = here_of(size), batch(name, update, size)
        if loss is mean_squared_error:
            target = np.eye(K)[target]
        x, target, lengths = part_of(here, x, target, lengths)
        start = update % 4 * T if carried else 0
        value, state = train_step(network, loss, optimiser, x, target, 3e-3, lengths=lengths, bound=0.8,
                                  penalty=penalty, rng=np.random.default_rng([9, update]), ranks=here, start=start,
                                  state=state if start else None)
        losses.append(value)
    return losses, arrays_of(network) | optimiser.state()


CASES = ([(name, {}) for name in NETWORKS] + [
    ("plain", dict(penalty=0.5)), ("normalised over time", dict(sequences=2)), ("per step", dict(sequences=2)),
    ("residual", dict(sequences=4)), ("plain", dict(loss=mean_squared_error)), ("language model", dict(carried=True))])


@pytest.mark.parametrize("ranks", [2, 3])
@pytest.mark.parametrize("name, how", CASES)
def test_fifty_updates_are_those_of_one_process(name, how, ranks):
    """Batches of 7 sequences and of 6; of 2 and of 1, fewer than there are ranks; of 4 and of 3."""
    losses, arrays = updates(name, 50, ALONE.of, **how)
    (first, theirs), *others = on_ranks(ranks, lambda ranks: updates(name, 50, ranks.of, **how))
    assert_allclose(first, losses, rtol=0, atol=1e-10)
    assert len(set(losses)) == 50
    for path, array in arrays.items():
        assert_allclose(theirs[path], array, rtol=0, atol=1e-10, err_msg=path)
    for their_losses, each in others:
        assert their_losses == first
        for path, array in each.items():
            assert_array_equal(array, theirs[path], err_msg=path)


def test_a_float32_run_stays_near_and_has_the_same_bits_every_time():
    """Fifty updates at two ranks: twice the same bits; and within 1e-4 of those of one process."""
    def three(here_of):
        network = StackedIndRNN(M, 8, 2, K, np.random.default_rng(3), length=T, norm="after", dropout=0.1)
        optimiser = Adam(network.parameters)
        for update in range(50):
            here, (x, target, lengths) = here_of(B), batch("plain", update)
            x, target, lengths = part_of(here, x.astype(np.float32), target, lengths)
            train_step(network, cross_entropy, optimiser, x, target, 1e-3, lengths=lengths, bound=network.bound,
                       ranks=here, rng=np.random.default_rng([9, update]))
        return arrays_of(network)
    once, again = (on_ranks(2, lambda ranks: three(ranks.of)) for _ in range(2))
    for path, array in three(ALONE.of).items():
        assert_array_equal(once[0][path], again[1][path], err_msg=path)
        assert_allclose(once[0][path], array, atol=1e-4, err_msg=path)


@pytest.mark.parametrize("p", [0.3, 0.9])
def test_a_mask_does_not_depend_on_the_number_of_ranks(p):
    x = np.ones((T, B, 5))
    wanted, _ = Dropout(p).forward(x, rng=np.random.default_rng(2))
    for size in (2, 3):
        def work(ranks):
            here = ranks.of(B)
            mine = np.ascontiguousarray(x[:, here.part])
            return here.whole(Dropout(p).forward(mine, rng=np.random.default_rng(2), ranks=here)[0], 1)
        for got in on_ranks(size, work):
            assert_array_equal(got, wanted)
    assert 0 < np.count_nonzero(wanted[0]) < wanted[0].size


def test_an_embedding_leaves_out_the_same_tokens_on_all_ranks():
    layer, tokens = Embedding(9, 4, np.random.default_rng(0), p=0.5, width=1.0), np.arange(8).reshape(2, 4)
    wanted, _ = layer.forward(tokens, rng=np.random.default_rng(2))

    def work(ranks):
        here = ranks.of(4)
        y, _ = layer.forward(tokens[:, here.part], rng=np.random.default_rng(2), ranks=here)
        return here.whole(y, 1)
    for got in on_ranks(2, work):
        assert_array_equal(got, wanted)


@pytest.mark.parametrize("per_step", [False, True])
def test_a_rank_may_have_padding_alone_at_a_step(per_step):
    """NaN in the padding is read by nobody; values far from 0 keep their digits, as do those far from other ranks'."""
    x, lengths = 1e4 + np.random.default_rng(0).normal(size=(T, 4, 3)), np.array([2, 1, 6, 6])
    x[:, :2] += 1e6
    x[np.arange(T)[:, None] >= lengths] = np.nan
    groups = T if per_step else 1
    given = np.ones(3), np.zeros(3), np.zeros((groups, 3)), np.ones((groups, 3))
    dy = np.random.default_rng(1).normal(size=x.shape)

    def work(ranks):
        here = ranks.of(4)
        y, cache = batchnorm_forward(np.ascontiguousarray(x[:, here.part]), *given, per_step=per_step,
                                     lengths=lengths[here.part], ranks=here)
        dx, dgamma, dbeta = batchnorm_backward(np.ascontiguousarray(dy[:, here.part]), cache)
        return here.whole(y, 1), here.whole(dx, 1), cache.batch_var[lengths.max() - 1 if per_step else 0], cache.count
    wanted = work(ALONE)
    assert all(np.isfinite(array).all() for array in wanted)
    for found in on_ranks(2, work):
        for got, array in zip(found, wanted, strict=True):
            assert_allclose(got, array, rtol=1e-8, atol=1e-8)
