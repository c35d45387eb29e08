import numpy as np

from minindrnn.data.digits import load_digits
from minindrnn.tasks.digits import Digits
from minindrnn.tasks.registry import settings


def test_digits_as_they_are_in_the_package_and_as_they_are_read():
    task = Digits(settings("digits"))
    x, labels, lengths = task.take("test", np.arange(10))
    np.testing.assert_array_equal(x, load_digits()["test"][0][:, :10])
    assert lengths is None and task.parts["test"][0].min() == 0 and task.parts["test"][0].max() == 16


def in_hundreds():
    return Digits(settings("digits-rows", seed=1, batch=100))


def test_every_training_image_is_seen_once_an_epoch():
    task = in_hundreds()
    number = {image.tobytes(): i for i, image in enumerate(task.take("train", np.arange(1197))[0].transpose(1, 0, 2))}
    assert len(number) == 1197 and task.epoch() == 12
    for epoch in (0, 1):
        seen = [(number[image.tobytes()], label) for step in range(12 * epoch, 12 * epoch + 12)
                for x, labels, _ in [task.batch(step)] for image, label in zip(x.transpose(1, 0, 2), labels)]
        assert sorted(seen) == list(enumerate(task.parts["train"][1]))
    assert not np.array_equal(task.batch(0)[1], task.batch(12)[1])


class Right:
    """Answers with the label of the row that it is asked about."""

    def __init__(self, labels):
        self.labels, self.asked = labels, 0

    def forward(self, x, lengths, statistics, ranks):
        y = np.eye(10)[self.labels[self.asked:self.asked + x.shape[1]]]
        self.asked += x.shape[1]
        return y, None


def test_every_image_of_the_validation_counts_once():
    task = in_hundreds()
    network = Right(task.parts["validation"][1])
    assert task.evaluate(network)["validation_accuracy"] == 1.0
    assert network.asked == 300
