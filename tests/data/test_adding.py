import numpy as np
import pytest

from minindrnn.data.adding import adding_problem

pytestmark = pytest.mark.tutorial3


@pytest.mark.parametrize("T", [2, 3, 10, 101])
def test_adding_has_one_mark_in_each_half(T, rng):
    x, target = adding_problem(T, 500, rng)
    marks = x[:, :, 1]
    assert x.dtype == target.dtype == np.float32 and set(np.unique(marks)) <= {0, 1}
    half = T // 2
    assert np.all(marks[:half].sum(axis=0) == 1)
    assert np.all(marks[half:2 * half].sum(axis=0) == 1)
    assert not marks[2 * half:].any()
    assert 0 <= x[:, :, 0].min() and x[:, :, 0].max() < 1
    np.testing.assert_allclose((x[:, :, 0] * marks).sum(axis=0), target[:, 0], rtol=1e-6)


def test_always_answering_one_gives_a_sixth(rng):
    _, target = adding_problem(50, 200_000, rng)
    assert abs(np.mean((target - 1.0)**2) - 1 / 6) < 0.002


def test_adding_errors(rng):
    with pytest.raises(ValueError, match="T: expected an integer of at least 2, got 1"):
        adding_problem(1, 3, rng)
