import numpy as np
import pytest

from minindrnn.bench.timing import interleaved, line, row

pytestmark = pytest.mark.tutorial9


def test_a_line_shows_median_and_noise():
    said = line(row("a thing", [1.0, 2.0, 3.0, 4.0, 5.0], "ms", 1))
    assert said.split() == ["a", "thing", "3.0", "ms", "(2.0", "to", "4.0)"]


def test_one_number_has_no_noise():
    assert line(row("a thing", 3.0, "s", 1)).split() == ["a", "thing", "3.0", "s"]


def test_interleaving_times_every_function_every_round():
    calls = []
    seconds = interleaved({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, rounds=4, untimed=1)
    assert calls.count("a") == calls.count("b") == 2 + 1 + 3 * 2 and {len(v) for v in seconds.values()} == {4}
    assert (np.array([seconds["a"], seconds["b"]]) > 0).all()
