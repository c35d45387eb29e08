"""What residual and dense networks promise alike."""
import numpy as np
import pytest

from minindrnn import Adam, DenseIndRNN, ResidualIndRNN, mean_squared_error
from minindrnn.core.layer import leaves
from minindrnn.data.adding import adding_problem
from minindrnn.training.step import train_step

pytestmark = pytest.mark.tutorial5


@pytest.mark.parametrize("network, recurrent", [
    (lambda rng: ResidualIndRNN(2, 3, 10, 1, rng, length=100), 21),
    (lambda rng: ResidualIndRNN(2, 3, 10, 1, rng, length=100, post_activation=True), 21),
    (lambda rng: DenseIndRNN(2, 2, (8, 6, 4), 1, rng, length=100), 40),
])
def test_so_many_recurrent_layers_start_below_the_bound(network, recurrent, rng):
    net = network(rng)
    weights = [p.value for _, p in leaves(net.parameters) if p.role == "recurrent"]
    assert len(weights) == recurrent
    low = np.float32(0.5 ** (1 / 100))
    assert weights[-1].min() >= low and min(u.min() for u in weights[:-1]) < 0.5
    assert max(u.max() for u in weights) <= np.float32(net.bound)


@pytest.mark.parametrize("network", [
    lambda rng: ResidualIndRNN(2, 8, 10, 1, rng, length=8, norm="after"),
    lambda rng: ResidualIndRNN(2, 8, 10, 1, rng, length=8, norm="before", post_activation=True),
    lambda rng: DenseIndRNN(2, 2, (8, 6, 4), 1, rng, length=8, norm="after"),
], ids=["residual 21", "residual 21, post-activation", "dense 40"])
def test_the_deep_networks_learn_and_stay_finite(network, rng):
    net = network(rng)
    optimiser = Adam(net.parameters)
    x, target = adding_problem(8, 8, rng)
    losses = [train_step(net, mean_squared_error, optimiser, x, target, 3e-3, rng=rng, bound=net.bound)[0]
              for _ in range(25)]
    assert np.isfinite(losses).all()
    assert losses[-1] < 0.3 * losses[0]
    buffers = [buffer for _, buffer in leaves(net.buffers)]
    assert len(buffers) >= 3 * 20 and all(np.isfinite(buffer).all() for buffer in buffers)
