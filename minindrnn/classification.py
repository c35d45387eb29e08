"""Tasks that ask for one of K classes after a whole sequence: digits, images pixel by pixel, motion, data of one's own.

The parts hold sequences first, x (n, T) or (n, T, M), in whatever type they came; a batch becomes x (T, B, M) float32.
"""
from dataclasses import asdict

import numpy as np

from .data.digits import load_digits
from .data.files import DataError
from .data.images import ARTICLES, FASHION, MNIST, load_images
from .data.motion import EXERCISES, load_motion
from .data.own import load_own
from .linear import kaiming, scaled
from .losses import cross_entropy
from .optim import Adam
from .recipe import BASELINES, BATCH, NETWORK, SPLIT, build, by_all_statistics, noise, schedule, small
from .training import Run

TOGETHER = 80_000        # steps of all sequences that are evaluated at once


class Classification:
    """What these tasks have in common; a task says where the parts come from, and its settings."""

    length, unit, names = 0, "sequences", None
    starts = {}

    def __init__(self, settings):
        self.settings = settings
        self.parts = {name: (*part, None)[:3] for name, part in self.load().items()}
        x, labels, _ = self.parts["train"]
        self.T, self.M = x.shape[1], x.shape[2] if x.ndim == 3 else 1
        self.K = max(int(labels.max()) for _, labels, _ in self.parts.values()) + 1

    def network(self, rng):
        s = self.settings
        return build(s, self.M, self.K, self.T, rng, **{"W": small(s, 0.02)} | self.starts)

    def run(self, folder):
        s = self.settings
        network = self.network(np.random.default_rng([s.seed, NETWORK]))
        return Run(folder, asdict(s), network, cross_entropy, Adam(network.parameters, decay=s.decay),
                   schedule(s, "validation_accuracy", larger=True), self.batch, self.evaluate, noise(s.seed), s.steps,
                   every=self.every(), options=dict(bound=network.bound, penalty=s.penalty))

    def every(self):
        """Steps from one evaluation to the next."""
        return max(1, self.settings.steps // 40)

    def take(self, part, chosen):
        """x (T, B, M) float32, labels (B,), lengths (B,) or None, of the chosen sequences of the part."""
        x, labels, lengths = (array if array is None else array[chosen] for array in self.parts[part])
        x = (x[:, :, np.newaxis] if x.ndim == 2 else x).transpose(1, 0, 2)
        x = x[:x.shape[0] if lengths is None else lengths.max()]
        return self.scale(np.ascontiguousarray(x)), labels, lengths

    def scale(self, x):
        """What the network sees of the numbers."""
        return x

    def batch(self, step):
        """Each epoch goes through all training sequences, in an order of its own."""
        s, n = self.settings, len(self.parts["train"][1])
        epoch, place = divmod(step, -(-n // s.batch))
        order = np.random.default_rng([s.seed, BATCH, epoch]).permutation(n)
        return self.take("train", order[place * s.batch:][:s.batch])

    def pieces(self, part):
        """The whole part, some sequences at a time."""
        n, at_most = len(self.parts[part][1]), max(1, TOGETHER // self.T)
        return (self.take(part, np.arange(i, min(i + at_most, n))) for i in range(0, n, at_most))

    def answers(self, network, statistics="running", part="test"):
        """y (n, K) for every sequence of the part."""
        return np.concatenate([network.forward(x, lengths=lengths, statistics=statistics)[0]
                               for x, _, lengths in self.pieces(part)])

    def evaluate(self, network, statistics="running", part="validation"):
        """Loss and accuracy over all sequences of the part, each counted once."""
        y, labels = self.answers(network, statistics, part), self.parts[part][1]
        return {f"{part}_loss": cross_entropy(y, labels)[0],
                f"{part}_accuracy": float(np.mean(y.argmax(axis=1) == labels))}

    def result(self, network):
        """{name: number} for result.json."""
        return by_all_statistics(network, lambda network, statistics: self.evaluate(network, statistics, "test"),
                                 ((x, lengths) for x, _, lengths in self.pieces("train")))

    def report(self, network, result):
        """Lines that tell what was learned; result as for result.json."""
        labels, guesses = self.parts["test"][1], self.answers(network).argmax(axis=1)
        right = int(np.sum(guesses == labels))
        yield f"test accuracy {right / len(labels):.2%} ({right} of {len(labels)} {self.unit})"
        for name, value in result.items():
            if name.startswith("test_accuracy_"):
                yield f"  by statistics of the {name.split('_')[-1]} {value:.2%}"
        names = self.names or [str(k) for k in range(self.K)]
        yield "confusion, a row for each true class, a column for each answer"
        confusion = np.zeros((self.K, self.K), int)
        np.add.at(confusion, (labels, guesses), 1)
        wide, high = max(map(len, names)), max(3, len(str(confusion.max())))
        if self.K <= 20:
            yield " " * (wide + 3) + "".join(f"{k:{high + 1}}" for k in range(self.K))
            for k, counts in enumerate(confusion):
                yield f"  {names[k]:>{wide}} " + "".join(f"{n or '.':>{high + 1}}" for n in counts)


class Digits(Classification):
    """Say which digit was read, pixel by pixel (T = 64)."""

    unit = "images"

    @staticmethod
    def defaults(model, length):
        return dict(layers=3, hidden=16 if model == "dense" else 128, steps=6000, batch=32, rate=3e-3)

    def load(self):
        return {name: (x.transpose(1, 0, 2), labels) for name, (x, labels)
                in load_digits(rows=self.settings.task == "digits-rows").items()}


class DigitsByRows(Digits):
    """The same images, one row a step (T = 8): an eighth of the length, and a recipe of its own."""

    @staticmethod
    def defaults(model, length):
        return Digits.defaults(model, length) | dict(steps=4000, batch=16, rate=5e-3)


class SequentialMNIST(Classification):
    """Say which digit was read, one of 784 pixels a step; the settings of arXiv 1910.06251, section 5, and of the
    authors' code: an evaluation every 1700 steps, the rate divided by 10 at each plateau."""

    unit, source, starts = "images", MNIST, dict(W=kaiming(8), readout=scaled(2**0.5))
    DENSE = dict(first=0.2, bottleneck=0.1, dense=0.2, transition=0.1, last=0.1)

    @staticmethod
    def defaults(model, length):
        usual = dict(hidden=128, steps=10**6, batch=32, rate=2e-4, plateau=100, gamma=5.0, decay=1e-4)
        if model in BASELINES:
            return usual | dict(layers=1, decay=0.0, rate=1e-3 if model in ("lstm", "gru") else 2e-4)
        deep = {"indrnn": dict(layers=6, dropout=0.1), "residual": dict(layers=5, dropout=0.1),
                "dense": dict(layers=[8, 6, 4], hidden=16, dropout=SequentialMNIST.DENSE)}[model]
        return usual | dict(norm="after") | deep

    def load(self):
        parts = load_images(self.source, [self.settings.seed, SPLIT], self.settings.data or None)
        if self.settings.task == "pmnist":
            order = np.random.default_rng([self.settings.seed, SPLIT, 1]).permutation(784)
            parts = {name: (x[:, order], labels) for name, (x, labels) in parts.items()}
        return parts

    def every(self):
        return 1700

    def scale(self, x):
        return (x / np.float32(128) - np.float32(1))


class PermutedMNIST(SequentialMNIST):
    """The same with the pixels in another order, drawn once from the seed: what was near is far apart."""


class Fashion(SequentialMNIST):
    """Say which article of clothing was read, pixel by pixel."""

    source, names = FASHION, ARTICLES


class Motion(Classification):
    """Say which exercise a person does whom the network has never seen, from windows of 4 seconds (T = 200) or, with
    length 0, from whole recordings."""

    length, unit, names = 200, "recordings or windows of them", EXERCISES

    @staticmethod
    def defaults(model, length):
        usual = dict(hidden=128, steps=2000, batch=32, rate=1e-3)
        if model in BASELINES:
            return usual | dict(layers=1)
        deep = {"indrnn": dict(layers=4), "residual": dict(layers=3), "dense": dict(layers=3, hidden=12)}[model]
        return usual | dict(norm="after", dropout=0.2, decay=1e-4) | deep

    def load(self):
        return load_motion(self.settings.fold, self.settings.length, self.settings.data or None)


class Own(Classification):
    """Say which class a sequence of an .npz file is of: see `data.own`. Each channel is brought to mean 0 and deviation
    1 by what the training sequences hold."""

    @staticmethod
    def defaults(model, length):
        return Motion.defaults(model, length)

    def load(self):
        parts = load_own(self.settings.data, [self.settings.seed, SPLIT])
        x, _, lengths = parts["train"]
        valid = x[np.arange(x.shape[1]) < lengths[:, np.newaxis]].astype(np.float64)
        self.mean, self.deviation = valid.mean(axis=0), valid.std(axis=0)
        if not self.deviation.any():
            raise DataError(f"{self.settings.data}: X: expected numbers that differ, got the same one everywhere")
        return parts

    def scale(self, x):
        return ((x - self.mean) / np.where(self.deviation > 0, self.deviation, 1)).astype(np.float32)
