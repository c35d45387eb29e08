"""The learning rate over the updates.

`staircase` and `cosine` depend on the number of the update alone; `Plateau` depends on the validation results.
"""
import math

import numpy as np

from ..core.expect import expect_count, expect_number


def staircase(rate, *, every, factor=0.1):
    """update -> rate, multiplied by factor after every `every` updates (the adding problem: every 20 100, by 1/10).

    >>> at = staircase(1.0, every=100)
    >>> at(0), at(99), at(100)
    (1.0, 1.0, 0.1)
    """
    expect_number("rate", rate, 0)
    expect_count("every", every)
    return lambda update: rate * factor ** (update // every)


def cosine(rate, *, updates, warmup):
    """update -> rate: up in a straight line over the warm-up, then down to 0 along half a cosine, and 0 after that.

    >>> at = cosine(1.0, updates=100, warmup=10)
    >>> at(0), at(9), round(at(55), 9), round(at(100), 9)
    (0.1, 1.0, 0.5, 0.0)
    """
    expect_number("rate", rate, 0)
    expect_count("updates", updates)
    expect_number("warmup", warmup, 1, updates)

    def at(update):
        if update < warmup:
            return rate * (update + 1) / warmup
        if update >= updates:
            return 0.0
        return rate * (1 + math.cos(math.pi * (update - warmup) / (updates - warmup))) / 2

    return at


class Plateau:
    """The papers' schedule: once the validation has stopped improving, go back to the best and go on at a lower rate.

    rate, factor    the rate is multiplied by factor at each plateau
    patience        P: in phase r = 1, 2, 4, ... a plateau is an evaluation that is not the best so far, after more than
                    int(P / r + 1/2) others in a row that were not
    smallest        training is over when the rate is smaller
    metric, larger  the name of the number that is watched, and whether larger is better

    `watch` names the arrays that are kept with the best evaluation and put back at a plateau: parameters, buffers and
    the optimiser's. Source: the authors' code, where the factor is 1/10 for classes and 1/5 for texts; arXiv
    1910.06251, section 5 (there patience 100 and factor 1/5).

    >>> weights = np.zeros(1)
    >>> schedule = Plateau(1.0, metric="accuracy", patience=1)
    >>> schedule.watch({"W": weights})
    >>> for accuracy in (0.5, 0.6, 0.6, 0.6, 0.6):
    ...     weights += 1
    ...     schedule.observe({"accuracy": accuracy})
    >>> schedule(update=5), weights
    (0.1, array([2.]))
    """

    def __init__(self, rate, *, metric, larger=True, factor=0.1, patience=100, smallest=1e-6):
        expect_number("rate", rate, 0)
        expect_number("factor", factor, 0, 1)
        expect_count("patience", patience)
        expect_number("rate, when training begins", rate, smallest)
        self.metric, self.sign, self.factor, self.patience, self.smallest = (metric, 1 if larger else -1, factor,
                                                                              patience, smallest)
        self.rate, self.best, self.waited, self.phase = (np.array(number) for number in (float(rate), -np.inf, 0, 1))
        self.watched, self.kept = {}, {}

    def __call__(self, update):
        return float(self.rate)

    def watch(self, arrays):
        """Keep, and later put back, these {name: array}."""
        self.watched, self.kept = arrays, {name: array.copy() for name, array in arrays.items()}

    def observe(self, row):
        """Take note of an evaluation, {name: number}."""
        value = self.sign * row[self.metric]
        if value > self.best:
            self.best[...], self.waited[...] = value, 0
            for name, array in self.watched.items():
                self.kept[name][...] = array
        elif self.waited > int(self.patience / self.phase + 0.5):
            self.back_to_the_best()
            self.rate *= self.factor
            self.phase *= 2
            self.waited[...] = 0
        else:
            self.waited += 1

    def back_to_the_best(self):
        for name, array in self.watched.items():
            array[...] = self.kept[name]

    @property
    def over(self):
        return self.rate < self.smallest

    def state(self):
        """{name: array}, the arrays themselves: to be saved, or written into."""
        return ({"rate": self.rate, "best": self.best, "waited": self.waited, "phase": self.phase}
                | {f"kept.{name}": array for name, array in self.kept.items()})
