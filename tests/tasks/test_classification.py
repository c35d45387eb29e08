"""What is trained on, counted and said where sequences have classes: worked out by hand."""
import numpy as np
import pytest
from numpy.testing import assert_array_equal
from reference import Scripted

from minindrnn.data.download import DataError
from minindrnn.tasks.classification import Classification
from minindrnn.tasks.registry import settings

pytestmark = pytest.mark.tutorial8


def test_batches_of_an_epoch_are_a_permutation_of_the_seed():
    task = Classification(settings("own", batch=4, seed=3), {"T": 3, "M": 1, "K": 2})
    task.parts["train"] = np.arange(30).reshape(10, 3), np.arange(10), None
    assert task.epoch() == 3
    for epoch in (0, 1, 5):
        order = np.random.default_rng([3, 1, epoch]).permutation(10)
        for place, size in ((0, 4), (1, 4), (2, 2)):
            x, labels, lengths = task.batch(3 * epoch + place)
            assert labels.tolist() == order[4 * place:4 * place + 4].tolist()
            assert len(labels) == size
            assert lengths is None
            assert x.shape == (3, size, 1) and x[:, :, 0].T.tolist() == [[3 * k, 3 * k + 1, 3 * k + 2] for k in labels]


def test_a_batch_is_as_long_as_its_longest_sequence():
    task = Classification(settings("own"), {"T": 9, "M": 2, "K": 2})
    x, lengths = np.random.default_rng(0).normal(size=(5, 9, 2)), np.array([3, 9, 1, 5, 2])
    task.parts["train"] = x, np.array([0, 1, 0, 1, 1]), lengths
    got, labels, steps = task.take("train", np.array([3, 0, 4]))
    assert steps.tolist() == [5, 3, 2] and labels.tolist() == [1, 0, 1]
    assert_array_equal(got, x[[3, 0, 4], :5].transpose(1, 0, 2))


TRUE = np.array([0, 0, 0, 1, 2, 2])
SAID = np.array([0, 1, 1, 1, 0, 2])


def recognising(part):
    task = Classification(settings("own"), {"T": 3, "M": 1, "K": 3})
    task.parts[part] = np.zeros((6, 3, 1)), TRUE, None
    return task


def test_confusion_counts_the_true_class_in_its_row():
    """Twice a 0 was called 1, once a 2 was called 0."""
    task = recognising("test")
    network = Scripted(np.eye(3)[SAID])
    assert task.confusion(network).tolist() == [[1, 2, 0], [0, 1, 0], [1, 0, 1]]
    assert set(network.ways) == {"running"}
    lines = list(task.report(Scripted(np.eye(3)[SAID]), {"test_accuracy": 0.5}))
    assert [line.split()[1:] for line in lines[-3:]] == [["1", "2", "."], [".", "1", "."], ["1", ".", "1"]]
    assert lines[0].startswith("test accuracy 50.00% (3 of 6 ")


def test_so_many_of_n_are_rounded_not_cut():
    """0.58 x 50 is 28.999999999999996."""
    task = Classification(settings("own"), {"T": 3, "M": 1, "K": 21})
    task.parts["test"] = np.zeros((50, 3, 1)), np.zeros(50, int), None
    assert list(task.report(None, {"test_accuracy": 0.58})) == ["test accuracy 58.00% (29 of 50 sequences)"]


@pytest.mark.parametrize("part", ["train", "validation", "test"])
def test_a_class_counts_in_whatever_part_it_is(part):
    task = Classification(settings("own"), {"T": 3, "M": 2, "K": 1})
    task.parts = {name: (np.zeros((2, 3, 2)), np.array([0, 4 if name == part else 1]), None)
                  for name in ("train", "validation", "test")}
    assert task.look() == {"T": 3, "M": 2, "K": 5}


@pytest.mark.parametrize("part", ["validation", "test"])
def test_loss_and_accuracy_are_means_over_the_part(part):
    task, y = recognising(part), np.random.default_rng(0).normal(size=(6, 3))
    network = Scripted(y)
    p = np.exp(y) / np.exp(y).sum(axis=1, keepdims=True)
    found = task.evaluate(network, part=part)
    assert found == {f"{part}_loss": pytest.approx(-np.mean(np.log(p[np.arange(6), TRUE]))),
                     f"{part}_accuracy": pytest.approx(np.mean(y.argmax(axis=1) == TRUE))}
    assert network.asked == 6 and set(network.ways) == {"running"}


def test_a_run_is_validated_by_the_running_statistics_of_the_validation_part():
    task = recognising("validation")
    task.parts["train"] = task.parts["test"] = np.zeros((6, 3, 1)), TRUE[::-1], None
    network = Scripted(np.eye(3)[SAID])
    assert task.run("nowhere").evaluate(network)["validation_accuracy"] == pytest.approx(0.5)
    assert network.ways == ["running"]


def test_the_result_takes_statistics_from_every_training_sequence_once():
    task = recognising("test")
    task.settings = settings("own", batch=4)
    task.parts["train"] = np.arange(10.0).reshape(10, 1, 1), np.zeros(10, int), np.ones(10, int)
    absorbed = []

    class Noting(Scripted):
        parameters = {}

        def forward(self, x, lengths=None, statistics="running", ranks=None):
            if len(self.ways) == 1 and statistics == "batch" and len(absorbed) < 10:
                assert lengths.tolist() == [1] * x.shape[1]
                return None, x.ravel().tolist()
            return super().forward(x, lengths, statistics)

        def absorb(self, cache, average):
            absorbed.extend(cache)
    network = Noting(np.tile(np.eye(3)[SAID], (3, 1)))
    result = task.result(network)
    assert sorted(absorbed) == list(range(10)) and network.ways == ["running", "running", "batch"]
    assert set(result) == {f"test_{what}{way}" for what in ("loss", "accuracy")
                           for way in ("", "_population", "_batch")}


def test_predictions_are_the_likeliest_class_with_its_probability(tmp_path):
    task = Classification(settings("own"), {"T": 3, "M": 2, "K": 3})
    np.savez(tmp_path / "in.npz", X=np.ones((3, 3, 2)), y=np.array([2, 0, 1]))
    y = np.log([[0.2, 0.1, 0.7], [0.05, 0.9, 0.05], [0.25, 0.5, 0.25]])
    *lines, last = task.predict(Scripted(y), tmp_path / "in.npz")
    assert [line.split() for line in lines] == [["0", "2", "70.0%"], ["1", "1", "90.0%", "wrong:", "0"],
                                                ["2", "1", "50.0%"]]
    assert last == "accuracy 66.67% (2 of 3)"


class Echo:
    """Answers each sequence with what stands at its last valid step."""

    def forward(self, x, lengths, statistics, ranks):
        return x[(len(x) if lengths is None else lengths) - 1, np.arange(x.shape[1])], None


@pytest.mark.parametrize("n, T", [(7, 30_000), (1, 5), (23, 10_000)])
@pytest.mark.parametrize("with_lengths", [False, True])
def test_every_sequence_is_answered_once(n, T, with_lengths, rng):
    """In pieces of 80 000 steps, the last one smaller; all answers together are those of the sequences one by one."""
    task = Classification(None, {"T": T, "M": 2, "K": 2})
    x = rng.normal(size=(n, T, 2)).astype(np.float32)
    lengths = rng.integers(1, T + 1, n) if with_lengths else None
    task.parts["test"] = x, rng.integers(0, 2, n), lengths
    expected = x[np.arange(n), (np.full(n, T) if lengths is None else lengths) - 1]
    np.testing.assert_array_equal(task.answers(Echo()), expected)
    assert task.confusion(Echo()).sum() == n
    got = task.evaluate(Echo(), part="test")["test_accuracy"]
    assert got == np.mean(expected.argmax(axis=1) == task.parts["test"][1])


class Diverged(Echo):
    """Answers class 0 but for the first sequences, to which the answers are not finite."""

    def forward(self, x, lengths, statistics, ranks):
        y = np.zeros((x.shape[1], 2), np.float32)
        y[:, 0] = 1
        y[:3] = [[np.nan, 0], [0, np.nan], [np.inf, 0]]
        return y, None


def test_an_answer_that_is_not_finite_is_no_class(rng):
    task = Classification(None, {"T": 3, "M": 2, "K": 2})
    task.parts["test"] = rng.normal(size=(10, 3, 2)), np.array([0, 1, 0, 0, 0, 0, 0, 1, 1, 1]), None
    result = task.evaluate(Diverged(), part="test")
    assert result["test_accuracy"] == 0.4 and np.isnan(result["test_loss"])
    message = ("test: expected numbers like those of the training, got a sequence, 0, to which the network's answer is "
               "not finite")
    with pytest.raises(DataError, match=message):
        task.confusion(Diverged())
    said = list(task.report(Diverged(), result | {"test_accuracy_batch": 0.3}))
    assert said == ["test accuracy 40.00% (4 of 10 sequences)", "  by statistics of the batch 30.00%",
                    f"no confusion: {message}"]
