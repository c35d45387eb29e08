"""The learning rate over time, and going back to the best."""
import numpy as np
import pytest

from minindrnn.training.schedules import Plateau, cosine, staircase


def run(schedule, values, weights):
    """The rate after each evaluation; the weights count the evaluations."""
    rates = []
    for value in values:
        weights += 1
        schedule.observe({"score": value})
        rates.append(schedule(update=0))
    return rates


def watching(weights, **options):
    schedule = Plateau(1, metric="score", **options)
    schedule.watch({"W": weights})
    return schedule


def test_patience_halves_with_each_plateau_and_the_third_ends_it():
    """P = 4, counted by hand in the authors' way: an evaluation that is not the best ends the phase if the count is
    more than 4, 2, 1, else it adds 1 to the count. Five add, the sixth ends; three add, the fourth ends; two, the
    third."""
    weights = np.zeros(2)
    schedule = watching(weights, patience=4, smallest=2e-3)
    rates = run(schedule, [0.5] + [0.4] * 6 + [0.3] * 4 + [0.2] * 2, weights)
    assert rates == pytest.approx([1] * 6 + [0.1] * 4 + [0.01] * 3)
    assert not schedule.over
    assert run(schedule, [0.5], weights) == pytest.approx([0.001]) and schedule.over


def test_patience_is_halved_not_divided_by_the_number_of_the_phase():
    """P = 20: a count of more than 20, 10, 5 and, rounded, 3 ends a phase. 21, 11, 6 and 4 add to it, and one more
    ends."""
    rates = run(watching(np.zeros(1), patience=20), [0.5] + [0.4] * (22 + 12 + 7 + 5), np.zeros(1))
    assert rates == pytest.approx([1] * 22 + [0.1] * 12 + [0.01] * 7 + [1e-3] * 5 + [1e-4])


def test_the_best_starts_the_count_anew():
    weights = np.zeros(1)
    rates = run(watching(weights, patience=1), [0.5, 0.4, 0.4, 0.6, 0.6, 0.5, 0.4, 0.7, 0.7, 0.7, 0.7], weights)
    assert rates == pytest.approx([1] * 6 + [0.1] * 4 + [0.01])


def test_the_best_comes_back_with_all_that_is_watched():
    weights = np.zeros(2)
    schedule = watching(weights, patience=1)
    run(schedule, [0.1, 0.7, 0.6, 0.5, 0.5], weights)
    assert weights.tolist() == [2, 2]                      # those of the second evaluation
    run(schedule, [0.8, 0.7], weights)
    assert weights.tolist() == [4, 4] and schedule(0) == pytest.approx(0.1)


def test_smaller_may_be_better():
    weights = np.zeros(1)
    assert run(watching(weights, patience=1, larger=False, factor=0.2), [3.0, 2.0, 2.5, 2.5, 2.5],
               weights) == pytest.approx([1, 1, 1, 1, 0.2])
    assert weights[0] == 2


def test_its_state_is_all_there_is():
    weights, others = np.zeros(1), np.zeros(1)
    whole, parts = watching(weights, patience=2), watching(others, patience=2)
    values = [0.1, 0.5, 0.4, 0.45, 0.3, 0.35, 0.6, 0.2, 0.2, 0.2]
    wanted = run(whole, values, weights)
    got = run(parts, values[:3], others)
    again = watching(others, patience=2)
    for name, array in again.state().items():
        array[...] = parts.state()[name]
    assert got + run(again, values[3:], others) == wanted and weights == others


def test_the_patience_of_its_phase_goes_on_too():
    """After the first plateau more than 2 evaluations are enough, where more than 4 were."""
    weights = np.zeros(1)
    whole = watching(weights, patience=4)
    while whole(0) == 1:
        run(whole, [0.5], weights)
    again = watching(weights, patience=4)
    assert again.state().keys() == {"rate", "best", "waited", "phase", "kept.W"}
    for name, array in again.state().items():
        array[...] = whole.state()[name]
    wanted, got = ([run(schedule, [0.4], weights)[0] for _ in range(9)] for schedule in (whole, again))
    assert got == wanted and len(set(wanted[:5])) > 1


def test_a_staircase_falls_after_every_so_many_steps():
    at = staircase(2e-4, every=20_100)
    assert [at(step) for step in (0, 20_099, 20_100, 40_199, 40_200,
                                  60_299)] == pytest.approx([2e-4] * 2 + [2e-5] * 2 + [2e-6] * 2)
    assert [staircase(8.0, every=3, factor=0.5)(step) for step in range(7)] == [8, 8, 8, 4, 4, 4, 2]


def test_a_cosine_rises_in_a_line_and_falls_to_nothing():
    """Four steps up; then half a period over eight: 1/2 (1 + cos(pi k / 8))."""
    at = cosine(3.0, updates=12, warmup=4)
    rising = [0.75, 1.5, 2.25, 3.0]
    falling = [3.0, 2.885819, 2.560660, 2.074025, 1.5, 0.925975, 0.439340, 0.114181, 0.0]
    assert [at(update) for update in range(13)] == pytest.approx(rising + falling, abs=1e-6)


def test_after_its_end_a_cosine_stays_at_nothing():
    at = cosine(3.0, updates=12, warmup=4)
    assert [at(update) for update in (12, 13, 20, 1000)] == [0.0] * 4


@pytest.mark.parametrize("call, message", [
    (lambda: cosine(1.0, updates=10, warmup=0), "warmup: expected a finite number from 1 to 10, got 0"),
    (lambda: staircase(1.0, every=0), "every: expected an integer of at least 1, got 0"),
    (lambda: cosine(1.0, updates=0, warmup=1), "updates: expected an integer of at least 1, got 0"),
    (lambda: staircase(-1.0, every=10), "rate: expected a finite number at least 0, got -1"),
    (lambda: Plateau(1.0, metric="score", patience=0), "patience: expected an integer of at least 1, got 0"),
    (lambda: Plateau(1e-7, metric="score"),
     "rate, when training begins: expected a finite number at least 1e-06, got 1e-07"),
    (lambda: Plateau(1.0, metric="score", factor=2), "factor: expected a finite number from 0 to 1, got 2"),
])
def test_errors(call, message):
    with pytest.raises(ValueError, match=message):
        call()
