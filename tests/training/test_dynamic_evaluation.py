"""Learning from the text that is tested on."""
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from minindrnn import Chain, IndRNN, LanguageModel, Linear, cross_entropy
from minindrnn.core.layer import Parameter, leaves
from minindrnn.training.dynamic_evaluation import Adaptation, evaluate_dynamically, gradients, mean_squares


def test_an_adaptation_is_its_formula():
    parameters = {"W": Parameter(np.array([1.0, 2.0]), "weight"), "u": Parameter(np.array([0.9]), "recurrent")}
    squares = {"W": np.array([1.0, 4.0]), "u": np.array([6.25])}     # rms 1, 2 and 2.5; means 1.5 and 2.5, of which 2
    rule = Adaptation(parameters, squares, rate=0.1, decay=0.5, bound=0.95, epsilon=0.0)
    rule.update({"W": np.array([1.0, 1.0]), "u": np.array([-30.0])})      # the last one clamped to -10
    assert_allclose(parameters["W"].value, [1 - 0.1, 2 - 0.05])
    assert_allclose(parameters["u"].value, 0.95)                          # 0.9 + 0.1 * 10 / 2.5, projected
    rule.update({"W": np.zeros(2), "u": np.zeros(1)})
    assert_allclose(parameters["W"].value, [0.9 + 0.25 * 0.1, 1.95 + 0.5 * 0.05])      # decay D = 0.25, 0.5, 0.625
    assert_allclose(parameters["u"].value, 0.95 + 0.625 * (0.9 - 0.95))
    rule.undo()
    assert parameters["W"].value.tolist() == [1, 2] and parameters["u"].value.tolist() == [0.9]


def test_an_adaptation_by_default_is_that_of_the_papers():
    """2e-5 beside the rms, and gradients within +-10."""
    parameters = {"W": Parameter(np.array([1.0, 1.0]), "weight")}
    rule = Adaptation(parameters, {"W": np.array([1e-6, 1.0])}, rate=1e-6, decay=0.0)
    rule.update({"W": np.array([1.0, -99.0])})
    assert_allclose(parameters["W"].value, [1 - 1e-6 / (1e-3 + 2e-5), 1 + 1e-5 / (1 + 2e-5)], rtol=1e-12)


def test_the_pull_is_at_most_all_the_way():
    parameters = {"W": Parameter(np.zeros(3), "weight")}
    assert Adaptation(parameters, {"W": np.array([0.0, 0.0, 900.0])}, rate=1.0,
                      decay=0.9).pull["W"].tolist() == [0, 0, 1]


def test_each_gradient_is_clamped_before_it_is_squared(rng):
    layer = Linear(1, 1, rng, dtype=np.float64)
    steps = [(np.full((1, 1, 1), 100.0), 1.0), (np.full((1, 1, 1), 3.0), -1.0)]
    squares = mean_squares(layer, lambda y, target: (0.0, target * np.ones_like(y)), steps)
    assert squares["W"].tolist() == [[(10**2 + 3**2) / 2]] and squares["b"].tolist() == [1]


def segments(tokens, T=10):
    return [(tokens[i:i + T], tokens[i + 1:i + T + 1]) for i in range(0, len(tokens) - T, T)]


@pytest.fixture
def trained(rng):
    """(model, another text, mean squares of the gradients of its own text)."""
    model = LanguageModel(5, 6, Chain([IndRNN(6, 8, rng), Linear(8, 6, rng)]), rng, bound=0.99, width=0.5)
    training = segments(rng.integers(0, 5, (200, 1)))
    text = segments(np.tile([0, 1, 2, 3], 100)[:, np.newaxis])
    squares = mean_squares(model, cross_entropy, training)
    by_hand = [grads["b"].astype(float)**2 for _, grads in gradients(model, cross_entropy, training)]
    assert_allclose(squares["b"], np.mean(by_hand, axis=0), rtol=1e-6)
    return model, text, squares


def test_a_model_learns_from_a_text_it_was_not_trained_on(trained):
    model, text, squares = trained
    static = [value for value, _ in gradients(model, cross_entropy, text)]
    losses = evaluate_dynamically(model, cross_entropy, text, squares, rate=0.01, decay=1e-3)
    assert losses[0] == static[0]
    assert np.mean(losses[-5:]) < 0.5 * np.mean(static[-5:])


def test_at_a_rate_of_0_nothing_is_learned(trained):
    model, text, squares = trained
    static = [value for value, _ in gradients(model, cross_entropy, text)]
    assert evaluate_dynamically(model, cross_entropy, text, squares, rate=0.0, decay=1e-3) == static


def test_a_model_is_left_as_it_was(trained):
    model, text, squares = trained
    before = [parameter.value.copy() for _, parameter in leaves(model.parameters)]
    evaluate_dynamically(model, cross_entropy, text, squares, rate=0.01, decay=1e-3)
    for (_, parameter), kept in zip(leaves(model.parameters), before):
        assert_array_equal(parameter.value, kept)


def carrying(rng):
    """A model that remembers, with statistics of its own for each step, and a text whose segments belong together."""
    body = Chain([IndRNN(4, 4, rng, u=(0.8, 0.99), norm="before", norm_options=dict(length=25), dtype=np.float64)])
    body.buffers[0]["mean"][:], body.buffers[0]["updates"][:] = rng.normal(size=(25, 4)), 1
    model = LanguageModel(6, 4, body, rng, bound=0.9, width=0.9, dtype=np.float64)
    return model, segments(rng.integers(0, 6, (62, 1)))


def by_hand(model, text, learn):
    """Losses and gradients segment by segment, the state carried on, each segment asked before it is learned from."""
    state, losses = None, []
    for number, (x, target) in enumerate(text):
        y, cache = model.forward(x, state, start=10 * number)
        loss, dy = cross_entropy(y, target)
        state = model.last_state(cache)
        losses.append(loss)
        learn(model.backward(dy, cache)[1])
    return losses


def test_dynamic_evaluation_is_the_loop_that_carries_its_state(rng):
    model, text = carrying(rng)
    assert len(text) == 6
    squares = mean_squares(model, cross_entropy, text[:3])
    rule = Adaptation(model.parameters, squares, rate=0.02, decay=0.3, bound=0.9)
    before = [parameter.value.copy() for _, parameter in leaves(model.parameters)]
    u = model.body.layers[0]["u"]
    wanted = by_hand(model, text, rule.update)
    assert np.abs(u).max() <= 0.9
    rule.undo()
    static = by_hand(model, text, lambda grads: None)
    alone = [cross_entropy(model.forward(x)[0], target)[0] for x, target in text]
    assert static[0] == wanted[0] and all(abs(one - two) > 1e-3 for one, two in zip(static[1:], alone[1:]))
    got = evaluate_dynamically(model, cross_entropy, text, squares, rate=0.02, decay=0.3)
    assert_allclose(got, wanted, rtol=1e-12)
    assert all(abs(one - two) > 1e-4 for one, two in zip(got[1:], static[1:]))
    for (path, parameter), kept in zip(leaves(model.parameters), before):
        assert_array_equal(parameter.value, kept, path)


def test_mean_squares_are_those_of_the_loop(rng):
    model, text = carrying(rng)
    total = {path: 0.0 for path, _ in leaves(model.parameters)}

    def note(grads):
        for path, _, grad in leaves(model.parameters, grads):
            total[path] = total[path] + grad**2
    by_hand(model, text, note)
    got = mean_squares(model, cross_entropy, iter(text))
    assert got.keys() == total.keys()
    for path, squares in got.items():
        assert_allclose(squares, total[path] / 6, rtol=1e-12, err_msg=path)


def test_errors(rng):
    model = LanguageModel(5, 6, Linear(6, 6, rng), rng)
    with pytest.raises(ValueError, match="segments: expected at least one, got none"):
        mean_squares(model, cross_entropy, [])
    with pytest.raises(ValueError, match="decay: expected a finite number from 0 to 1, got -1"):
        Adaptation({}, {}, rate=0.1, decay=-1)


@pytest.mark.parametrize("squares, message", [
    ({}, r"squares of W: expected \(3,\) like W, got \(\)"),
    ({"W": np.ones(1)}, r"squares of W: expected \(3,\) like W, got \(1,\)"),
    ({"W": np.ones(3), "b": np.ones(1)}, "squares: expected those of the parameters only, got b too"),
])
def test_squares_of_other_parameters_are_refused(squares, message):
    with pytest.raises(ValueError, match=message):
        Adaptation({"W": Parameter(np.zeros(3), "weight")}, squares, rate=0.1, decay=0.1)


def test_gradients_of_other_parameters_change_nothing():
    parameters = {"W": Parameter(np.ones(3), "weight")}
    rule = Adaptation(parameters, {"W": np.ones(3)}, rate=0.1, decay=0.1)
    for grads, message in (({"W": np.ones(1)}, r"gradient of W: expected \(3,\) like W, got \(1,\)"),
                           ({"U": np.ones(3)}, "tree: expected {W}, got {U}")):
        with pytest.raises(ValueError, match=message):
            rule.update(grads)
    assert parameters["W"].value.tolist() == [1, 1, 1]
    with pytest.raises(ValueError, match="W: expected an array that can be written into, got a read-only one"):
        Adaptation({"W": Parameter(np.broadcast_to(1.0, 3), "weight")}, {"W": np.ones(3)}, rate=0.1, decay=0.1)
