"""What all tasks share: what a task says of itself, the network and the run of its settings, and how it is judged."""
import hashlib
import math
import os
from dataclasses import asdict

import numpy as np

from ..core.layer import count, leaves
from ..core.ranks import ALONE
from ..data.download import DataError
from ..training.optim import Adam
from ..training.population_statistics import population_statistics
from ..training.run import Run
from ..training.schedules import Plateau, cosine
from .models import MODELS
from .settings import ADDED, NETWORK, NOISE


class Task:
    """A task turns settings into a `Run`: a network, batches by the number of the update, an evaluation that counts
    each sample once.

    What a task says of itself, as attributes of its class:

    name         in settings and checkpoints
    word         in the command line; another one than the name where it is asked for in another way
    help         what is to be learned, for `train --help`
    takes        {command: those of its options that are for this task, though not for every one}
    refuses      {option: why it is not for this task}
    stands_for   {option without a value: the settings that it stands for}
    length       T, where it is not given; 0 where the data tells
    model        the one that is trained where none is named
    usual, of_indrnn, of_baseline, of_model    settings that work: of all models, of a kind of them, {model: its own}
    loss, metric, larger, factor               of training; what a `Plateau` watches, and what it does to the rate

    What it does besides: network, batch, evaluate and, of a trained network, result, report, predict.
    """

    name = word = help = ""
    takes, refuses, stands_for = {}, {}, {}
    length, model = 0, "indrnn"
    usual, of_indrnn, of_baseline, of_model = {}, {}, {}, {}
    metric, larger, factor = "validation_accuracy", True, 0.1
    starts = None                # as for `Run`
    ranks = ALONE                # that train and evaluate: batches are this rank's parts, evaluations those of all

    @classmethod
    def defaults(cls, model, length):
        """The settings that work for a model at a length."""
        kind = cls.of_baseline if MODELS[model].baseline else cls.of_indrnn
        return cls.usual | kind | cls.of_model.get(model, {})

    @property
    def label(self):
        """The name of its run folder, where none is given."""
        return self.name

    def initial(self):
        """The network before the first update."""
        return self.network(np.random.default_rng([self.settings.seed, NETWORK]))

    def sequences(self, update):
        """How many the batch of an update has, on all ranks together."""
        return self.settings.batch

    def every(self):
        """Updates from one evaluation to the next."""
        return max(1, self.settings.updates // 40)

    def config(self):
        """What defines the run, to be asked for again when it goes on."""
        return asdict(self.settings)

    def schedule(self):
        """That of the settings: Plateau, or a cosine after a tenth of warm-up."""
        s = self.settings
        if s.plateau:
            return Plateau(s.rate, metric=self.metric, larger=self.larger, factor=self.factor, patience=s.plateau)
        return cosine(s.rate, updates=s.updates, warmup=max(1, s.updates // 10))

    def run(self, folder):
        """The `Run` in a folder, by the papers' recipe: Adam, gradients clamped to +-10, |u| projected."""
        expect_memory(self)
        s, network = self.settings, self.initial()
        return Run(folder, config=self.config(), network=network, loss=self.loss,
                   optimiser=Adam(network.parameters, decay=s.decay), schedule=self.schedule(), batch=self.batch,
                   evaluate=self.evaluate, noise=lambda update: np.random.default_rng([s.seed, NOISE, update]),
                   updates=s.updates, every=self.every(), options=dict(bound=network.bound, penalty=s.penalty),
                   starts=self.starts, seen=self.seen, assumed=ADDED, ranks=self.ranks, sequences=self.sequences)

    def samples(self, network):
        """Lines of what the network says of itself; none, unless it is a language model."""
        return ()


def expect_memory(task):
    """MemoryError if the least that training holds at once is more than the memory of this machine, which would end the
    process without a word: parameters, gradients and Adam's two averages, and h at every step of a batch."""
    parameters = task.network(None).parameters
    T, B = task.batch(0)[0].shape[:2]
    neurons = sum(parameter.value.size for _, parameter in leaves(parameters) if parameter.role == "recurrent")
    needed = 4 * (4 * count(parameters) + T * B * neurons)
    if needed > (there := memory_here()):
        raise MemoryError(f"expected a network and a batch of at most {there / 1e9:.3g} GB, got {needed / 1e9:.3g} GB; "
                          "try smaller --hidden, --layers or --batch")


def memory_here():
    """Bytes of memory that this machine has; without limit where Python cannot tell, on Windows."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else math.inf


def fingerprint(*arrays):
    """SHA-256 of the arrays' numbers, by which a run knows its data again."""
    found = hashlib.sha256()
    for array in arrays:
        found.update(np.ascontiguousarray(array))
    return found.hexdigest()


def parts(x, at_most=100):
    """x (T, B, M), some sequences at a time."""
    return (np.ascontiguousarray(x[:, i:i + at_most]) for i in range(0, x.shape[1], at_most))


def answer(network, x, ranks, **how):
    """y (B, K) for the sequences of a batch, of which x (T, b, M) and how, keyword arguments of forward, are the part
    of this rank."""
    y, _ = network.forward(x, ranks=ranks, **how)
    return ranks.whole(y)


def predict(network, x, at_most=100, statistics="running", ranks=ALONE):
    """y (B, K) for all sequences of x (T, B, M), some at a time, of which each rank answers a part."""
    def answers():
        for part in parts(x, at_most):
            share = ranks.of(part.shape[1])
            yield answer(network, np.ascontiguousarray(part[:, share.part]), share, statistics=statistics)
    return np.concatenate(list(answers()))


def by_all_statistics(network, evaluate, batches):
    """evaluate(network, statistics) -> {name: number}, by the running averages and, if the network normalises its
    batches, by population statistics over the batches of training data, and by each test batch's own."""
    result = evaluate(network, "running")
    if any(True for _ in leaves(network.buffers)):
        with population_statistics(network, batches):
            result |= {f"{name}_population": value for name, value in evaluate(network, "running").items()}
        result |= {f"{name}_batch": value for name, value in evaluate(network, "batch").items()}
    return result


def expect_finite(where, y):
    """DataError if one of the answers y (n, K) is not finite: it would be taken for one of the classes."""
    for i in np.flatnonzero(~np.isfinite(y).all(axis=1)):
        raise DataError(f"{where}: expected numbers like those of the training, got a sequence, {i}, to which the "
                        "network's answer is not finite")
