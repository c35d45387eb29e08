"""Which neurons are left out: the same ones wherever the mask is made."""
import numpy as np
import pytest
from numpy.testing import assert_array_equal
from reference import N, T, close

from minindrnn.ops.dropout import Dropout, draw, dropout_backward, dropout_forward, splitmix64


def test_the_mask_is_shared_by_all_steps(rng):
    x, p = rng.normal(size=(T, 40, N)), 0.25
    y, (mask, _) = dropout_forward(x, p, np.random.default_rng(5))
    again = draw((40, N), p, np.random.default_rng(5), np.dtype(float))
    assert_array_equal(mask, again)
    assert set(np.unique(mask)) == {0, 1 / 0.75} and 20 < (mask == 0).sum() < 80
    for t in range(T):
        close(y[t], x[t] * mask)


def test_without_a_generator_or_with_p_0_nothing_is_left_out(rng):
    x = rng.normal(size=(T, 40, N))
    assert dropout_forward(x, 0.25, None)[0] is x
    assert dropout_forward(x, 0.0, rng)[1].mask is None
    assert Dropout(0.3).forward(x)[0] is x


def test_the_mean_is_kept(rng):
    x = np.ones((3, 400, 50))
    y, _ = Dropout(0.3).forward(x, rng=rng)
    assert np.array_equal(y[0], y[1]) and set(np.unique(y)) == {0, 1 / 0.7}
    assert abs(y.mean() - 1) < 0.02


def test_the_numbers_are_those_of_the_published_generator():
    """The first five of seed 1234567, a widely used check of other implementations of it."""
    got = splitmix64(np.uint64(1234567), np.arange(5, dtype=np.uint64))
    assert got.tolist() == [6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431,
                            16408922859458223821]


def test_a_mask_follows_from_one_number_of_the_generator():
    """And an element of it from its number alone, whatever the shape."""
    for p, dtype in ((0.1, np.float32), (0.5, np.float64)):
        rng = np.random.default_rng(7)
        mask = draw((6, 8), p, rng, np.dtype(dtype))
        other = np.random.default_rng(7)
        np.testing.assert_array_equal(draw((3, 16), p, other, np.dtype(dtype)).ravel(), mask.ravel())
        assert rng.random() == other.random() and mask.dtype == dtype
        assert set(mask.ravel().tolist()) == {0.0, float(dtype(1) / dtype(1 - p))}
        again = np.random.default_rng(7)
        again.integers(2**64, dtype=np.uint64)
        assert again.random() == np.random.default_rng(7).random(2)[1]


@pytest.mark.parametrize("p", [0.01, 0.3, 0.9])
def test_so_many_are_left_out(p):
    left = (draw((400, 500), p, np.random.default_rng(0), np.dtype(np.float32)) == 0).mean()
    assert abs(left - p) < 5 * np.sqrt(p * (1 - p) / 200_000)


def test_with_p_just_below_1_all_are_left_out():
    assert draw((2, 2), np.nextafter(1, 0), np.random.default_rng(0), np.dtype(np.float64)).tolist() == [[0, 0], [0, 0]]


def test_neither_neighbours_nor_sequences_nor_layers_agree_more_than_by_chance():
    rng = np.random.default_rng(0)
    first, second = (draw((300, 300), 0.5, rng, np.dtype(np.float64)) > 0 for _ in range(2))
    for one, two in ((first, second), (first[:, 1:], first[:, :-1]), (first[1:], first[:-1])):
        assert abs((one == two).mean() - 0.5) < 5 * 0.5 / np.sqrt(one.size)


def test_a_gradient_of_another_shape_is_refused(rng):
    _, cache = dropout_forward(np.ones((3, 2, 4)), 0.5, rng)
    with pytest.raises(ValueError, match=r"dy: expected \(T, B, N\) = \(3, 2, 4\), got \(3, 1, 4\)"):
        dropout_backward(np.ones((3, 1, 4)), cache)
