import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from minindrnn import StackedIndRNN
from minindrnn.core.layer import leaves
from minindrnn.ops import bounds

pytestmark = pytest.mark.tutorial3


def network(rng, dtype=np.float64):
    return StackedIndRNN(2, 5, 3, 4, rng, length=9, dtype=dtype)


def test_a_ragged_batch_equals_its_sequences_one_by_one(rng):
    net, lengths = network(rng), [9, 4, 1]
    x = rng.normal(size=(9, 3, 2))
    alone = [net.forward(np.ascontiguousarray(x[:n, b:b + 1]))[0][0] for b, n in enumerate(lengths)]
    for b, n in enumerate(lengths):
        x[n:, b] = np.nan
    y, cache = net.forward(x, lengths=lengths)
    assert_allclose(y, alone, rtol=0, atol=1e-13)
    dx, grads = net.backward(np.ones_like(y), cache)
    assert all(np.isfinite(grad).all() for _, grad in leaves(grads)) and np.isfinite(dx).all()


def test_backward_twice_is_the_same(rng):
    net = network(rng)
    y, cache = net.forward(rng.normal(size=(9, 2, 2)))
    (dx, grads), (again, same) = net.backward(np.ones_like(y), cache), net.backward(np.ones_like(y), cache)
    assert_array_equal(dx, again)
    for _, one, two in leaves(grads, same):
        assert_array_equal(one, two)


def test_gradients_have_the_tree_and_shapes_of_the_parameters(rng):
    net = network(rng, np.float32)
    y, cache = net.forward(np.ones((9, 2, 2), np.float32))
    dx, grads = net.backward(np.ones_like(y), cache)
    for path, parameter, grad in leaves(net.parameters, grads):
        assert grad.shape == parameter.value.shape and grad.dtype == parameter.value.dtype == np.float32, path


def test_the_last_layer_starts_with_long_memory_and_the_others_anywhere(rng):
    network = StackedIndRNN(1, 1000, 3, 2, rng, length=100)
    first, second, last = (p.value for _, p in leaves(network.parameters) if p.role == "recurrent")
    upper, lower = bounds.largest(100), bounds.smallest(100)
    for u in (first, second):
        assert 0 <= u.min() < 0.01 and 0.99 < u.max() <= np.float32(upper)
    assert np.float32(lower) <= last.min() < 0.9935 and 1.006 < last.max() <= np.float32(upper)


def test_errors(rng):
    with pytest.raises(ValueError, match="layers: expected an integer of at least 1, got 0"):
        StackedIndRNN(2, 3, 0, 1, rng, length=5)


def test_a_length_is_a_count(rng):
    with pytest.raises(TypeError, match="length: expected an integer, got 9.5"):
        StackedIndRNN(2, 5, 3, 4, rng, length=9.5)
