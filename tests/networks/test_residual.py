"""The residual network. What it shares with the dense one: test_deep.py."""
import numpy as np
import pytest
from reference import starts

from minindrnn import IndRNN, ResidualIndRNN, Unit
from minindrnn.core.layer import leaves
from minindrnn.networks.residual import residual_layers

pytestmark = pytest.mark.tutorial5


def test_a_post_activation_block_is_the_authors(rng):
    """x + unit(W unit(W x))."""
    _, *blocks, _ = residual_layers(2, 3, 2, rng, u=(0.0, 1.0), u_last=(0.0, 1.0), post_activation=True)
    x = rng.normal(size=(4, 2, 3)).astype(np.float32)
    for block in blocks:
        one, two = (IndRNN(3, 3, rng) for _ in range(2))
        for layer, linear, unit in ((one, *block.layer.layers[:2]), (two, *block.layer.layers[2:])):
            for name, value in {"W": linear["W"], "b": linear["b"], "u": unit["u"]}.items():
                layer[name][:] = value
        np.testing.assert_allclose(block.forward(x)[0], x + two.forward(one.forward(x)[0])[0], rtol=0, atol=1e-6)


def test_with_post_activation_one_more_unit_stands_behind_the_last_block(rng):
    first, *_, last = residual_layers(2, 3, 2, rng, u=(0.0, 1.0), u_last=(0.0, 1.0), post_activation=True)
    assert first["W"].shape == (3, 2)
    assert isinstance(last, Unit)


def test_buffers_follow_training_only(rng):
    net = ResidualIndRNN(2, 4, 1, 3, rng, length=6, norm="before", dropout=0.2)
    x = rng.normal(size=(6, 5, 2)).astype(np.float32)
    before = [buffer.copy() for _, buffer in leaves(net.buffers)]
    assert len(before) == 9
    _, cache = net.forward(x, statistics="batch", rng=rng)
    assert all(np.array_equal(a, b) for a, (_, b) in zip(before, leaves(net.buffers)))
    net.absorb(cache)
    assert not any(np.array_equal(a, b) for a, (_, b) in zip(before, leaves(net.buffers)))


@pytest.mark.parametrize("post_activation, blocks", [(False, 1), (False, 3), (True, 1), (True, 3)])
def test_the_last_unit_alone_starts_with_long_memory(post_activation, blocks):
    drawn = starts(lambda rng: ResidualIndRNN(2, 4, blocks, 3, rng, length=10, gamma=3.0,
                                              post_activation=post_activation))
    ranges = [(low, high) for kind, low, high, _ in drawn if kind == "uniform"]
    low, high = 3**-0.1, 3**0.1
    assert ranges == [pytest.approx((0, high))] * (2 * blocks) + [pytest.approx((low, high))]


def test_errors(rng):
    with pytest.raises(ValueError, match="length: expected an integer of at least 1, got 0"):
        ResidualIndRNN(2, 3, 1, 1, rng, length=0)
    with pytest.raises(ValueError, match="blocks: expected an integer of at least 1, got 0"):
        ResidualIndRNN(2, 3, 0, 1, rng, length=9)
