"""One update. The whole of it, clipped and bounded, beside a loop: test_run.py."""
import numpy as np
import pytest
from numpy.testing import assert_array_equal
from reference import values
from strategies import f32, small_network

from minindrnn import Adam, Chain, IndRNN, Linear, StackedIndRNN, mean_squared_error
from minindrnn.core.layer import leaves
from minindrnn.ops.bounds import penalty
from minindrnn.training.step import train_step

pytestmark = [pytest.mark.tutorial3, pytest.mark.tutorial4]


def recurrent(network):
    return [parameter for _, parameter in leaves(network.parameters) if parameter.role == "recurrent"]


def test_the_bound_holds_after_every_update():
    rng = np.random.default_rng(1)
    network = StackedIndRNN(2, 4, 2, 1, rng, length=9)
    optimiser = Adam(network.parameters)
    for _ in range(10):
        x, target = f32(9, 3, 2, rng=rng), f32(3, 1, rng=rng)
        train_step(network, mean_squared_error, optimiser, x, target, 0.1, bound=network.bound)
        assert max(np.abs(p.value).max() for p in recurrent(network)) <= np.float32(network.bound)


def test_the_penalty_takes_the_place_of_the_bound():
    network, rng = small_network(), np.random.default_rng(1)
    for parameter in recurrent(network):
        parameter.value += 2
    excess = sum(penalty(p.value, network.bound)[0] for p in recurrent(network))
    x, target = rng.normal(size=(9, 3, 2)), rng.normal(size=(3, 1))
    plain, _ = mean_squared_error(network.forward(x)[0], target)
    value, _ = train_step(network, mean_squared_error, Adam(network.parameters), x, target, 0.0, bound=network.bound,
                          penalty=0.5)
    assert value == pytest.approx(plain + 0.5 * excess)
    assert recurrent(network)[0].value.max() > 2


@pytest.mark.parametrize("how", [{}, {"penalty": 0.5}])
def test_what_is_frozen_is_neither_updated_nor_projected(how):
    network, whole = small_network(), small_network()
    for each in (network, whole):
        each.parameters[0]["u"].value[0] = each.parameters[1]["u"].value[0] = 3        # beyond any bound
    before, bound = values(network), network.bound
    x, target = np.random.default_rng(1).normal(size=(9, 3, 2)), np.ones((3, 1))
    for each, parameters in ((network, [{}, *network.parameters[1:]]), (whole, whole.parameters)):
        train_step(each, mean_squared_error, Adam(parameters), x, target, 0.01, bound=bound, **how)
    for path, value in values(network).items():
        assert_array_equal(value, before[path] if path.startswith("0.") else values(whole)[path])
    assert how or values(whole)["0.u"][0] == bound


def test_layers_that_learn_beside_frozen_ones_reach_their_aim():
    rng = np.random.default_rng(0)
    network = Chain([IndRNN(2, 8, rng, u=(0.5, 1.0)), Linear(8, 1, rng)])
    x = rng.normal(size=(6, 16, 2)).astype(np.float32)
    optimiser, losses = Adam([{}, network.parameters[1]]), []

    def loss(y, target):
        value, dy = mean_squared_error(y.reshape(-1, 1), target)
        return value, dy.reshape(y.shape)

    target = network.layers[0].forward(x)[0][:, :, :1].reshape(-1, 1).copy()
    for _ in range(300):
        losses.append(train_step(network, loss, optimiser, x, target, 3e-2)[0])
    assert losses[0] > 100 * losses[-1]


@pytest.mark.parametrize("how, message", [
    (dict(bound=-1.0), "bound: expected a finite number at least 0, got -1.0"),
    (dict(bound=np.nan), "bound: expected a finite number at least 0, got nan"),
    (dict(bound="x"), "bound: expected a number, got 'x'"),
    (dict(bound=1.0, penalty=np.nan), "penalty: expected a finite number at least 0, got nan"),
    (dict(bound=1.0, penalty=-5.0), "penalty: expected a finite number at least 0, got -5.0"),
    (dict(penalty=1.0), "bound: expected a number, got None")])
def test_a_wrong_bound_or_penalty_is_named_before_anything_changes(how, message):
    network = small_network()
    optimiser, before = Adam(network.parameters), values(network)
    with pytest.raises((TypeError, ValueError), match=f"^{message}$"):
        train_step(network, mean_squared_error, optimiser, np.ones((9, 3, 2)), np.ones((3, 1)), 0.01, **how)
    assert optimiser.updates == 0
    for path, value in values(network).items():
        assert_array_equal(value, before[path])
