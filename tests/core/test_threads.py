"""Threads of matrix products: how many, and when one is told to take fewer."""
import numpy as np
import pytest

from minindrnn.core import threads


@pytest.fixture
def clock(monkeypatch):
    """A clock that moves by what is put on it."""
    class Clock:
        now = 0.0
    monkeypatch.setattr(threads.time, "monotonic", lambda: Clock.now)
    monkeypatch.setattr(threads, "count", lambda: 2)
    for name in threads.VARIABLES:
        monkeypatch.delenv(name, raising=False)
    return Clock


def updates(watch, clock, *seconds):
    for each in seconds:
        with watch.update():
            clock.now += each


def passing(clock, seconds, asked):
    def work():
        asked.append(threads.threadpool_info())
        clock.now += seconds
    return work


def test_the_advice_is_given_once_and_only_where_one_thread_is_twice_as_fast(clock):
    watch, asked = threads.Watch(True), []
    for update, alone, said in [(0.5, 0.25, False), (0.5, 0.6, False), (0.5, 0.24, True), (5.0, 0.1, False)]:
        updates(watch, clock, *[update] * 20, 100.0)                         # a single one may take any time
        line = watch.advice(passing(clock, alone, asked))
        assert bool(line) == said
        if said:
            assert line.startswith("updates take 500 ms, a pass with one thread for matrix products 240 ms: other ")
    assert len(asked) == 3
    np.ones((2, 2)) @ np.ones((2, 2))
    assert all(library["num_threads"] == 1 for found in asked for library in found if library["user_api"] == "blas")


def test_short_runs_are_not_asked(clock):
    watch, asked = threads.Watch(True), []
    for _ in range(3):
        updates(watch, clock, *[0.1] * 49)
        assert watch.advice(passing(clock, 0.01, asked)) is None
    assert asked == [] and threads.Watch(False).advice(passing(clock, 0.01, asked)) is None


def test_a_number_of_the_user_stays(clock, monkeypatch):
    assert not threads.chosen_by_user()
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert threads.chosen_by_user()
    set_to = []
    monkeypatch.setattr(threads, "threadpool_limits", lambda *given, **how: set_to.append(given))
    threads.one()
    assert set_to == []
    monkeypatch.delenv("OMP_NUM_THREADS")
    threads.one()
    assert set_to == [(1,)]


def test_an_update_with_one_thread_says_nothing(clock, monkeypatch):
    monkeypatch.setattr(threads, "count", lambda: 1)
    watch = threads.Watch(True)
    updates(watch, clock, 1000.0)
    assert watch.advice(passing(clock, 0.001, [])) is None
