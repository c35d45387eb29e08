"""The paper's networks, by their exact numbers of parameters; none is allocated. And dropout, residual, dense behaviour."""
import numba
import numpy as np
import pytest

from minindrnn import Adam, BatchNorm, Chain, Embedding, IndRNN, LanguageModel, cross_entropy, mean_squared_error
from minindrnn.checks.gradient_flow import deep_networks, gradient_norms
from minindrnn.cli.commands import main
from minindrnn.core.layer import count, leaves
from minindrnn.data.adding import adding_problem
from minindrnn.networks.combinators import Residual
from minindrnn.networks.dense import DenseIndRNN, dense_layers
from minindrnn.networks.indrnn import Unit
from minindrnn.networks.papers import ARCHITECTURES, build
from minindrnn.networks.residual import ResidualIndRNN, residual_layers
from minindrnn.ops.dropout import Dropout
from minindrnn.ops.linear import Linear, kaiming
from minindrnn.training.step import train_step

PUBLISHED = {"mnist-plain-6": 86_410, "mnist-plain-12": 187_786, "mnist-res": 170_890, "mnist-dense": 256_514,
             "ntu-plain-6": 1_430_588, "ntu-plain-4": 902_204, "ntu-res": 2_751_548, "ntu-dense": 2_314_428,
             "ntu-dense-aug": 5_640_108, "ptb-word-res": 48_501_600, "ptb-word-dense": 51_655_712, "ptb-char-dense": 45_675_762}

# Without a log, by hand. A layer of 2000 has 2000 (M + 1) in its affine map and 3 * 2000 in its unit.
LAYER = 2000 * 2001 + 3 * 2000
PUBLISHED |= {"ptb-char-plain-6": 50 * 2000 + 6 * LAYER + 50 * 2001, "ptb-char-res-11": 50 * 2000 + 11 * LAYER + 50 * 2001,
              "ptb-char-res-21": 50 * 2000 + 21 * LAYER + 50 * 2001,
              "ptb-word-plain-6": 10_000 * 601 + 2000 * 601 + 3 * 2000 + 5 * LAYER + 600 * 2001 + 3 * 600 + 2 * 600}


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_parameter_counts_are_those_of_the_published_logs(name, capsys):
    tree = build(name).parameters
    assert count(tree) == PUBLISHED[name]
    assert all(p.value.strides == (0,) * p.value.ndim for _, p in leaves(tree) if p.role in ("weight", "recurrent"))
    assert main(["describe", name]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == name and lines[-1].split() == ["all", f"{PUBLISHED[name]:,}"]
    assert sum(int(line.split()[-1].replace(",", "")) for line in lines[1:-1]) == PUBLISHED[name]


def test_the_papers_networks_start_as_the_authors_let_them(rng):
    for name, low in (("mnist-plain-6", 5 ** (-1 / 784)), ("mnist-res", 5 ** (-1 / 784)), ("mnist-dense", 5 ** (-1 / 784))):
        network = build(name, rng)
        *inner, readout = [p.value for _, p in leaves(network.parameters) if p.role == "weight"]
        assert len(inner) >= 6
        for W in inner:
            limit = (6 / 65 / W.shape[1])**0.5
            assert 0.9 * limit < W.max() <= 1.0001 * limit and -1.0001 * limit <= W.min() < -0.9 * limit
        assert abs(readout.std() / (2 / readout.shape[1])**0.5 - 1) < 0.1 and abs(readout.mean()) < 0.1 * readout.std()
        *others, last = [p.value for _, p in leaves(network.parameters) if p.role == "recurrent"]
        assert np.float32(low) <= last.min() < low + 0.1 * (1 / low - low) and 1 < last.max() <= np.float32(1 / low)
        assert all(0 <= u.min() < 0.5 < 0.7 < u.max() <= np.float32(1 / low) for u in others) and len(others) >= 5
        biases = [p.value for _, p in leaves(network.parameters) if p.role == "bias"]
        assert len(biases) > 10 and not any(b.any() for b in biases)


def test_a_small_language_model_of_each_kind_trains_with_the_state_carried(rng):
    """The shapes of ptb-word-res, ptb-word-dense and ptb-char-res at a hundredth of the width: two segments, the second from
    the state."""
    u = dict(u=(0.0, 0.99), u_last=(0.0, 0.99))
    options = dict(norm="before", norm_options=dict(length=5))
    residual = [*residual_layers(6, 20, 2, rng, dropout=0.45, dropout_last=0.5, **u, **options), IndRNN(20, 6, rng, u=(0.0, 0.99), **options)]
    dense, channels = dense_layers(6, 3, (2, 1), rng, first=False, last=6, W=kaiming(0), **u, **options)
    assert channels == 6
    models = [LanguageModel(9, 6, Chain([Dropout(0.65), *body, BatchNorm(6, length=5), Dropout(0.65)]), rng, p=0.2, bound=0.99)
              for body in (residual, dense)]
    for model in (*models, Chain([Embedding(9, 6, rng), *residual, Linear(6, 9, rng)])):
        state, optimiser = None, Adam(model.parameters)
        for start in (0, 7):
            tokens = rng.integers(0, 9, (8, 4))
            loss, state = train_step(model, cross_entropy, optimiser, tokens[:-1], tokens[1:], 2e-4, state=state, start=start,
                                     rng=rng, bound=0.99)
            assert np.isfinite(loss)
        us = [p.value for _, p in leaves(model.parameters) if p.role == "recurrent"]
        assert len(us) >= 6 and all(np.abs(u).max() <= np.float32(0.99) for u in us)
        assert any(h is not None and h.any() for _, h in leaves(state))


@pytest.mark.skipif(numba.config.DISABLE_JIT, reason="too much arithmetic for kernels that are not compiled")
def test_gradients_reach_the_first_layer_of_the_deep_networks_but_not_of_a_tanh_rnn():
    """Without training, over 100 steps: what `python -m minindrnn gradients` draws."""
    rng = np.random.default_rng(0)
    x, _ = adding_problem(100, 32, rng)
    for name, network in deep_networks(100, rng).items():
        norms = gradient_norms(network, x, rng)[:-1]
        recurrent = sum(p.role == "recurrent" for _, p in leaves(network.parameters))
        if "tanh" in name:
            assert norms[0, 0] < 1e-9 * norms[-1, -1] and recurrent == 0 and len(norms) == 21
        else:
            assert 1e-3 < norms.min() and norms.max() < 1e3 and f"{recurrent} layers" in name


def test_a_post_activation_block_is_the_authors(rng):
    """x + unit(W unit(W x)), and one more unit behind the last block."""
    first, *blocks, last = residual_layers(2, 3, 2, rng, u=(0.0, 1.0), u_last=(0.0, 1.0), post_activation=True)
    x = rng.normal(size=(4, 2, 3)).astype(np.float32)
    for block in blocks:
        one, two = (IndRNN(3, 3, rng) for _ in range(2))
        for layer, linear, unit in ((one, *block.layer.layers[:2]), (two, *block.layer.layers[2:])):
            for name, value in {"W": linear["W"], "b": linear["b"], "u": unit["u"]}.items():
                layer[name][:] = value
        np.testing.assert_allclose(block.forward(x)[0], x + two.forward(one.forward(x)[0])[0], rtol=0, atol=1e-6)
    assert first["W"].shape == (3, 2) and isinstance(last, Unit)


@pytest.mark.parametrize("network, recurrent", [
    (lambda rng: ResidualIndRNN(2, 3, 10, 1, rng, length=100), 21),
    (lambda rng: ResidualIndRNN(2, 3, 10, 1, rng, length=100, post_activation=True), 21),
    (lambda rng: DenseIndRNN(2, 2, (8, 6, 4), 1, rng, length=100), 40),
])
def test_recurrent_layers_and_where_their_weights_start(network, recurrent, rng):
    net = network(rng)
    weights = [p.value for _, p in leaves(net.parameters) if p.role == "recurrent"]
    assert len(weights) == recurrent
    low = np.float32(0.5 ** (1 / 100))
    assert weights[-1].min() >= low and min(u.min() for u in weights[:-1]) < 0.5
    assert max(u.max() for u in weights) <= np.float32(net.bound)


def test_dropout_is_shared_over_time_and_keeps_the_mean(rng):
    x = np.ones((3, 400, 50))
    y, _ = Dropout(0.3).forward(x, rng=rng)
    assert np.array_equal(y[0], y[1]) and set(np.unique(y)) == {0, 1 / 0.7}
    assert abs(y.mean() - 1) < 0.02
    assert Dropout(0.3).forward(x)[0] is x


def test_buffers_follow_training_only(rng):
    net = ResidualIndRNN(2, 4, 1, 3, rng, length=6, norm="before", dropout=0.2)
    x = rng.normal(size=(6, 5, 2)).astype(np.float32)
    before = [buffer.copy() for _, buffer in leaves(net.buffers)]
    assert len(before) == 9
    y, cache = net.forward(x, statistics="batch", rng=rng)
    assert all(np.array_equal(a, b) for a, (_, b) in zip(before, leaves(net.buffers)))
    net.absorb(cache)
    assert not any(np.array_equal(a, b) for a, (_, b) in zip(before, leaves(net.buffers)))


@pytest.mark.parametrize("call, message", [
    (lambda rng: DenseIndRNN(2, 3, (), 1, rng, length=9), r"blocks: expected the number of dense layers .* got \(\)"),
    (lambda rng: DenseIndRNN(2, 3, (2, 0), 1, rng, length=9), r"blocks: .* at least 1, got \(2, 0\)"),
    (lambda rng: DenseIndRNN(2, 3, (2,), 1, rng, length=9, dropout={"firts": 0.1}), "dropout: expected some of first, .* got firts"),
    (lambda rng: ResidualIndRNN(2, 3, 0, 1, rng, length=9), "blocks: expected an integer of at least 1, got 0"),
    (lambda rng: Unit(3, rng, norm="befor"), "norm: expected one of .* got 'befor'"),
    (lambda rng: Unit(3, rng, dropout=-0.1), "dropout: expected a finite number from 0 to .* got -0.1"),
    (lambda rng: Unit(3, rng, dropout=1.0), "dropout: expected a finite number from 0 to .* got 1.0"),
    (lambda rng: Residual(Linear(2, 3, rng)).forward(np.ones((1, 1, 2), np.float32)),
     r"Residual: expected a layer that keeps the shape \(1, 1, 2\), got \(1, 1, 3\)"),
])
def test_errors(rng, call, message):
    with pytest.raises(ValueError, match=message):
        call(rng)


@pytest.mark.parametrize("network", [
    lambda rng: ResidualIndRNN(2, 8, 10, 1, rng, length=8, norm="after"),
    lambda rng: ResidualIndRNN(2, 8, 10, 1, rng, length=8, norm="before", post_activation=True),
    lambda rng: DenseIndRNN(2, 2, (8, 6, 4), 1, rng, length=8, norm="after"),
], ids=["residual 21", "residual 21, post-activation", "dense 40"])
def test_the_deep_networks_learn_and_stay_finite(network, rng):
    net = network(rng)
    optimiser = Adam(net.parameters)
    x, target = adding_problem(8, 8, rng)
    losses = [train_step(net, mean_squared_error, optimiser, x, target, 3e-3, rng=rng, bound=net.bound)[0] for _ in range(25)]
    assert np.isfinite(losses).all() and losses[-1] < 0.3 * losses[0]
    buffers = [buffer for _, buffer in leaves(net.buffers)]
    assert len(buffers) >= 3 * 20 and all(np.isfinite(buffer).all() for buffer in buffers)
