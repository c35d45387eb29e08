"""Tasks that ask for one of K classes after a whole sequence: what they have in common.

The parts hold sequences first, x (n, T) or (n, T, M), in the units and the type they came in; a batch becomes
x (T, B, M) float32, scaled. What that takes is `seen` and kept with a run, so that it can answer without its data.
"""
import numpy as np
from scipy.special import softmax

from ..core.ranks import ALONE
from ..data.download import DataError
from ..data.user_file import load_input
from ..ops.losses import cross_entropy
from .models import build, weights
from .settings import BATCH
from .task import Task, answer, by_all_statistics, expect_finite

TOGETHER = 80_000        # steps of all sequences that are evaluated at once


class Classification(Task):
    """A task says where the parts come from (`load`), and the settings that work."""

    unit, names, loss = "sequences", None, staticmethod(cross_entropy)
    limits = None            # smallest and largest number of x, where all sequences are of one length too
    initialisers = {}        # of the network, where they are not the usual ones: W, readout

    def __init__(self, settings, seen=None):
        """seen   what a run has seen, to use what it learned; without it the data is loaded."""
        self.settings, self.parts = settings, {}
        if seen is None:
            self.parts = {name: (*part, None)[:3] for name, part in self.load().items()}
            seen = self.look()
        self.seen = seen
        self.T, self.M, self.K = (seen[name] for name in "TMK")

    def look(self):
        """What the network depends on: T steps, M numbers a step, K classes."""
        x, _, _ = self.parts["train"]
        return {"T": x.shape[1], "M": x.shape[2] if x.ndim == 3 else 1,
                "K": max(int(labels.max()) for _, labels, _ in self.parts.values()) + 1}

    def network(self, rng):
        s = self.settings
        return build(s, self.M, self.K, self.T, rng, **{"W": weights(s, 0.02)} | self.initialisers)

    def take(self, part, chosen, ranks=ALONE):
        """x (T, B, M) float32, labels (B,), lengths (B,) or None, of the chosen sequences of the part; of the ranks
        that share these, what this one has, with the T of all."""
        lengths = self.parts[part][2]
        T, own = None if lengths is None else lengths[chosen].max(), chosen[ranks.part]
        x, labels, lengths = (array if array is None else array[own] for array in self.parts[part])
        x = (x[:, :, np.newaxis] if x.ndim == 2 else x).transpose(1, 0, 2)[:T]
        return self.scale(np.ascontiguousarray(x)), labels, lengths

    def arrange(self, x):
        """x (n, T) or (n, T, M), with the steps in the order in which they are read."""
        return x

    def scale(self, x):
        """What the network sees of x (T, B, M)."""
        return x

    def batch(self, update):
        """Each epoch goes through all training sequences, in an order of its own."""
        s = self.settings
        epoch, place = divmod(update, self.epoch())
        order = np.random.default_rng([s.seed, BATCH, epoch]).permutation(len(self.parts["train"][1]))
        chosen = order[place * s.batch:][:s.batch]
        return self.take("train", chosen, self.ranks.of(len(chosen)))

    def sequences(self, update):
        begin = update % self.epoch() * self.settings.batch
        return min(self.settings.batch, len(self.parts["train"][1]) - begin)

    def epoch(self):
        """How many batches hold all training sequences once."""
        return -(-len(self.parts["train"][1]) // self.settings.batch)

    def pieces(self, part):
        """x, lengths and ranks of the whole part, some sequences at a time."""
        n, T = self.parts[part][0].shape[:2]
        at_most = max(1, TOGETHER // T)
        for i in range(0, n, at_most):
            chosen = np.arange(i, min(i + at_most, n))
            ranks = self.ranks.of(len(chosen))
            x, _, lengths = self.take(part, chosen, ranks)
            yield x, lengths, ranks

    def answers(self, network, statistics="running", part="test"):
        """y (n, K) for every sequence of the part."""
        return np.concatenate([answer(network, x, ranks, lengths=lengths, statistics=statistics)
                               for x, lengths, ranks in self.pieces(part)])

    def evaluate(self, network, statistics="running", part="validation"):
        """Loss and accuracy over all sequences of the part, each counted once; what is not finite is a wrong answer."""
        y, labels = self.answers(network, statistics, part), self.parts[part][1]
        right = (y.argmax(axis=1) == labels) & np.isfinite(y).all(axis=1)
        return {f"{part}_loss": cross_entropy(y, labels)[0], f"{part}_accuracy": float(np.mean(right))}

    def result(self, network):
        """{name: number} for result.json."""
        return by_all_statistics(network, lambda network, statistics: self.evaluate(network, statistics, "test"),
                                 ((x, lengths, self.ranks.of(self.sequences(update)))
                                  for update in range(self.epoch()) for x, _, lengths in [self.batch(update)]))

    def called(self):
        """The names of the classes."""
        return self.names or [str(k) for k in range(self.K)]

    def confusion(self, network):
        """How many test sequences (K, K): a row for each true class, a column for each answer. DataError for an answer
        that is not finite."""
        counts, y = np.zeros((self.K, self.K), int), self.answers(network)
        expect_finite("test", y)
        np.add.at(counts, (self.parts["test"][1], y.argmax(axis=1)), 1)
        return counts

    def report(self, network, result):
        """Lines that tell what was learned; result as for result.json."""
        accuracy, n = result["test_accuracy"], len(self.parts["test"][1])
        yield f"test accuracy {accuracy:.2%} ({round(n * accuracy)} of {n} {self.unit})"
        for name, value in result.items():
            if name.startswith("test_accuracy_"):
                yield f"  by statistics of the {name.split('_')[-1]} {value:.2%}"
        if self.K <= 20:
            try:
                counts = self.confusion(network)
            except DataError as error:
                yield f"no confusion: {error}"
                return
            yield "confusion, a row for each true class, a column for each answer"
            wide, high = max(map(len, self.called())), max(3, len(str(counts.max())))
            yield " " * (wide + 3) + "".join(f"{k:{high + 1}}" for k in range(self.K))
            for name, row in zip(self.called(), counts):
                yield f"  {name:>{wide}} " + "".join(f"{n or '.':>{high + 1}}" for n in row)

    def predict(self, network, path):
        """Lines that tell the class of every sequence in a file, and its probability; where the file has y, what is
        wrong, and the accuracy. X is in the units of the task's data. DataError if the file does not fit."""
        X, lengths, y = load_input(path, self.M)
        n = len(X)
        if self.limits:
            low, high = self.limits
            for length in lengths[lengths != self.T]:
                raise DataError(f"{path}: X: expected {self.T} steps of each sequence, got {length}")
            if X.min() < low or X.max() > high:
                raise DataError(f"{path}: X: expected numbers from {low} to {high}, got {X.min():g} to {X.max():g}")
        for k in () if y is None else y[~np.isin(y, np.arange(self.K))]:
            raise DataError(f"{path}: y: expected classes 0 to {self.K - 1}, got {k}")
        if network.bound is not None and lengths.max() > self.T:
            yield f"note: up to {lengths.max()} steps, more than the {self.T} that |u| is bounded for"
        self.parts["input"] = self.arrange(X), None, lengths
        found = self.answers(network, part="input").astype(np.float64)
        expect_finite(f"{path}: X", found)
        p = softmax(found, axis=1)
        names, guesses = self.called(), p.argmax(axis=1)
        wide = max(map(len, names))
        for i, k in enumerate(guesses):
            wrong = "" if y is None or y[i] == k else f"   wrong: {names[int(y[i])]}"
            yield f"{i:>6}  {names[k]:<{wide}}  {p[i, k]:6.1%}{wrong}"
        if y is not None:
            right = int(np.sum(guesses == y))
            yield f"accuracy {right / n:.2%} ({right} of {n})"


class Standardised(Classification):
    """Each number of a step is brought to mean 0 and deviation 1, by what the training sequences hold."""

    usual = dict(hidden=128, updates=2000, batch=32, rate=1e-3)
    of_indrnn = dict(layers=4, norm="after", dropout=0.1, decay=1e-4)
    of_baseline = dict(layers=1)
    of_model = {"residual": dict(layers=3), "dense": dict(layers=3, hidden=12)}

    def look(self):
        x, _, lengths = self.parts["train"]
        valid = x[np.arange(x.shape[1]) < lengths[:, np.newaxis]].astype(np.float64)
        mean, deviation = valid.mean(axis=0), valid.std(axis=0)
        deviation[deviation < 1e-12 * np.abs(mean)] = 0                # the same number everywhere, but for rounding
        if not deviation.any():
            raise DataError(f"{self.settings.data}: X: expected numbers that differ, got the same ones at every step")
        return super().look() | {"mean": mean.tolist(), "deviation": deviation.tolist()}

    def scale(self, x):
        mean, deviation = np.array(self.seen["mean"]), np.array(self.seen["deviation"])
        with np.errstate(over="ignore"):             # what is too large for float32 becomes infinite
            return ((x - mean) / np.where(deviation > 0, deviation, 1)).astype(np.float32)
