"""How much faster ranks are than one process, and what limits them.

    mpiexec -n 2 python -m minindrnn bench ranks

In turn, in one program: rank 0 alone, with as many threads for its products as there are ranks, while the others sleep;
and all ranks together, a thread each. Then the same beside busy programs, one for each rank.
"""
import math
import subprocess
import sys
import time
from contextlib import contextmanager
from functools import partial

import numpy as np
from threadpoolctl import ThreadpoolController

from ..core.mpi import world
from ..core.ranks import ALONE
from ..networks import papers
from ..networks.residual import ResidualIndRNN
from ..networks.stacked import StackedIndRNN
from ..ops.losses import cross_entropy
from ..training.optim import Adam
from ..training.step import train_step
from .timing import interleaved, row


def stacked(T, layers, rng, **options):
    return StackedIndRNN(1, 128, layers, 10, rng, length=T, **options)


B = 32
# name: T, network
UPDATES = {"6 layers of 128": (784, partial(stacked, 784, 6)),
           "6 layers of 128, batch normalisation, dropout": (784, partial(stacked, 784, 6, norm="after", dropout=0.1)),
           "the papers' residual network": (784, papers.ARCHITECTURES["mnist-res"]),
           "the papers' dense network": (784, papers.ARCHITECTURES["mnist-dense"]),
           "digits": (64, partial(ResidualIndRNN, 1, 128, 3, 10, length=64, norm="after"))}
BUSY = list(UPDATES)[:2]                  # those that are measured beside other programs, too
LONGEST = 300                             # seconds that a busy program lives, should nobody end it
BYTES = 4 * 86_410                        # of the gradients of the second one


def ranks():
    """Two ranks, or more, over one process with as many threads: updates of 32 sequences, in turn."""
    here = world()
    quiet = {}
    for name in UPDATES:
        quiet[name] = seconds = compared(here, name)
        yield from rows(here, name, seconds)
    with busy_programs(here):
        for name in BUSY:
            seconds = compared(here, name, rounds=7)
            yield from rows(here, f"{name}, beside {here.size} busy programs", seconds)
            for who, times in seconds.items():
                yield row(f"{name}, {who}: beside them over quiet", np.median(times) / np.median(quiet[name][who]), "x")
    for what, size in (("of one number", 1), ("of the gradients of 6 layers of 128", BYTES // 4)):
        array = np.zeros(size, np.float32)
        seconds = interleaved({"sum": lambda array=array: here.sum(array)}, rounds=50, clock=partial(together, here))
        yield row(f"sum over {here.size} ranks {what}", 1e6 * seconds["sum"], "us", 1)


def rows(here, name, seconds):
    one, many = seconds.values()
    yield row(f"{name}: one process, {here.size} threads", 1e3 * one, "ms", 1)
    yield row(f"{name}: {here.size} ranks", 1e3 * many, "ms", 1)
    yield row(f"{name}: one process over {here.size} ranks", one / many, "x")


def compared(here, name, rounds=15):
    """Seconds of an update, of one process and of all ranks, as rank 0 sees them."""
    alone, shared = update(ALONE, name), update(here, name)
    library = ThreadpoolController()

    def one():
        if here.rank == 0:
            with library.limit(limits=here.size, user_api="blas"):
                alone()
    return interleaved({"one process": one, "ranks": shared}, rounds=rounds, untimed=1, clock=partial(together, here))


def update(here, name):
    """An update as a user runs it: forward, loss, backward, the exchange, clip, Adam, projection."""
    T, made = UPDATES[name]
    network, share, rng = made(np.random.default_rng(0)), here.of(B), np.random.default_rng(1)
    x, labels = rng.normal(size=(T, B, 1)).astype(np.float32), rng.integers(0, 10, B)
    return partial(train_step, network, cross_entropy, Adam(network.parameters), np.ascontiguousarray(x[:, share.part]),
                   labels[share.part], 1e-4, rng=np.random.default_rng(2), bound=network.bound, ranks=share)


def together(here, function):
    """Seconds of one call, from when all ranks have come to it."""
    here.any(False)
    began = time.perf_counter()
    function()
    return time.perf_counter() - began


@contextmanager
def busy_programs(here):
    """While active, a program for each rank that does nothing, without a rest, for some minutes at most."""
    idle = f"import time; end = time.time() + {LONGEST}\nwhile time.time() < end: pass"
    programs = [subprocess.Popen([sys.executable, "-c", idle]) for _ in range(here.size * (here.rank == 0))]
    try:
        yield
    finally:
        for program in programs:
            program.kill()
            program.wait()


def model(R, *, seconds, exchanges, small, gradients, latency, bandwidth):
    """Seconds of an update of R ranks, each of which has as many sequences as one process takes so many seconds for.

    exchanges   how many sums there are, each 2 log2(R) messages deep
    small       bytes that a rank sends to each other one in batch statistics
    gradients   bytes of the gradients, of which 2 (R - 1) / R times as many move
    latency, bandwidth   seconds of a message, bytes a second
    """
    moved = (R - 1) * small + 2 * (R - 1) / R * gradients
    return seconds + exchanges * 2 * math.log2(R) * latency + moved / bandwidth
