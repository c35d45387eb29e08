import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from reference import assert_sums_keep_their_digits, long_or_many, values
from strategies import small_network

from minindrnn import SGD, Adam, StackedIndRNN, mean_squared_error
from minindrnn.core.layer import Parameter, leaves
from minindrnn.training.optim import clip_norm, clip_values
from minindrnn.training.step import train_step

pytestmark = pytest.mark.tutorial3


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
        yield [{name: rng.normal(size=grad.shape) for name, grad in branch.items()}
               for branch in gradients()], rng.random()


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
    """Every parameter by itself, the decay of weights only; after three updates the state goes to an optimiser of its
    own."""
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
def test_gradients_stay_as_they_are(optimiser):
    grads = gradients()
    optimiser(tree(), decay=0.1).update(grads, 0.1)
    assert_array_equal(grads[0]["W"], [0.5, 2.0])


@pytest.mark.parametrize("optimiser", [SGD, Adam])
def test_the_type_stays_float32(optimiser):
    parameters = tree(np.float32)
    grads = [{name: grad.astype(np.float32) for name, grad in branch.items()} for branch in gradients()]
    made = optimiser(parameters, decay=0.1)
    made.update(grads, 0.1)
    assert parameters[0]["W"].value.dtype == np.float32
    assert_array_equal(grads[0]["W"], np.float32([0.5, 2.0]))
    kinds = {name.split(".")[0]: array.dtype for name, array in made.state().items()}
    assert kinds == ({"velocity": np.float32} if optimiser is SGD
                     else {"m": np.float32, "v": np.float32, "updates": np.int64})


def test_adam_remembers_whatever_the_order_of_a_parameter_was_when_it_was_made():
    parameter = Parameter(np.asfortranarray(np.ones((3, 2))), "weight")
    adam = Adam({"W": parameter})
    parameter.value = np.ascontiguousarray(parameter.value)
    adam.update({"W": np.ones((3, 2))}, 0.1)
    assert_allclose(adam.m["W"], 0.1)


def test_a_rate_that_is_none_counts_no_update():
    adam = Adam({"u": Parameter(np.ones(2), "recurrent")})
    with pytest.raises(ValueError, match="rate"):
        adam.update({"u": np.ones(2)}, np.inf)
    assert adam.updates == 0


def test_clipping_by_value_leaves_the_gradient_of_the_state_alone():
    grads = gradients()
    clip_values(tree(), grads, 1.5)
    assert grads[0]["W"].tolist() == [0.5, 1.5]
    assert grads[1]["u"].tolist() == [1.5]
    assert grads[1]["h0"].item() == 1e9


def test_clipping_by_norm_leaves_the_gradient_of_the_state_alone():
    grads = gradients()
    norm = clip_norm(tree(), grads, 1.0)
    assert_allclose(norm, np.sqrt(0.25 + 4 + 1 + 16 + 0.0625))
    assert_allclose(grads[1]["u"], 4 / (norm + 1e-6), rtol=1e-15)
    assert grads[1]["h0"].item() == 1e9


def test_what_was_clipped_is_not_stretched_again():
    grads = gradients()
    norm = clip_norm(tree(), grads, 1.0)
    assert clip_norm(tree(), grads, 2.0) == pytest.approx(1.0)
    assert_allclose(grads[1]["u"], 4 / (norm + 1e-6), rtol=1e-15)


@long_or_many
def test_the_norm_keeps_its_digits(T, B):
    def norm(x, dy):
        flat = x.ravel()
        return clip_norm([Parameter(flat, "weight")], [flat.copy()], 1e9),
    assert_sums_keep_their_digits(norm, T, B)


@pytest.mark.parametrize("spoilt", [np.nan, np.inf, -np.inf, 1e200])
def test_a_norm_that_is_not_finite_spoils_all_gradients(spoilt):
    """limit / infinity is 0: all would stand still, and nobody would know."""
    grads = gradients()
    grads[0]["W"][1] = spoilt
    with np.errstate(over="ignore"):
        assert not np.isfinite(clip_norm(tree(), grads, 1.0))
    assert all(np.isnan(grads[place][name]).all() for place, name in ((0, "W"), (0, "b"), (1, "u"), (1, "g")))


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


@pytest.mark.parametrize("call, error, message", [
    (lambda: Adam({"u": np.ones(2)}), TypeError, "u: expected a Parameter, got ndarray"),
    (lambda: Adam({}, epsilon=-1), ValueError, "epsilon: expected a finite number at least 0, got -1"),
    (lambda: Adam({}).update({}, np.nan), ValueError, "rate: expected a finite number at least 0, got nan"),
    (lambda: SGD({}).update({}, "1"), TypeError, "rate: expected a number, got '1'")])
def test_what_an_optimiser_cannot_be_made_of_or_used_with(call, error, message):
    with pytest.raises(error, match=message):
        call()


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


# What does not fit is named, and nothing has been changed

def functions():
    """{name: (tree of parameters, function of gradients)} of everything that takes gradients."""
    trees = [tree() for _ in range(4)]
    adam, sgd = Adam(trees[0]), SGD(trees[1], momentum=0.9)
    return {"Adam": (trees[0], lambda grads: adam.update(grads, 0.1)),
            "SGD": (trees[1], lambda grads: sgd.update(grads, 0.1)),
            "clip_values": (trees[2], lambda grads: clip_values(trees[2], grads, 0.01)),
            "clip_norm": (trees[3], lambda grads: clip_norm(trees[3], grads, 0.01))}


def with_last(**changes):
    grads = gradients()
    grads[1] |= changes
    return grads


WRONG = [
    (lambda: with_last(g=np.ones(2)), ValueError, r"gradient of 1.g: expected \(1,\) like 1.g, got \(2,\)"),
    (lambda: with_last(g=np.ones((1, 1))), ValueError, r"gradient of 1.g: expected \(1,\) like 1.g, got \(1, 1\)"),
    (lambda: with_last(g=np.ones(0)), ValueError, r"gradient of 1.g: expected \(1,\) like 1.g, got \(0,\)"),
    (lambda: with_last(g=np.ones(1, np.float32)), TypeError, "gradient of 1.g: expected float64 like 1.g, got float32"),
    (lambda: with_last(g=[1.0]), TypeError, r"gradient of 1.g: expected an array of shape \(1,\), got list"),
    (lambda: with_last(g=None), TypeError, r"gradient of 1.g: expected an array of shape \(1,\), got NoneType"),
    (lambda: with_last(g={"W": np.ones(1)}), TypeError,
     r"gradient of 1.g: expected an array of shape \(1,\), got dict"),
    (lambda: [gradients()[0], {"u": np.ones(1), "h0": np.ones((1, 1))}], ValueError,
     "^1: expected {u, g}, got {u, h0}"),
    (lambda: [gradients()[0], [np.ones(1)]], ValueError, "^1: expected {u, g}, got a list of 1"),
    (lambda: [*gradients(), {}], ValueError, "^tree: expected a list of 2, got a list of 3"),
    (lambda: gradients()[1:], ValueError, "^tree: expected a list of 2, got a list of 1"),
    (lambda: dict(enumerate(gradients())), ValueError, "^tree: expected a list of 2, got {0, 1}"),
    (lambda: None, ValueError, "^tree: expected a list of 2, got NoneType"),
]


@pytest.mark.parametrize("name", functions())
@pytest.mark.parametrize("wrong, error, message", WRONG)
def test_gradients_that_do_not_fit_are_named_and_change_nothing(name, wrong, error, message):
    parameters, function = functions()[name]
    function(gradients())                                     # so that an optimiser has something to remember
    before, grads = [p.value.copy() for _, p in leaves(parameters)], wrong()
    first = grads[0]["W"].copy() if isinstance(grads, list) and "W" in grads[0] else None
    with pytest.raises(error, match=message):
        function(grads)
    for (_, parameter), kept in zip(leaves(parameters), before):
        assert_array_equal(parameter.value, kept)
    if first is not None:
        assert_array_equal(grads[0]["W"], first)


@pytest.mark.parametrize("kind", [SGD, Adam])
def test_an_update_that_is_refused_is_not_remembered(kind):
    parameters = tree()
    optimiser = kind(parameters)
    optimiser.update(gradients(), 0.1)
    before = {name: array.copy() for name, array in optimiser.state().items()}
    with pytest.raises(ValueError):
        optimiser.update(with_last(g=np.ones(2)), 0.1)
    assert before and all(np.array_equal(array, before[name]) for name, array in optimiser.state().items())


def read_only(array):
    array.flags.writeable = False
    return array


@pytest.mark.parametrize("kind", [SGD, Adam])
@pytest.mark.parametrize("value, message", [
    (read_only(np.ones(1)), "^1.g: expected an array that can be written into, got a read-only one"),
    (np.ones(3), r"^1.g: expected \(1,\) like the optimiser's memory of it, got \(3,\)"),
    (np.ones(1, np.float32), "^1.g: expected float64 like the optimiser's memory of it, got float32"),
])
def test_parameters_that_cannot_be_changed_are_named(kind, value, message):
    """A value may be put into a parameter after the optimiser was made."""
    parameters = tree()
    optimiser = kind(parameters)
    parameters[1]["g"].value = value
    grads = with_last(g=np.ones_like(value))
    with pytest.raises((ValueError, TypeError), match=message):
        optimiser.update(grads, 0.1)
    assert parameters[0]["W"].value.tolist() == [1, -2]


@pytest.mark.parametrize("kind", [SGD, Adam])
def test_a_network_without_values_cannot_be_learned(kind):
    with pytest.raises(ValueError, match="^0.W: expected an array that can be written into, got a read-only one"):
        kind(StackedIndRNN(2, 3, 1, 1, None, length=9).parameters)


def test_a_parameter_in_the_order_of_fortran_is_refused_as_its_flat_form_is_a_copy():
    parameters = {"W": Parameter(np.asfortranarray(np.ones((2, 3))), "weight")}
    with pytest.raises(ValueError, match="^W: expected a C-contiguous array, got strides"):
        Adam(parameters).update({"W": np.ones((2, 3))}, 0.1)


def test_a_gradient_may_lie_in_memory_as_it_likes():
    one, two = ({"W": Parameter(np.ones((2, 3)), "weight")} for _ in range(2))
    grad = np.arange(6.0).reshape(2, 3)
    for parameters, same in ((one, grad), (two, np.asfortranarray(grad))):
        clip_values(parameters, {"W": same}, 4)
        Adam(parameters).update({"W": same}, 0.1)
    assert_array_equal(one["W"].value, two["W"].value)


@pytest.mark.parametrize("clip", [clip_values, clip_norm])
def test_gradients_that_cannot_be_clipped_are_named(clip):
    grads = with_last(g=read_only(np.ones(1)))
    with pytest.raises(ValueError,
                       match="^gradient of 1.g: expected an array that can be written into, got a read-only one"):
        clip(tree(), grads, 0.1)
    assert_array_equal(grads[0]["W"], gradients()[0]["W"])


# Some layers frozen, some with a rate of their own

def gradients_of(network):
    y, cache = network.forward(np.random.default_rng(1).normal(size=(9, 3, 2)))
    return network.backward(np.ones_like(y), cache)[1]


@pytest.mark.parametrize("kind", [SGD, Adam])
def test_two_optimisers_have_two_rates(kind):
    """Each layer learns as it does where all have its rate."""
    mixed, slow, fast = small_network(), small_network(), small_network()
    grads = gradients_of(mixed)
    first, rest = kind(mixed.parameters[:1]), kind(mixed.parameters[1:])
    alone = kind(slow.parameters), kind(fast.parameters)
    for _ in range(3):
        first.update(grads[:1], 1e-3)
        rest.update(grads[1:], 1e-1)
        alone[0].update(grads, 1e-3)
        alone[1].update(grads, 1e-1)
    for path, value in values(mixed).items():
        assert_array_equal(value, values(slow if path.startswith("0.") else fast)[path])
        assert np.any(values(slow)[path] != values(fast)[path])


@pytest.mark.parametrize("kind", [SGD, Adam])
def test_what_an_optimiser_was_not_made_for_stays_as_it_is(kind):
    network = small_network()
    before, grads = values(network), gradients_of(network)
    kind([{}, *network.parameters[1:]]).update(grads, 0.1)
    changed = {path for path, value in values(network).items() if np.any(value != before[path])}
    assert changed == {path for path in before if not path.startswith("0.")}
    only_u = [{name: p for name, p in layer.items() if p.role == "recurrent"} for layer in network.parameters]
    before = values(network)
    kind(only_u).update(grads, 0.1)
    assert {path for path, value in values(network).items() if np.any(value != before[path])} == {"0.u", "1.u"}


def test_an_optimiser_of_the_last_layers_asks_for_their_gradients():
    network = small_network()
    grads = gradients_of(network)
    with pytest.raises(ValueError, match="tree: expected a list of 2, got a list of 3"):
        Adam(network.parameters[1:]).update(grads, 0.1)
    with pytest.raises(ValueError, match="tree: expected a list of 2, got a list of 3"):
        train_step(network, mean_squared_error, Adam(network.parameters[1:]), np.ones((9, 1, 2)), np.ones((1, 1)), 0.1)
