import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from minindrnn import SGD, Adam
from minindrnn.layer import Parameter, leaves
from minindrnn.optim import clip_norm, clip_values


def tree(dtype=np.float64):
    return [{"W": Parameter(np.array([1.0, -2.0], dtype), "weight"), "b": Parameter(np.array([3.0], dtype), "bias")},
            {"u": Parameter(np.array([0.5], dtype), "recurrent"), "g": Parameter(np.array([1.0], dtype), "gain")}]


def gradients(scale=1.0):
    return [{"W": scale * np.array([0.5, 2.0]), "b": scale * np.array([-1.0])},
            {"u": scale * np.array([4.0]), "g": scale * np.array([0.25]), "h0": np.array([[1e9]])}]


def test_adam_is_the_algorithm_of_its_paper():
    """Algorithm 1 of arXiv 1412.6980, written out for one weight."""
    parameters = tree()
    adam, theta, m, v = Adam(parameters), 1.0, 0.0, 0.0
    for k in range(1, 6):
        g = 0.5 * k
        adam.update(gradients(k), 0.01)
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        theta -= 0.01 * (m / (1 - 0.9**k)) / (np.sqrt(v / (1 - 0.999**k)) + 1e-8)
        assert_allclose(parameters[0]["W"].value[0], theta, rtol=1e-14)


def test_sgd_with_momentum():
    parameters = tree()
    sgd = SGD(parameters, momentum=0.5)
    sgd.update(gradients(), 0.1)
    sgd.update(gradients(), 0.1)
    assert_allclose(parameters[0]["W"].value, [1 - 0.1 * 0.5 - 0.1 * 0.75, -2 - 0.1 * 2 - 0.1 * 3])


def several(updates):
    """Gradients and a rate for each update, on the same tree."""
    rng = np.random.default_rng(0)
    for _ in range(updates):
        yield [{name: rng.normal(size=grad.shape) for name, grad in branch.items()} for branch in gradients()], rng.random()


def sgd(value, decay, pairs):
    velocity = 0.0
    for g, rate in pairs:
        velocity = 0.9 * velocity + g + decay * value
        value = value - rate * velocity
    return value


def adam(value, decay, pairs):
    m, v = 0.0, 0.0
    for k, (g, rate) in enumerate(pairs, 1):
        g = g + decay * value
        m, v = 0.8 * m + 0.2 * g, 0.95 * v + 0.05 * g**2
        value = value - rate * (m / (1 - 0.8**k)) / (np.sqrt(v / (1 - 0.95**k)) + 1e-3)
    return value


@pytest.mark.parametrize("optimiser, options, rule, remembers", [
    (SGD, {"momentum": 0.9}, sgd, {"velocity"}),
    (Adam, {"beta1": 0.8, "beta2": 0.95, "epsilon": 1e-3}, adam, {"m", "v", "updates"}),
])
def test_five_updates_are_those_of_a_loop_also_from_a_saved_state(optimiser, options, rule, remembers):
    """Every parameter by itself, the decay of weights only; after three updates the state goes to an optimiser of its own."""
    parameters, steps = tree(), list(several(5))
    before = optimiser(parameters, decay=0.1, **options)
    for grads, rate in steps[:3]:
        before.update(grads, rate)
    assert {name.split(".")[0] for name in before.state()} == remembers
    assert all(array.any() for array in before.state().values())
    after = optimiser(parameters, decay=0.1, **options)
    assert after.state().keys() == before.state().keys()
    for name, array in after.state().items():
        array[...] = before.state()[name]
    for grads, rate in steps[3:]:
        after.update(grads, rate)
    for (path, parameter), (_, start) in zip(leaves(parameters), leaves(tree())):
        place, name = path.split(".")
        pairs = [(grads[int(place)][name], rate) for grads, rate in steps]
        wanted = rule(start.value, 0.1 if start.role == "weight" else 0.0, pairs)
        assert_allclose(parameter.value, wanted, rtol=1e-12, err_msg=path)


@pytest.mark.parametrize("optimiser, names", [
    (SGD, {"momentum": 0.0, "decay": 0.0}), (Adam, {"beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8, "decay": 0.0})])
def test_what_is_not_given_is_the_papers(optimiser, names):
    made = optimiser(tree())
    assert {name: getattr(made, name) for name in names} == names
    assert not any(array.any() for array in made.state().values())


@pytest.mark.parametrize("optimiser", [SGD, Adam])
def test_decay_pulls_weights_and_nothing_else(optimiser):
    with_decay, without = tree(), tree()
    optimiser(with_decay, decay=0.5).update(gradients(), 0.1)
    optimiser(without).update(gradients(), 0.1)
    assert np.any(with_decay[0]["W"].value != without[0]["W"].value)
    for place, name in ((0, "b"), (1, "u"), (1, "g")):
        assert_array_equal(with_decay[place][name].value, without[place][name].value)


def test_decay_is_coupled():
    """decay * value joins the gradient: for SGD, value (1 - rate decay) - rate gradient."""
    parameters = tree()
    SGD(parameters, decay=0.5).update(gradients(), 0.1)
    assert_allclose(parameters[0]["W"].value, [1 * 0.95 - 0.05, -2 * 0.95 - 0.2])


@pytest.mark.parametrize("optimiser", [SGD, Adam])
def test_the_type_stays_float32_and_the_gradients_stay_as_they_are(optimiser):
    parameters = tree(np.float32)
    grads = [{name: grad.astype(np.float32) for name, grad in branch.items()} for branch in gradients()]
    made = optimiser(parameters, decay=0.1)
    made.update(grads, 0.1)
    assert parameters[0]["W"].value.dtype == np.float32
    assert_array_equal(grads[0]["W"], np.float32([0.5, 2.0]))
    kinds = {name.split(".")[0]: array.dtype for name, array in made.state().items()}
    assert kinds == ({"velocity": np.float32} if optimiser is SGD else {"m": np.float32, "v": np.float32, "updates": np.int64})


def test_clipping_leaves_the_state_gradient_alone():
    grads = gradients()
    clip_values(tree(), grads, 1.5)
    assert grads[0]["W"].tolist() == [0.5, 1.5] and grads[1]["u"].tolist() == [1.5] and grads[1]["h0"].item() == 1e9
    grads = gradients()
    norm = clip_norm(tree(), grads, 1.0)
    assert_allclose(norm, np.sqrt(0.25 + 4 + 1 + 16 + 0.0625))
    assert_allclose(grads[1]["u"], 4 / norm)
    assert clip_norm(tree(), grads, 2.0) == pytest.approx(1.0) and grads[1]["h0"].item() == 1e9


def test_clipping_by_value_has_two_sides():
    grads = gradients(-1.0)
    clip_values(tree(), grads, 1.5)
    assert grads[0]["W"].tolist() == [-0.5, -1.5] and grads[0]["b"].tolist() == [1] and grads[1]["u"].tolist() == [-1.5]


@pytest.mark.parametrize("limit", [4.62, 5.0, 1e9])
def test_clipping_by_norm_leaves_small_gradients_alone(limit):
    """The norm is 4.616: the root of 0.25 + 4 + 1 + 16 + 0.0625."""
    grads = gradients()
    assert clip_norm(tree(), grads, limit) == pytest.approx(4.616546328154061)
    for branch, same in zip(grads, gradients()):
        assert all(np.array_equal(branch[name], same[name]) for name in same)


def test_clipping_by_norm_keeps_the_direction_of_all_together():
    grads = gradients(10.0)
    assert clip_norm(tree(), grads, 2.0) == pytest.approx(46.16546328154061)
    for (path, _, grad), (_, _, whole) in zip(leaves(tree(), grads), leaves(tree(), gradients())):
        assert_allclose(grad, 2 / 4.616546328154061 * whole, rtol=1e-5, err_msg=path)


@pytest.mark.parametrize("call, message", [
    (lambda: Adam(tree(), decay=-1), "decay: expected a finite number at least 0, got -1"),
    (lambda: SGD(tree(), momentum=2), "momentum: expected a finite number from 0 to 1, got 2"),
    (lambda: clip_values(tree(), gradients(), -1), "limit: expected a finite number at least 0, got -1"),
    (lambda: clip_norm(tree(), gradients(), np.nan), "limit: expected a finite number at least 0, got nan"),
    (lambda: clip_values(tree(), gradients(), "1"), "limit: expected a number, got '1'"),
])
def test_errors(call, message):
    with pytest.raises((TypeError, ValueError), match=message):
        call()
