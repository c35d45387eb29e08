import math

import numpy as np
import pytest
from numpy.testing import assert_allclose

from minindrnn import Chain, Linear
from minindrnn.checks.gradient_flow import deep_networks, gradient_norms
from minindrnn.core.layer import leaves
from minindrnn.data.adding import adding_problem

pytestmark = pytest.mark.tutorial5


def test_norms_of_gradients_are_those_of_the_chain_rule(rng):
    """Of linear maps: dL/dx is dL/dy times the matrices behind, at each step by itself."""
    network = Chain([Linear(3, 4, rng, dtype=np.float64), Linear(4, 2, rng, dtype=np.float64)])
    x = rng.normal(size=(5, 6, 3))
    norms = gradient_norms(network, x, np.random.default_rng(1))
    dy = np.random.default_rng(1).normal(size=(5, 6, 2))
    dy /= np.sqrt((dy**2).sum())
    first, second = (layer["W"] for layer in network.layers)
    wanted = [[math.sqrt((dx[t]**2).sum()) for t in range(5)] for dx in (dy @ second @ first, dy @ second)]
    assert_allclose(norms, wanted, rtol=1e-12)


@pytest.mark.compiled
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
