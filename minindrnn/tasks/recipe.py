"""What all experiments share: the settings of a run, the network they ask for, the run, and how it is looked at."""
import hashlib
import math
import os
from dataclasses import asdict, dataclass

import numpy as np

from ..core.layer import count, leaves
from ..networks.combinators import AtLastStep, Chain
from ..networks.dense import DenseIndRNN
from ..networks.residual import ResidualIndRNN
from ..networks.stacked import StackedIndRNN
from ..ops.gru import GRU
from ..ops.linear import Linear, normal, scaled
from ..ops.lstm import LSTM
from ..ops.rnn import RNN
from ..training.optim import Adam
from ..training.population_statistics import population_statistics
from ..training.run import Run
from ..training.schedules import Plateau, cosine

# What a generator is for: it is seeded with [seed, purpose, number]. Zeros at the end of such a list do not count.
NETWORK, BATCH, EVALUATION, NOISE, SPLIT = range(5)


@dataclass(frozen=True)
class Settings:
    """What defines a run; the defaults are those of the experiment of its task."""
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
    fold: int = 0
    data: str = ""


BASELINES = {"rnn": (RNN, {}), "irnn": (RNN, dict(activation="relu", U="identity")), "lstm": (LSTM, {}),
             "gru": (GRU, {})}
MODELS = ("indrnn", "residual", "dense", *BASELINES)


def build(s, inputs, outputs, T, rng, W, readout=scaled()):
    """The network of the settings. W is where the weights of relu networks start, readout those of the last map; the
    other baselines start at 1 / sqrt(inputs)."""
    if s.model in BASELINES:
        layer, options = BASELINES[s.model]
        widths = [inputs] + [s.hidden] * (s.layers - 1)
        return Chain([layer(M, s.hidden, rng, W=W if s.model == "irnn" else scaled(), **options) for M in widths]
                     + [AtLastStep(Linear(s.hidden, outputs, rng))])
    options = dict(steps=T, gamma=s.gamma, norm=None if s.norm == "none" else s.norm, dropout=s.dropout,
                   readout=readout)
    if s.model == "residual":
        return ResidualIndRNN(inputs, s.hidden, s.layers, outputs, rng, W=W, **options)
    if s.model == "dense":
        blocks = s.layers if isinstance(s.layers, list) else [s.layers] * 3
        return DenseIndRNN(inputs, s.hidden, blocks, outputs, rng, W=W, **options)
    return StackedIndRNN(inputs, s.hidden, s.layers, outputs, rng, W=W, **options)


def weights(s, std):
    """Where W starts: normal, of that deviation, in stacks of relu units where nothing but W sets the scale; elsewhere
    1 / sqrt(inputs)."""
    plain = s.model in ("indrnn", "irnn") and s.norm == "none"
    return normal(std) if plain else scaled()


def schedule(s, metric, larger, factor=0.1):
    """That of the settings: Plateau, or a cosine after a tenth of warm-up."""
    if s.plateau:
        return Plateau(s.rate, metric=metric, larger=larger, factor=factor, patience=s.plateau)
    return cosine(s.rate, steps=s.steps, warmup=max(1, s.steps // 10))


def initial(experiment):
    """The network of an experiment before the first step."""
    return experiment.network(np.random.default_rng([experiment.settings.seed, NETWORK]))


def prepare(experiment, folder, loss, schedule, *, every, **more):
    """The `Run` of an experiment in a folder, by the papers' recipe: Adam, gradients clamped to +-10, |u| projected.

    every, more   as for `Run`: steps from one evaluation to the next, and what is not the same for all
    """
    expect_memory(experiment)
    s, network = experiment.settings, initial(experiment)
    return Run(folder, network=network, loss=loss, optimiser=Adam(network.parameters, decay=s.decay), schedule=schedule,
               batch=experiment.batch, evaluate=experiment.evaluate, steps=s.steps, every=every,
               noise=lambda step: np.random.default_rng([s.seed, NOISE, step]),
               options=dict(bound=network.bound, penalty=s.penalty), **dict(config=asdict(s)) | more)


def expect_memory(experiment):
    """MemoryError if the least that training holds at once is more than the memory of this machine, which would end the
    process without a word: parameters, gradients and Adam's two averages, and h at every step of a batch."""
    parameters = experiment.network(None).parameters
    T, B = experiment.batch(0)[0].shape[:2]
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
