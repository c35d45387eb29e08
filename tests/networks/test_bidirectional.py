import numpy as np
import pytest
from numpy.testing import assert_array_equal
from reference import B, T, close, ragged, steps_of
from strategies import f32

from minindrnn import Bidirectional, IndRNN
from minindrnn.core.layer import leaves
from minindrnn.networks.bidirectional import reverse


@ragged
def test_is_two_layers_one_of_them_from_the_end(lengths, rng):
    onward, back = IndRNN(4, 2, rng, dtype=np.float64), IndRNN(4, 3, rng, dtype=np.float64)
    x = rng.normal(size=(T, B, 4))
    wanted = np.zeros((T, B, 5))
    for j, steps in enumerate(steps_of(lengths)):
        alone = np.ascontiguousarray(x[:steps, j:j + 1])
        wanted[:steps, j, :2] = onward.forward(alone)[0][:, 0]
        wanted[:steps, j, 2:] = back.forward(np.ascontiguousarray(alone[::-1]))[0][::-1, 0]
    close(Bidirectional(onward, back).forward(x, lengths=lengths)[0], wanted)


@ragged
def test_only_what_is_there_is_turned_round(lengths, rng):
    x = rng.normal(size=(T, B, 4))
    for j, steps in enumerate(steps_of(lengths)):
        assert_array_equal(reverse(x, lengths)[:, j], [*x[:steps, j][::-1], *x[steps:, j]])


@pytest.mark.parametrize("lengths", [None, [7, 3, 1]])
def test_the_second_direction_is_the_first_one_read_from_the_end(lengths, rng):
    layer = IndRNN(2, 4, rng, u=(0.5, 1.0))
    x = f32(7, 3, 2, rng=rng)
    y, _ = Bidirectional(layer, layer).forward(x, lengths=lengths)
    steps = [7, 7, 7] if lengths is None else lengths
    for b, n in enumerate(steps):
        alone = np.ascontiguousarray(x[:n, b:b + 1])
        assert_array_equal(y[:n, b, :4], layer.forward(alone)[0][:, 0])
        assert_array_equal(y[:n, b, 4:], layer.forward(np.ascontiguousarray(alone[::-1]))[0][::-1, 0])
        assert not y[n:, b].any()


def test_turning_round_twice_is_nothing(rng):
    x, lengths = rng.normal(size=(7, 3, 2)), [7, 3, 1]
    assert_array_equal(reverse(reverse(x, lengths), lengths), x)


def test_padding_is_not_read(rng):
    x, lengths = rng.normal(size=(7, 3, 2)), [7, 3, 1]
    layer = Bidirectional(IndRNN(2, 4, rng, dtype=np.float64), IndRNN(2, 3, rng, norm="after", dtype=np.float64))
    padding, results = np.arange(7)[:, None] >= lengths, []
    for filling in (0, np.nan):
        x[padding] = filling
        y, cache = layer.forward(x, lengths=lengths, statistics="batch")
        dy = np.ones_like(y)
        dy[padding] = filling
        dx, grads = layer.backward(dy, cache)
        results.append([y, dx, *(grad for _, grad in leaves(grads))])
    for with_zeros, with_nan in zip(*results):
        assert_array_equal(with_zeros, with_nan)


def both(rng):
    return Bidirectional(IndRNN(2, 4, rng, norm="after"), IndRNN(2, 3, rng, norm="after"))


def test_the_state_is_that_of_the_first_direction(rng):
    layer = both(rng)
    _, cache = layer.forward(f32(5, 6, 2, rng=rng), statistics="batch")
    onward, back = layer.last_state(cache)
    assert_array_equal(onward, layer.onward.last_state(cache.of_onward))
    assert back is None


def test_both_directions_absorb_their_statistics(rng):
    layer = both(rng)
    layer.absorb(layer.forward(f32(5, 6, 2, rng=rng), statistics="batch")[1])
    buffers = [buffer for _, buffer in leaves(layer.buffers)]
    assert len(buffers) == 6
    assert all(buffer.any() for buffer in buffers)


@pytest.mark.parametrize("call, message", [
    (lambda layer, x: layer.step(x[0]), "Bidirectional: expected whole sequences, got one step"),
    (lambda layer, x: layer.forward(x, [None]), "state: expected a list of 2, got a list of 1"),
])
def test_errors(rng, call, message):
    with pytest.raises(ValueError, match=message):
        call(both(rng), f32(3, 1, 2, rng=rng))
