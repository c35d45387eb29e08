"""The tasks one can train on from the command line, each with the settings that work.

An experiment turns settings into a `Run`: a network, batches by step number, an evaluation that counts every
sample once.
"""
from dataclasses import asdict

import numpy as np

from ..data.adding import adding_problem
from ..data.user_file import load_input
from ..ops.losses import mean_squared_error
from ..training.schedules import staircase
from .characters import Characters
from .classification import expect_finite
from .recipe import BASELINES, BATCH, EVALUATION, Settings, build, by_all_statistics, parts, predict, prepare, weights
from .recognition import Digits, DigitsByRows, Fashion, Motion, Own, PermutedMNIST, SequentialMNIST


class Adding:
    """Add the two marked numbers of a sequence; the settings of arXiv 1803.04831, section 5.1: two layers of IndRNN
    or one of a baseline, and a rate for each."""

    length = 100

    @staticmethod
    def defaults(model, length):
        rate = {"rnn": 2e-3, "lstm": 2e-3, "gru": 2e-3, "irnn": 2e-4 if length < 500 else 1e-5}.get(model, 2e-4)
        return dict(layers=1 if model in BASELINES else 2, hidden=16 if model == "dense" else 128, steps=60_300, batch=32,
                    rate=rate)

    def __init__(self, settings, seen=None):
        self.settings = settings
        self.T = settings.length
        self.test = adding_problem(self.T, 1000, np.random.default_rng([settings.seed, EVALUATION]))

    def network(self, rng):
        s = self.settings
        # The authors' script starts W at 0.001, no more than five of Adam's first steps.
        return build(s, 2, 1, self.T, rng, W=weights(s, 0.01))

    def run(self, folder):
        config = asdict(self.settings)
        config.pop("steps")                         # it may go on to any number
        return prepare(self, folder, mean_squared_error, staircase(self.settings.rate, every=20_100), every=100,
                       config=config)

    def batch(self, step):
        rng = np.random.default_rng([self.settings.seed, BATCH, step])
        return *adding_problem(self.T, self.settings.batch, rng), None

    def evaluate(self, network, statistics="running"):
        """Mean squared error over 1000 sequences that training never sees."""
        x, target = self.test
        y = predict(network, x, max(1, 100_000 // self.T), statistics)
        return {"test_mse": mean_squared_error(y, target)[0]}

    def result(self, network):
        """{name: number} for result.json."""
        return by_all_statistics(network, self.evaluate, (self.batch(step)[0] for step in range(20)))

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


EXPERIMENTS = {"adding": Adding, "digits": Digits, "digits-rows": DigitsByRows, "smnist": SequentialMNIST,
               "pmnist": PermutedMNIST, "fashion": Fashion, "motion": Motion, "own": Own, "chars": Characters}


def settings(task, model="indrnn", length=None, **given):
    """The Settings of a task and model, the defaults wherever none are given."""
    kind = EXPERIMENTS[task]
    length = kind.length if length is None else length
    given = {name: value for name, value in given.items() if value is not None}
    return Settings(**dict(penalty=0.0, seed=0, gamma=2.0) | kind.defaults(model, length) | given
                    | dict(task=task, model=model, length=length))
