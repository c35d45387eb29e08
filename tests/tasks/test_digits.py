import numpy as np

from minindrnn.data.digits import load_digits
from minindrnn.tasks.digits import Digits
from minindrnn.tasks.registry import settings
from minindrnn.tasks.settings import Settings


def test_digits_as_they_are_in_the_package_and_as_they_are_read():
    task = Digits(settings("digits"))
    x, labels, lengths = task.take("test", np.arange(10))
    np.testing.assert_array_equal(x, load_digits()["test"][0][:, :10])
    assert lengths is None and task.parts["test"][0].min() == 0 and task.parts["test"][0].max() == 16


SMALL = Settings(task="digits-rows", layers=2, hidden=6, updates=45, batch=8, rate=3e-3, seed=1, gamma=2.0,
                 penalty=0.0, length=100)


def test_every_training_image_is_seen_once_an_epoch_and_every_other_counts_once():
    task = Digits(Settings(**SMALL.__dict__ | {"batch": 100}))
    number = {image.tobytes(): i for i, image in enumerate(task.take("train", np.arange(1197))[0].transpose(1, 0, 2))}
    assert len(number) == 1197 and task.epoch() == 12
    for epoch in (0, 1):
        seen = [(number[image.tobytes()], label) for step in range(12 * epoch, 12 * epoch + 12)
                for x, labels, _ in [task.batch(step)] for image, label in zip(x.transpose(1, 0, 2), labels)]
        assert sorted(seen) == list(enumerate(task.parts["train"][1]))
    assert not np.array_equal(task.batch(0)[1], task.batch(12)[1])

    class Right:
        """Answers with the row that it is asked about."""
        asked = 0

        def forward(self, x, lengths, statistics, ranks):
            y = np.eye(10)[labels[self.asked:self.asked + x.shape[1]]]
            self.asked += x.shape[1]
            return y, None

    _, labels, _ = task.parts["validation"]
    counted = Right()
    assert task.evaluate(counted)["validation_accuracy"] == 1.0 and counted.asked == 300
