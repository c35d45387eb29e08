import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from minindrnn import SGD, Adam
from minindrnn.layer import Parameter
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
    assert all(array.dtype in (np.float32, np.int64) for array in made.state().values())


def test_clipping_leaves_the_state_gradient_alone():
    grads = gradients()
    clip_values(tree(), grads, 1.5)
    assert grads[0]["W"].tolist() == [0.5, 1.5] and grads[1]["u"].tolist() == [1.5] and grads[1]["h0"].item() == 1e9
    grads = gradients()
    norm = clip_norm(tree(), grads, 1.0)
    assert_allclose(norm, np.sqrt(0.25 + 4 + 1 + 16 + 0.0625))
    assert_allclose(grads[1]["u"], 4 / (norm + 1e-6), rtol=1e-15)
    assert clip_norm(tree(), grads, 2.0) == pytest.approx(1.0) and grads[1]["h0"].item() == 1e9
    assert_allclose(grads[1]["u"], 4 / (norm + 1e-6), rtol=1e-15)                   # below the limit nothing is stretched


@pytest.mark.parametrize("spoilt", [np.nan, np.inf, -np.inf, 1e200])
def test_a_norm_that_is_not_finite_spoils_all_gradients(spoilt):
    """limit / infinity is 0: all would stand still, and nobody would know."""
    grads = gradients()
    grads[0]["W"][1] = spoilt
    with np.errstate(over="ignore"):
        assert not np.isfinite(clip_norm(tree(), grads, 1.0))
    assert all(np.isnan(grads[place][name]).all() for place, name in ((0, "W"), (0, "b"), (1, "u"), (1, "g")))


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
