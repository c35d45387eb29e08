import numpy as np
import pytest
from numpy.testing import assert_array_equal
from reference import B, N, T, close, ragged, steps_of

from minindrnn import Differences, differences_forward
from minindrnn.core.padding import last_step


@ragged
def test_is_its_formula(lengths, rng):
    x, x0 = rng.normal(size=(T, B, 2)), rng.normal(size=(B, 2))
    for first in (None, x0):
        wanted = np.zeros((T, B, 4))
        for j, steps in enumerate(steps_of(lengths)):
            for t in range(steps):
                before = x[t - 1, j] if t else (np.zeros(2) if first is None else first[j])
                wanted[t, j] = [*x[t, j], *(x[t, j] - before)]
        close(differences_forward(x, first, lengths=lengths)[0], wanted)


def test_the_first_step_differs_from_nothing(rng):
    x = rng.normal(size=(6, 2, 3))
    whole, _ = differences_forward(x)
    assert_array_equal(whole[0, :, 3:], x[0])
    assert_array_equal(whole[1:, :, 3:], x[1:] - x[:-1])


def test_the_state_carries_a_sequence_over_a_cut(rng):
    x, layer = rng.normal(size=(6, 2, 3)), Differences()
    whole, _ = layer.forward(x)
    first, cache = layer.forward(np.ascontiguousarray(x[:4]))
    second, _ = layer.forward(np.ascontiguousarray(x[4:]), layer.last_state(cache))
    assert_array_equal(np.concatenate([first, second]), whole)


def test_a_ragged_batch_is_not_read_behind_its_ends(rng):
    x, layer = rng.normal(size=(6, 2, 3)), Differences()
    whole, _ = differences_forward(x)
    x[2:, 1] = np.nan
    y, cache = layer.forward(x, lengths=[6, 2])
    assert_array_equal(y[:, 0], whole[:, 0])
    assert not y[2:, 1].any()
    assert_array_equal(layer.last_state(cache), [x[5, 0], x[1, 1]])
    dx, grads = layer.backward(np.ones_like(y), cache)
    assert_array_equal(dx[:, 1, 0], [1, 2, 0, 0, 0, 0])        # y[0] and y[1] hold x[1] twice, x[0] twice and once less


@ragged
def test_the_state_is_the_last_step_of_each_sequence(lengths, rng):
    x = rng.normal(size=(T, B, N))
    close(Differences().last_state(Differences().forward(x, lengths=lengths)[1]), last_step(x, lengths))


def test_errors():
    with pytest.raises(ValueError, match=r"x0: expected \(B, M\) = \(3, 4\), got \(2, 4\)"):
        differences_forward(np.ones((2, 3, 4)), np.ones((2, 4)))
