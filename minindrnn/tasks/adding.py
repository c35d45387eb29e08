"""The adding problem: two numbers of a long sequence are marked; what is their sum?

The settings are those of arXiv 1803.04831, section 5.1: two layers of IndRNN or one of a baseline, and a rate for each.
"""
import numpy as np

from ..data.adding import adding_problem
from ..data.user_file import load_input
from ..ops.losses import mean_squared_error
from ..training.schedules import staircase
from .models import build, weights
from .settings import BATCH, EVALUATION
from .task import Task, by_all_statistics, expect_finite, parts, predict

EVERY = 20_100           # updates after which the rate falls to a tenth


class Adding(Task):
    """Add the two marked numbers of a sequence."""

    name = word = "adding"
    help = "add two marked numbers of a long sequence"
    takes = {"train": {"length"}}
    refuses = {"plateau": ", where only the test is watched: there the rate falls to a tenth after every "
                          f"{EVERY} updates"}
    length, loss = 100, staticmethod(mean_squared_error)
    usual = dict(hidden=128, updates=3 * EVERY, batch=32)
    of_indrnn = dict(layers=2, rate=2e-4)
    of_baseline = dict(layers=1, rate=2e-3)
    of_model = {"dense": dict(hidden=16)}

    @classmethod
    def defaults(cls, model, length):
        irnn = dict(rate=2e-4 if length < 500 else 1e-5) if model == "irnn" else {}
        return super().defaults(model, length) | irnn

    def __init__(self, settings, seen=None):
        self.settings, self.T, self.seen = settings, settings.length, {}
        self.test = adding_problem(self.T, 1000, np.random.default_rng([settings.seed, EVALUATION]))

    @property
    def label(self):
        return f"{self.name}-{self.T}"

    def network(self, rng):
        # The authors' script starts W at 0.001, no more than five of Adam's first updates.
        return build(self.settings, 2, 1, self.T, rng, W=weights(self.settings, 0.01))

    def every(self):
        return 100

    def config(self):
        config = super().config()
        config.pop("updates")                       # it may go on to any number
        return config

    def schedule(self):
        return staircase(self.settings.rate, every=EVERY)

    def batch(self, update):
        rng = np.random.default_rng([self.settings.seed, BATCH, update])
        x, target = adding_problem(self.T, self.settings.batch, rng)
        part = self.ranks.of(self.settings.batch).part
        return np.ascontiguousarray(x[:, part]), target[part], None

    def evaluate(self, network, statistics="running"):
        """Mean squared error over 1000 sequences that training never sees."""
        x, target = self.test
        y = predict(network, x, max(1, 100_000 // self.T), statistics, self.ranks)
        return {"test_mse": mean_squared_error(y, target)[0]}

    def result(self, network):
        """{name: number} for result.json."""
        batches = ((self.batch(update)[0], None, self.ranks.of(self.settings.batch)) for update in range(20))
        return by_all_statistics(network, self.evaluate, batches)

    def report(self, network, result):
        """Lines that tell what was learned; result as for result.json."""
        x, target = adding_problem(self.T, 3, np.random.default_rng([self.settings.seed, EVALUATION, 1]))
        mse = result["test_mse"]
        yield f"test mean squared error {mse:.5f} over 1000 sequences of {self.T} steps (always answering 1: 0.16667)"
        for b, answer in enumerate(predict(network, x)):
            marked = np.flatnonzero(x[:, b, 1])
            terms = " + ".join(f"{x[t, b, 0]:.3f} (step {t})" for t in marked)
            yield f"  {terms} = {target[b, 0]:.3f}, answered {answer[0]:.3f}"

    def predict(self, network, path):
        """Lines that tell the answer to every sequence in a file, X (n, T, 2); where the file has y, also the error."""
        X, lengths, y = load_input(path, 2)
        x, at_most = np.ascontiguousarray(X.transpose(1, 0, 2), np.float32), max(1, 100_000 // X.shape[1])
        answers = np.concatenate([network.forward(part, lengths=lengths[i * at_most:][:at_most])[0]
                                  for i, part in enumerate(parts(x, at_most))])
        expect_finite(f"{path}: X", answers)
        yield from (f"{i:>6}  {answer:.4f}" for i, answer in enumerate(answers[:, 0]))
        if y is not None:
            yield f"mean squared error {mean_squared_error(answers, y[:, np.newaxis].astype(np.float32))[0]:.5f}"
