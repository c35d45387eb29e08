import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from reference import B, T, assert_sums_keep_their_digits, close, long_or_many, ragged, steps_of

from minindrnn import Embedding, embedding_backward, embedding_forward


@ragged
def test_is_its_formula(lengths, rng):
    E, tokens = rng.normal(size=(6, 4)), rng.integers(0, 6, (T, B))
    wanted = np.zeros((T, B, 4))
    for j, steps in enumerate(steps_of(lengths)):
        for t in range(steps):
            wanted[t, j] = E[tokens[t, j]]
    close(embedding_forward(tokens, E, 0.5, None, lengths=lengths)[0], wanted)
    x, _ = embedding_forward(tokens, E, 0.5, np.random.default_rng(3), lengths=lengths)
    kept = np.random.default_rng(3).random(6) >= 0.5
    close(x, wanted * 2 * kept[tokens][:, :, None])
    assert 0 < kept.sum() < 6


def test_backward_sums_over_the_places_of_a_token(rng):
    E, tokens = rng.normal(size=(5, 3)), np.array([[0, 4], [4, 4]])
    x, cache = embedding_forward(tokens, E)
    assert_array_equal(x, E[tokens])
    dx = rng.normal(size=x.shape)
    dE = embedding_backward(dx, cache)
    assert_allclose(dE[4], dx[0, 1] + dx[1, 0] + dx[1, 1])
    assert_array_equal(dE[0], dx[0, 0])
    assert not dE[1:4].any()


def test_a_token_is_out_everywhere_or_nowhere(rng):
    tokens = np.tile(np.arange(4000), (2, 3, 1)).reshape(6, -1)
    x, _ = embedding_forward(tokens, np.ones((4000, 1)), 0.2, rng)
    by_token = x.reshape(6, 4000)
    assert (by_token == by_token[0]).all()
    assert set(np.unique(x)) == {0.0, 1.25}
    assert abs(x.mean() - 1) < 0.02


def test_without_a_generator_no_token_is_out(rng):
    assert (Embedding(4, 2, rng, p=0.5).forward(np.array([[1]]))[0] != 0).all()


def test_padding_may_hold_any_token(rng):
    layer = Embedding(4, 2, rng)
    x, cache = layer.forward(np.array([[1, 2], [3, -7]]), lengths=[2, 1])
    assert not x[1, 1].any()
    _, grads = layer.backward(np.full((2, 2, 2), np.float32(1)), cache)
    assert grads["E"][:, 0].tolist() == [0, 1, 1, 1]


@long_or_many
def test_sums_keep_their_digits(T, B):
    def dE(x, dy):
        _, cache = embedding_forward(np.zeros(x.shape[:2], int), np.ones((1, 2), x.dtype))
        return embedding_backward(dy, cache),
    assert_sums_keep_their_digits(dE, T, B)


def test_sums_of_many_equal_tokens_keep_their_digits():
    E = np.zeros((2, 1), np.float32)
    x, cache = embedding_forward(np.zeros((100_000, 1), int), E)
    dE = embedding_backward(np.full_like(x, 0.1), cache)
    assert abs(dE[0, 0] / (100_000 * float(np.float32(0.1))) - 1) < 1e-7


@pytest.mark.parametrize("call, message", [
    (lambda rng: Embedding(4, 2, rng).forward(np.array([[4]])), "tokens: expected 0 to V - 1 = 3, got 4"),
    (lambda rng: Embedding(4, 2, rng).forward(np.array([[-1]])), "tokens: expected 0 to V - 1 = 3, got -1"),
    (lambda rng: Embedding(4, 2, rng).forward(np.array([[1.0]])),
     r"tokens: expected integers \(T, B\), got float64 of shape \(1, 1\)"),
    (lambda rng: Embedding(4, 2, rng).forward(np.array([1])),
     r"tokens: expected integers \(T, B\), got int64 of shape \(1,\)"),
    (lambda rng: Embedding(4, 2, rng, p=1.0), "p: expected a finite number from 0 to .* got 1.0"),
    (lambda rng: embedding_backward(np.ones((1, 1, 3)), embedding_forward(np.array([[0]]), np.ones((2, 2)))[1]),
     r"dx: expected \(T, B, M\) = \(1, 1, 2\), got \(1, 1, 3\)"),
])
def test_errors(rng, call, message):
    with pytest.raises(ValueError, match=message):
        call(rng)
