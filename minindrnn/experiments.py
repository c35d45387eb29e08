"""The tasks one can train on from the command line, each with the settings that work.

An experiment turns settings into a `Run`: a network, batches by step number, an evaluation that counts every
sample once, and the papers' recipe: Adam, gradients clamped to +-10, |u| projected after every update.
"""
from dataclasses import asdict, dataclass

import numpy as np

from .data.adding import adding_problem
from .data.digits import CLASSES, load_digits
from .dense import DenseIndRNN
from .losses import cross_entropy, mean_squared_error
from .optim import Adam, cosine, staircase
from .residual import ResidualIndRNN
from .stacked import StackedIndRNN
from .training import Run

NETWORK, BATCH, EVALUATION, NOISE = range(4)       # what a generator is for; seeded with (seed, purpose, number)


def predict(network, x, at_most=100):
    """y (B, K) for all sequences of x (T, B, M), some at a time."""
    parts = range(0, x.shape[1], at_most)
    return np.concatenate([network.forward(np.ascontiguousarray(x[:, i:i + at_most]))[0] for i in parts])


def noise(seed):
    """step -> the generator of that step's dropout."""
    return lambda step: np.random.default_rng([seed, NOISE, step])


@dataclass(frozen=True)
class Settings:
    """What defines a run; the defaults of each experiment are in its class."""
    task: str
    layers: int
    hidden: int
    steps: int
    batch: int
    rate: float
    seed: int
    gamma: float
    penalty: float
    length: int
    model: str = "stacked"
    norm: str = "none"
    dropout: float = 0.0


def build(s, inputs, outputs, T, rng, std):
    """The network of the settings. std is how W starts in a stacked network without batch normalisation; elsewhere
    it starts at 1 / sqrt(inputs)."""
    options = dict(steps=T, gamma=s.gamma, norm=None if s.norm == "none" else s.norm)
    if s.model == "residual":
        return ResidualIndRNN(inputs, s.hidden, s.layers, outputs, rng, dropout=s.dropout, **options)
    if s.model == "dense":
        dropout = dict.fromkeys(("first", "bottleneck", "dense", "transition", "last"), s.dropout)
        return DenseIndRNN(inputs, s.hidden, (s.layers,) * 3, outputs, rng, dropout=dropout, **options)
    return StackedIndRNN(inputs, s.hidden, s.layers, outputs, rng, std=std if s.norm == "none" else None,
                         dropout=s.dropout, **options)


class Adding:
    """Add the two marked numbers of a sequence; the setting of arXiv 1803.04831, section 5.1."""

    defaults = dict(layers=2, hidden=128, steps=60_300, batch=32, rate=2e-4, gamma=2.0)

    def __init__(self, settings):
        self.settings = settings
        self.T = settings.length
        self.test = adding_problem(self.T, 1000, np.random.default_rng([settings.seed, EVALUATION]))

    def network(self, rng):
        s = self.settings
        # The authors' script starts W at 0.001, five of Adam's first steps; seed 1 then answers 1, and no better, after
        # 5000 steps at T = 1000.
        return build(s, 2, 1, self.T, rng, std=0.01)

    def run(self, folder):
        s = self.settings
        network = self.network(np.random.default_rng([s.seed, NETWORK]))
        return Run(folder, asdict(s), network, mean_squared_error, Adam(network.parameters),
                   staircase(s.rate, every=20_100), self.batch, self.evaluate, noise(s.seed), s.steps, every=100,
                   options=dict(bound=network.bound, penalty=s.penalty))

    def batch(self, step):
        return adding_problem(self.T, self.settings.batch, np.random.default_rng([self.settings.seed, BATCH, step]))

    def evaluate(self, network):
        """Mean squared error over 1000 sequences that training never sees."""
        x, target = self.test
        return {"test_mse": mean_squared_error(predict(network, x, at_most=max(1, 100_000 // self.T)), target)[0]}

    def result(self, network):
        """{name: number} for result.json."""
        return self.evaluate(network)

    def report(self, network):
        """Lines that tell what was learned."""
        x, target = adding_problem(self.T, 3, np.random.default_rng([self.settings.seed, EVALUATION, 1]))
        mse = self.result(network)["test_mse"]
        yield f"test mean squared error {mse:.5f} over 1000 sequences of {self.T} steps (always answering 1: 0.16667)"
        for b, answer in enumerate(predict(network, x)):
            marked = np.flatnonzero(x[:, b, 1])
            terms = " + ".join(f"{x[t, b, 0]:.3f} (step {t})" for t in marked)
            yield f"  {terms} = {target[b, 0]:.3f}, answered {answer[0]:.3f}"


class Digits:
    """Say which digit was read, pixel by pixel (T = 64) or row by row (T = 8)."""

    defaults = dict(layers=3, hidden=128, steps=6000, batch=32, rate=3e-3, gamma=2.0)

    def __init__(self, settings):
        self.settings = settings
        self.parts = load_digits(rows=settings.task == "digits-rows")
        self.T, _, self.M = self.parts["train"][0].shape

    def network(self, rng):
        s = self.settings
        return build(s, self.M, CLASSES, self.T, rng, std=0.02)

    def run(self, folder):
        s = self.settings
        network = self.network(np.random.default_rng([s.seed, NETWORK]))
        return Run(folder, asdict(s), network, cross_entropy, Adam(network.parameters),
                   cosine(s.rate, steps=s.steps, warmup=max(1, s.steps // 10)), self.batch, self.evaluate,
                   noise(s.seed), s.steps, every=max(1, s.steps // 40),
                   options=dict(bound=network.bound, penalty=s.penalty))

    def batch(self, step):
        """Each epoch goes through all training images, in an order of its own."""
        x, labels = self.parts["train"]
        epoch, place = divmod(step, -(-len(labels) // self.settings.batch))
        order = np.random.default_rng([self.settings.seed, BATCH, epoch]).permutation(len(labels))
        chosen = order[place * self.settings.batch:][:self.settings.batch]
        return np.ascontiguousarray(x[:, chosen]), labels[chosen]

    def evaluate(self, network, part="validation"):
        """Loss and accuracy over all images of the part."""
        x, labels = self.parts[part]
        y = predict(network, x)
        return {f"{part}_loss": cross_entropy(y, labels)[0],
                f"{part}_accuracy": float(np.mean(y.argmax(axis=1) == labels))}

    def result(self, network):
        """{name: number} for result.json."""
        return self.evaluate(network, "test")

    def report(self, network):
        """Lines that tell what was learned."""
        x, labels = self.parts["test"]
        guesses = predict(network, x).argmax(axis=1)
        right = int(np.sum(guesses == labels))
        yield f"test accuracy {right / len(labels):.2%} ({right} of {len(labels)} images)"
        yield "confusion, a row for each true digit, a column for each answer"
        confusion = np.zeros((CLASSES, CLASSES), int)
        np.add.at(confusion, (labels, guesses), 1)
        yield "     " + "".join(f"{digit:4}" for digit in range(CLASSES))
        for digit, counts in enumerate(confusion):
            yield f"  {digit}  " + "".join(f"{n or '.':>4}" for n in counts)


class DigitsByRows(Digits):
    """The same images, one row a step: an eighth of the length, and a recipe of its own."""

    defaults = Digits.defaults | dict(steps=4000, batch=16, rate=5e-3)


EXPERIMENTS = {"adding": Adding, "digits": Digits, "digits-rows": DigitsByRows}
