import numpy as np
from numpy.testing import assert_array_equal
from reference import B, N, T, close, ragged, steps_of

from minindrnn.core.padding import last_step, without_padding


def test_padding_is_taken_out(rng):
    x = rng.normal(size=(T, B, N))
    kept = x.copy()
    y = without_padding(x, [7, 2, 4])
    assert_array_equal(x, kept)
    assert not y[2:, 1].any() and not y[4:, 2].any()
    assert np.array_equal(y[:, 0], x[:, 0]) and np.array_equal(y[:2, 1], x[:2, 1])


def test_without_lengths_nothing_is_taken_out(rng):
    x = rng.normal(size=(T, B, N))
    assert without_padding(x, None) is x


def test_padding_is_taken_out_in_place_if_allowed(rng):
    x = rng.normal(size=(T, B, N))
    assert without_padding(x, [7, 2, 4], overwrite=True) is x


@ragged
def test_the_last_step_is_that_of_each_sequence(lengths, rng):
    x = rng.normal(size=(T, B, N))
    close(last_step(x, lengths), [x[steps - 1, j] for j, steps in enumerate(steps_of(lengths))])
