import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from minindrnn import BatchNorm, Chain, IndRNN, Linear
from minindrnn.core.layer import leaves
from minindrnn.training.population_statistics import population_statistics

pytestmark = pytest.mark.tutorial5


def test_population_statistics_are_means_over_the_batches(rng):
    """Ioffe and Szegedy, algorithm 2: E[mean of a batch] and E[unbiased variance of a batch]."""
    layer = BatchNorm(3, dtype=np.float64)
    batches = rng.normal(2, 3, size=(5, 4, 6, 3))
    before = [buffer.copy() for _, buffer in leaves(layer.buffers)]
    with population_statistics(layer, batches) as network:
        assert network is layer
        assert_allclose(layer.buffers["mean"][0], batches.mean(axis=(0, 1, 2)), rtol=0, atol=1e-13)
        assert_allclose(layer.buffers["var"][0], batches.reshape(5, 24, 3).var(axis=1, ddof=1).mean(axis=0),
                        rtol=0, atol=1e-13)
        y, _ = layer.forward(batches[0])
        assert_allclose(y, (batches[0] - layer.buffers["mean"]) / np.sqrt(layer.buffers["var"] + 1e-5),
                        rtol=0, atol=1e-13)
    for (_, buffer), kept in zip(leaves(layer.buffers), before):
        assert_array_equal(buffer, kept)


def test_population_statistics_per_step_and_deep(rng):
    network = Chain([IndRNN(2, 4, rng, norm="after", norm_options={"length": 3}), Linear(4, 4, rng), BatchNorm(4)])
    batches = rng.normal(size=(4, 5, 8, 2)).astype(np.float32)
    with population_statistics(network, batches):
        first = network.layers[0].buffers
        assert first["updates"].tolist() == [4, 4, 12]            # steps 2 to 4 share the last row
        h = [network.layers[0].linear.forward(x)[0] for x in batches]
        wanted = np.mean([np.maximum(a[0], 0).mean(axis=0) for a in h], axis=0)
        assert_allclose(first["mean"][0], wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("with_lengths", [False, True])
def test_population_statistics_know_nothing_of_training(with_lengths, rng):
    """A network that has been trained: within the context the plain average over these batches, then what was before.
    Dropout, which would change the mean, is off."""
    network = Chain([IndRNN(4, 3, rng, dropout=0.5, dtype=np.float64), BatchNorm(3, momentum=0.5, dtype=np.float64)])
    for _ in range(5):
        network.absorb(network.forward(rng.normal(50, 9, (4, 6, 4)), statistics="batch", rng=rng)[1])
    before = [buffer.copy() for _, buffer in leaves(network.buffers)]
    batches = list(rng.normal(size=(3, 4, 6, 4)))
    lengths = [rng.integers(1, 5, 6) if with_lengths else np.full(6, 4) for _ in batches]
    hs = [network.layers[0].forward(x)[0][np.arange(4)[:, None] < n] for x, n in zip(batches, lengths)]
    with population_statistics(network, zip(batches, lengths) if with_lengths else batches):
        found = network.buffers[1]
        assert_allclose(found["mean"][0], np.mean([h.mean(axis=0) for h in hs], axis=0), rtol=1e-10)
        assert_allclose(found["var"][0], np.mean([h.var(axis=0, ddof=1) for h in hs], axis=0), rtol=1e-10)
        assert found["updates"].tolist() == [3]
    for (path, buffer), kept in zip(leaves(network.buffers), before):
        assert_array_equal(buffer, kept, path)


def test_population_statistics_are_undone_after_an_error(rng):
    layer = BatchNorm(2)
    with pytest.raises(ValueError, match="batches: expected at least one, got none"):
        with population_statistics(layer, []):
            pass
    assert layer.buffers["mean"].tolist() == [[0, 0]] and layer.buffers["var"].tolist() == [[1, 1]]
