"""The tasks one can train on from the command line, each with the settings that work.

An experiment turns settings into a `Run`: a network, batches by step number, an evaluation that counts every
sample once, and the papers' recipe: Adam, gradients clamped to +-10, |u| projected after every update.
"""
from dataclasses import asdict, dataclass
from functools import partial

import numpy as np

from .blocks import AtLastStep, Chain
from .data.adding import adding_problem
from .data.digits import CLASSES, load_digits
from .dense import DenseIndRNN
from .gru import GRU
from .layer import leaves
from .linear import Linear, normal, scaled
from .losses import cross_entropy, mean_squared_error
from .lstm import LSTM
from .optim import Adam
from .population import population_statistics
from .residual import ResidualIndRNN
from .rnn import RNN
from .schedules import Plateau, cosine, staircase
from .stacked import StackedIndRNN
from .training import Run

NETWORK, BATCH, EVALUATION, NOISE = range(4)       # what a generator is for; seeded with (seed, purpose, number)


def parts(x, at_most=100):
    """x (T, B, M), some sequences at a time."""
    return (np.ascontiguousarray(x[:, i:i + at_most]) for i in range(0, x.shape[1], at_most))


def predict(network, x, at_most=100, statistics="running"):
    """y (B, K) for all sequences of x (T, B, M), some at a time."""
    return np.concatenate([network.forward(part, statistics=statistics)[0] for part in parts(x, at_most)])


def by_all_statistics(network, evaluate, batches):
    """evaluate(network, statistics) -> {name: number}, by the running averages and, if the network normalises its
    batches, by population statistics over the batches of training data, and by each test batch's own."""
    result = evaluate(network, "running")
    if any(True for _ in leaves(network.buffers)):
        with population_statistics(network, batches):
            result |= {f"{name}_population": value for name, value in evaluate(network, "running").items()}
        result |= {f"{name}_batch": value for name, value in evaluate(network, "batch").items()}
    return result


def schedule(s, usual, metric, larger):
    """That of the settings: Plateau, or the usual one of the task."""
    return Plateau(s.rate, metric=metric, larger=larger, patience=s.plateau) if s.plateau else usual


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
    model: str = "indrnn"
    norm: str = "none"
    dropout: float = 0.0
    decay: float = 0.0
    plateau: int = 0


BASELINES = {"rnn": (RNN, {}), "irnn": (RNN, dict(activation="relu", U="identity")), "lstm": (LSTM, {}),
             "gru": (GRU, {})}
MODELS = ("indrnn", "residual", "dense", *BASELINES)


def build(s, inputs, outputs, T, rng, W):
    """The network of the settings. W is where the weights of relu networks without batch normalisation start; elsewhere
    they start at 1 / sqrt(inputs)."""
    if s.model in BASELINES:
        layer, options = BASELINES[s.model]
        widths = [inputs] + [s.hidden] * (s.layers - 1)
        return Chain([layer(M, s.hidden, rng, W=W if s.model == "irnn" else scaled(), **options) for M in widths]
                     + [AtLastStep(Linear(s.hidden, outputs, rng))])
    options = dict(steps=T, gamma=s.gamma, norm=None if s.norm == "none" else s.norm)
    if s.model == "residual":
        return ResidualIndRNN(inputs, s.hidden, s.layers, outputs, rng, dropout=s.dropout, **options)
    if s.model == "dense":
        return DenseIndRNN(inputs, s.hidden, (s.layers,) * 3, outputs, rng, dropout=s.dropout, **options)
    return StackedIndRNN(inputs, s.hidden, s.layers, outputs, rng, W=W if s.norm == "none" else scaled(),
                         dropout=s.dropout, **options)


class Adding:
    """Add the two marked numbers of a sequence; the settings of arXiv 1803.04831, section 5.1: two layers of IndRNN
    or one of a baseline, and a rate for each."""

    @staticmethod
    def defaults(model, length):
        rate = {"rnn": 2e-3, "lstm": 2e-3, "gru": 2e-3, "irnn": 2e-4 if length < 500 else 1e-5}.get(model, 2e-4)
        return dict(layers=1 if model in BASELINES else 2, hidden=128, steps=60_300, batch=32, rate=rate, gamma=2.0)

    def __init__(self, settings):
        self.settings = settings
        self.T = settings.length
        self.test = adding_problem(self.T, 1000, np.random.default_rng([settings.seed, EVALUATION]))

    def network(self, rng):
        s = self.settings
        # The authors' script starts W at 0.001, no more than five of Adam's first steps.
        return build(s, 2, 1, self.T, rng, W=normal(0.01))

    def run(self, folder):
        s = self.settings
        network = self.network(np.random.default_rng([s.seed, NETWORK]))
        config = asdict(s)
        if not s.plateau:
            config.pop("steps")                     # it may go on to any number
        return Run(folder, config, network, mean_squared_error, Adam(network.parameters, decay=s.decay),
                   schedule(s, staircase(s.rate, every=20_100), "test_mse", larger=False), self.batch, self.evaluate,
                   noise(s.seed), s.steps, every=100,
                   options=dict(bound=network.bound, penalty=s.penalty))

    def batch(self, step):
        return adding_problem(self.T, self.settings.batch, np.random.default_rng([self.settings.seed, BATCH, step]))

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


class Digits:
    """Say which digit was read, pixel by pixel (T = 64) or row by row (T = 8)."""

    @staticmethod
    def defaults(model, length):
        return dict(layers=3, hidden=16 if model == "dense" else 128, steps=6000, batch=32, rate=3e-3, gamma=2.0)

    def __init__(self, settings):
        self.settings = settings
        self.parts = load_digits(rows=settings.task == "digits-rows")
        self.T, _, self.M = self.parts["train"][0].shape

    def network(self, rng):
        s = self.settings
        return build(s, self.M, CLASSES, self.T, rng, W=normal(0.02))

    def run(self, folder):
        s = self.settings
        network = self.network(np.random.default_rng([s.seed, NETWORK]))
        return Run(folder, asdict(s), network, cross_entropy, Adam(network.parameters, decay=s.decay),
                   schedule(s, cosine(s.rate, steps=s.steps, warmup=max(1, s.steps // 10)), "validation_accuracy",
                            larger=True), self.batch, self.evaluate, noise(s.seed), s.steps,
                   every=max(1, s.steps // 40),
                   options=dict(bound=network.bound, penalty=s.penalty))

    def batch(self, step):
        """Each epoch goes through all training images, in an order of its own."""
        x, labels = self.parts["train"]
        epoch, place = divmod(step, -(-len(labels) // self.settings.batch))
        order = np.random.default_rng([self.settings.seed, BATCH, epoch]).permutation(len(labels))
        chosen = order[place * self.settings.batch:][:self.settings.batch]
        return np.ascontiguousarray(x[:, chosen]), labels[chosen]

    def evaluate(self, network, statistics="running", part="validation"):
        """Loss and accuracy over all images of the part."""
        x, labels = self.parts[part]
        y = predict(network, x, statistics=statistics)
        return {f"{part}_loss": cross_entropy(y, labels)[0],
                f"{part}_accuracy": float(np.mean(y.argmax(axis=1) == labels))}

    def result(self, network):
        """{name: number} for result.json."""
        return by_all_statistics(network, partial(self.evaluate, part="test"), parts(self.parts["train"][0]))

    def report(self, network, result):
        """Lines that tell what was learned; result as for result.json."""
        x, labels = self.parts["test"]
        guesses = predict(network, x).argmax(axis=1)
        right = int(np.sum(guesses == labels))
        yield f"test accuracy {right / len(labels):.2%} ({right} of {len(labels)} images)"
        for name, value in result.items():
            if name.startswith("test_accuracy_"):
                yield f"  by statistics of the {name.split('_')[-1]} {value:.2%}"
        yield "confusion, a row for each true digit, a column for each answer"
        confusion = np.zeros((CLASSES, CLASSES), int)
        np.add.at(confusion, (labels, guesses), 1)
        yield "     " + "".join(f"{digit:4}" for digit in range(CLASSES))
        for digit, counts in enumerate(confusion):
            yield f"  {digit}  " + "".join(f"{n or '.':>4}" for n in counts)


class DigitsByRows(Digits):
    """The same images, one row a step: an eighth of the length, and a recipe of its own."""

    @staticmethod
    def defaults(model, length):
        return Digits.defaults(model, length) | dict(steps=4000, batch=16, rate=5e-3)


EXPERIMENTS = {"adding": Adding, "digits": Digits, "digits-rows": DigitsByRows}


def settings(task, model="indrnn", length=None, **given):
    """The Settings of a task and model, the defaults wherever none are given."""
    length = 100 if length is None else length
    given = {name: value for name, value in given.items() if value is not None}
    return Settings(**EXPERIMENTS[task].defaults(model, length) | dict(penalty=0.0, seed=0) | given
                    | dict(task=task, model=model, length=length))
