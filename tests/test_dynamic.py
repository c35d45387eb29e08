"""Population statistics, and learning from the text that is tested on."""
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from minindrnn import BatchNorm, Chain, IndRNN, LanguageModel, Linear, cross_entropy
from minindrnn.dynamic import Adaptation, evaluate_dynamically, gradients, mean_squares
from minindrnn.layer import Parameter, leaves
from minindrnn.population import population_statistics


def test_population_statistics_are_means_over_the_batches(rng):
    """Ioffe and Szegedy, algorithm 2: E[mean of a batch] and E[unbiased variance of a batch]."""
    layer = BatchNorm(3, dtype=np.float64)
    batches = rng.normal(2, 3, size=(5, 4, 6, 3))
    before = [buffer.copy() for _, buffer in leaves(layer.buffers)]
    with population_statistics(layer, batches) as network:
        assert network is layer
        assert_allclose(layer.buffers["mean"][0], batches.mean(axis=(0, 1, 2)), rtol=0, atol=1e-13)
        assert_allclose(layer.buffers["var"][0], batches.reshape(5, 24, 3).var(axis=1, ddof=1).mean(axis=0), rtol=0, atol=1e-13)
        y, _ = layer.forward(batches[0])
        assert_allclose(y, (batches[0] - layer.buffers["mean"]) / np.sqrt(layer.buffers["var"] + 1e-5), rtol=0, atol=1e-13)
    for (_, buffer), kept in zip(leaves(layer.buffers), before):
        assert_array_equal(buffer, kept)


def test_population_statistics_per_step_and_deep(rng):
    network = Chain([IndRNN(2, 4, rng, norm="after", norm_options={"steps": 3}), Linear(4, 4, rng), BatchNorm(4)])
    batches = rng.normal(size=(4, 5, 8, 2)).astype(np.float32)
    with population_statistics(network, batches):
        first = network.layers[0].buffers
        assert first["updates"].tolist() == [4, 4, 12]            # steps 2 to 4 share the last row
        h = [network.layers[0].linear.forward(x)[0] for x in batches]
        wanted = np.mean([np.maximum(a[0], 0).mean(axis=0) for a in h], axis=0)
        assert_allclose(first["mean"][0], wanted, rtol=1e-5, atol=1e-6)


def test_population_statistics_are_undone_after_an_error(rng):
    layer = BatchNorm(2)
    with pytest.raises(ValueError, match="batches: expected at least one, got none"):
        with population_statistics(layer, []):
            pass
    assert layer.buffers["mean"].tolist() == [[0, 0]] and layer.buffers["var"].tolist() == [[1, 1]]


def test_an_adaptation_is_its_formula():
    parameters = {"W": Parameter(np.array([1.0, 2.0]), "weight"), "u": Parameter(np.array([0.9]), "recurrent")}
    squares = {"W": np.array([1.0, 4.0]), "u": np.array([6.25])}          # rms 1, 2 and 2.5; means 1.5 and 2.5, of which 2
    rule = Adaptation(parameters, squares, rate=0.1, decay=0.5, bound=0.95, epsilon=0.0)
    rule.update({"W": np.array([1.0, 1.0]), "u": np.array([-30.0])})      # the last one clamped to -10
    assert_allclose(parameters["W"].value, [1 - 0.1, 2 - 0.05])
    assert_allclose(parameters["u"].value, 0.95)                          # 0.9 + 0.1 * 10 / 2.5, projected
    rule.update({"W": np.zeros(2), "u": np.zeros(1)})
    assert_allclose(parameters["W"].value, [0.9 + 0.25 * 0.1, 1.95 + 0.5 * 0.05])      # decay D = 0.25, 0.5, 0.625
    assert_allclose(parameters["u"].value, 0.95 + 0.625 * (0.9 - 0.95))
    rule.undo()
    assert parameters["W"].value.tolist() == [1, 2] and parameters["u"].value.tolist() == [0.9]


def test_the_pull_is_at_most_all_the_way():
    parameters = {"W": Parameter(np.zeros(3), "weight")}
    assert Adaptation(parameters, {"W": np.array([0.0, 0.0, 900.0])}, rate=1.0, decay=0.9).pull["W"].tolist() == [0, 0, 1]


def test_each_gradient_is_clamped_before_it_is_squared(rng):
    layer = Linear(1, 1, rng, dtype=np.float64)
    steps = [(np.full((1, 1, 1), 100.0), 1.0), (np.full((1, 1, 1), 3.0), -1.0)]
    squares = mean_squares(layer, lambda y, target: (0.0, target * np.ones_like(y)), steps)
    assert squares["W"].tolist() == [[(10**2 + 3**2) / 2]] and squares["b"].tolist() == [1]


def segments(tokens, T=10):
    return [(tokens[i:i + T], tokens[i + 1:i + T + 1]) for i in range(0, len(tokens) - T, T)]


def test_a_model_learns_from_a_text_it_was_not_trained_on_and_is_left_as_it_was(rng):
    model = LanguageModel(5, 6, Chain([IndRNN(6, 8, rng), Linear(8, 6, rng)]), rng, bound=0.99, width=0.5)
    training = segments(rng.integers(0, 5, (200, 1)))
    text = segments(np.tile([0, 1, 2, 3], 100)[:, np.newaxis])
    squares = mean_squares(model, cross_entropy, training)
    by_hand = [grads["b"].astype(float)**2 for _, grads in gradients(model, cross_entropy, training)]
    assert_allclose(squares["b"], np.mean(by_hand, axis=0), rtol=1e-6)
    before = [parameter.value.copy() for _, parameter in leaves(model.parameters)]
    static = [value for value, _ in gradients(model, cross_entropy, text)]
    losses = evaluate_dynamically(model, cross_entropy, text, squares, rate=0.01, decay=1e-3)
    assert losses[0] == static[0] and np.mean(losses[-5:]) < 0.5 * np.mean(static[-5:])
    assert evaluate_dynamically(model, cross_entropy, text, squares, rate=0.0, decay=1e-3) == static
    for (_, parameter), kept in zip(leaves(model.parameters), before):
        assert_array_equal(parameter.value, kept)


def test_errors(rng):
    model = LanguageModel(5, 6, Linear(6, 6, rng), rng)
    with pytest.raises(ValueError, match="segments: expected at least one, got none"):
        mean_squares(model, cross_entropy, [])
    with pytest.raises(ValueError, match="decay: expected a finite number from 0 to 1, got -1"):
        Adaptation({}, {}, rate=0.1, decay=-1)
