"""What ranks are: parts of a batch, sums over all of it, errors that all hear. They are threads here; for those of MPI
see `cli/test_mpiexec.py`."""
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from threads_as_ranks import on_ranks

import minindrnn.core.ranks
from minindrnn.core.ranks import ALONE


@given(st.integers(1, 40), st.integers(1, 9))
def test_every_sequence_is_computed_once_and_shares_differ_by_one_at_most(B, R):
    parts = on_ranks(R, lambda ranks: ((here := ranks.of(B)).part, here.first, here.counts))
    mine = [np.arange(B)[part] for part, _, counts in parts if counts]
    assert_array_equal(np.concatenate(mine), np.arange(B))
    assert all(part.start == first for part, first, counts in parts if counts)
    assert max(map(len, mine)) <= -(-B // R) and (B < R or min(map(len, mine)) >= B // R)
    assert all(part == slice(0, 1) for part, _, counts in parts if not counts) and len(mine) == min(B, R)


@pytest.mark.parametrize("size", [2, 3])
@pytest.mark.parametrize("large", [0, 10**6])
@pytest.mark.parametrize("dtype", ["float32", "float64", "int64"])
def test_a_sum_is_that_of_all_ranks_in_their_order(size, large, dtype, monkeypatch):
    monkeypatch.setattr(minindrnn.core.ranks, "LARGE", large)
    arrays = (1e3 * np.random.default_rng(0).normal(size=(size, 5, 4))).astype(dtype)
    wanted = arrays[0]
    for array in arrays[1:]:
        wanted = wanted + array
    for total in on_ranks(size, lambda ranks: ranks.sum(arrays[ranks.rank])):
        assert total.dtype == dtype
        assert_array_equal(total, wanted)
    assert on_ranks(size, lambda ranks: float(ranks.sum(ranks.rank + 0.5))) == [sum(np.arange(size) + 0.5)] * size
    assert ALONE.sum(wanted) is wanted


@pytest.mark.parametrize("large", [0, 10**6])
def test_a_rank_without_a_sequence_adds_nothing(large, monkeypatch):
    monkeypatch.setattr(minindrnn.core.ranks, "LARGE", large)

    def work(ranks):
        here = ranks.of(2)
        array = np.full(5, float(ranks.rank) if here.counts else np.inf)
        return here.counts, here.sum(array), here.gather(array), here.whole(array[:1])
    results = on_ranks(3, work)
    assert [counts for counts, *_ in results] == [False, True, True]
    for _, total, every, whole in results:
        assert_array_equal(total, np.full(5, 3.0))
        assert_array_equal(every[:, 0], [0, 1, 2])
        assert_array_equal(whole, [1, 2])


@pytest.mark.parametrize("size", [2, 3])
def test_sums_in_place_keep_their_shapes(size):
    def work(ranks):
        arrays = [np.full((2, 3), 1.0 + ranks.rank), np.full(4, 10.0 * ranks.rank), np.array(2.0)]
        ranks.sum_in_place(arrays)
        ranks.sum_in_place([])
        return arrays
    for arrays in on_ranks(size, work):
        for array, number in zip(arrays, (sum(range(size + 1)), 10 * sum(range(size)), 2 * size)):
            assert np.all(array == number)
        assert [array.shape for array in arrays] == [(2, 3), (4,), ()]


@pytest.mark.parametrize("axis", [0, 1, -2])
@pytest.mark.parametrize("B", [2, 3, 7])
def test_the_whole_is_put_together_in_the_order_of_the_batch(axis, B):
    whole = np.random.default_rng(0).normal(size=(B, B, 4))

    def work(ranks):
        here = ranks.of(B)
        return here.whole(np.ascontiguousarray(whole[here.part] if axis == 0 else whole[:, here.part]), axis)
    for got in on_ranks(3, work):
        assert_array_equal(got, whole)
        assert got.flags.c_contiguous
    assert ALONE.of(B).whole(whole, axis) is whole


def test_what_one_rank_asks_all_hear():
    assert on_ranks(3, lambda ranks: ranks.any(ranks.rank == 2)) == [True] * 3
    assert on_ranks(3, lambda ranks: ranks.any(False)) == [False] * 3
    assert ALONE.any(True) is True and ALONE.any(False) is False


def test_a_broadcast_writes_over_the_array_of_the_others():
    def work(ranks):
        arrays = np.full((2, 3), float(ranks.rank + 1)), np.array(ranks.rank + 1)
        for array in arrays:
            ranks.broadcast(array)
        return arrays
    for array, number in on_ranks(3, work):
        assert np.all(array == 1) and number == 1 and number.shape == ()


class Unpicklable(ValueError):
    def __init__(self, one, two):
        super().__init__(f"{one} and {two}")


@pytest.mark.parametrize("error", [ValueError("nothing there"), OSError(28, "No space left on device", "file"),
                                   Unpicklable("this", "that")])
def test_all_ranks_raise_the_error_of_the_first_that_has_one(error):
    def work(ranks):
        with ranks.together():
            pass
        try:
            with ranks.together():
                if ranks.rank == 1:
                    raise error
                if ranks.rank == 2:
                    raise KeyError("later")
        except Exception as raised:
            return raised
    first, own, last = on_ranks(3, work)
    assert own is error
    for raised in (first, last):
        assert str(error) in str(raised)
        assert isinstance(raised, RuntimeError if isinstance(error, Unpicklable) else type(error))
    if isinstance(error, OSError):
        assert first.filename == "file" and first.errno == 28
    with pytest.raises(type(error)), ALONE.together():
        raise error


def test_the_first_rank_works_before_the_others():
    done = []

    def work(ranks):
        return ranks.in_turn(lambda: done.append(ranks.rank) or ranks.rank)
    assert on_ranks(3, work) == [0, 1, 2] and done[0] == 0 and len(done) == 3
    with pytest.raises(ZeroDivisionError):
        on_ranks(3, lambda ranks: ranks.in_turn(lambda: 1 // ranks.rank))
    assert ALONE.in_turn(lambda: 5) == 5


def test_no_sequence_is_no_batch():
    with pytest.raises(ValueError, match="sequences: expected an integer of at least 1, got 0"):
        ALONE.of(0)
