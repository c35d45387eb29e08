import numpy as np
import pytest
from numpy.testing import assert_array_equal
from reference import Scripted

from minindrnn.data.adding import adding_problem
from minindrnn.tasks.registry import TASKS, settings

pytestmark = pytest.mark.tutorial3


def test_adding_is_tested_on_numbers_of_its_own():
    task = TASKS["adding"](settings("adding", length=9, batch=5, seed=4))
    x, target = adding_problem(9, 1000, np.random.default_rng([4, 2]))
    assert_array_equal(task.test[0], x)
    for step in (0, 3):
        got, wanted, lengths = task.batch(step)
        again = adding_problem(9, 5, np.random.default_rng([4, 1, step]))
        assert lengths is None and np.array_equal(got, again[0]) and np.array_equal(wanted, again[1])
    network = Scripted(np.full((1000, 1), 1.0, np.float32))
    assert task.evaluate(network)["test_mse"] == pytest.approx(np.mean((1 - target.astype(float))**2), rel=1e-5)
    assert network.asked == 1000 and set(network.ways) == {"running"}


def small():
    return TASKS["adding"](settings("adding", length=10, batch=8, seed=1))


def test_every_update_has_numbers_of_its_own():
    task = small()
    assert not np.array_equal(task.batch(0)[0], task.batch(1)[0])
    np.testing.assert_array_equal(task.batch(7)[0], task.batch(7)[0])


def test_no_sequence_of_the_test_is_trained_on():
    task = small()
    assert task.test[0].shape == (10, 1000, 2)
    trained = {sequence.tobytes() for step in range(50) for sequence in task.batch(step)[0].transpose(1, 0, 2)}
    tested = {sequence.tobytes() for sequence in task.test[0].transpose(1, 0, 2)}
    assert len(trained) == 50 * 8 and len(tested) == 1000 and not trained & tested


def test_statistics_of_the_adding_problem_are_those_of_twenty_batches():
    task, asked = TASKS["adding"](settings("adding", length=4, hidden=3, batch=2, norm="after")), []
    batch = task.batch
    task.batch = lambda step: asked.append(step) or batch(step)
    assert {"test_mse", "test_mse_population",
            "test_mse_batch"} == task.result(task.network(np.random.default_rng(0))).keys()
    assert asked == list(range(20))


def test_sums_are_answered_beside_what_they_are(tmp_path):
    task = TASKS["adding"](settings("adding", length=6, seed=2))
    np.savez(tmp_path / "in.npz", X=np.ones((2, 6, 2)), y=np.array([1.0, 2.0]))
    lines = list(task.predict(Scripted(np.float32([[1.5], [1.75]])), tmp_path / "in.npz"))
    assert [line.split() for line in lines] == [["0", "1.5000"], ["1", "1.7500"],
                                                ["mean", "squared", "error", "0.15625"]]
    first, *lines = task.report(Scripted(np.float32([[0.5], [1.0], [2.0]])), {"test_mse": 0.125})
    assert first.startswith("test mean squared error 0.12500 over 1000 sequences of 6 steps")
    for line, answer in zip(lines, ("0.500", "1.000", "2.000"), strict=True):
        terms, said = line.split(", answered ")
        sums, total = terms.split(" = ")
        marked = [float(term.split()[0]) for term in sums.split(" + ")]
        assert said == answer and len(marked) == 2 and sum(marked) == pytest.approx(float(total), abs=2e-3)


class FirstStep:
    """Answers with the first number of each sequence's last step; a step after its end is not read."""
    bound = None

    def forward(self, x, lengths=None, statistics="running", ranks=None):
        return x[lengths - 1, np.arange(x.shape[1]), :1], None


def test_sums_of_any_length_are_read_to_their_end(tmp_path):
    """In two pieces, as 40 000 steps make one of two sequences."""
    X, lengths = np.zeros((3, 40_000, 2), np.float32), np.array([2, 40_000, 5])
    X[np.arange(3), lengths - 1, 0] = [0.25, 0.5, 0.75]
    np.savez(tmp_path / "in.npz", X=X, lengths=lengths)
    lines = TASKS["adding"](settings("adding", length=6)).predict(FirstStep(), tmp_path / "in.npz")
    assert [line.split() for line in lines] == [["0", "0.2500"], ["1", "0.5000"], ["2", "0.7500"]]
