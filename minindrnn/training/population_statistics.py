"""Population statistics: batch normalisation by statistics of a whole pass over the training data.

Running statistics forget: they cover the last few dozen batches, while the parameters changed. Early in training they
are erratic. A pass with fixed parameters gives, for each channel, the mean over all batches of the batch's mean
and of its unbiased variance. Source: Ioffe and Szegedy, arXiv 1502.03167, algorithm 2.
"""
from contextlib import contextmanager

from ..core.layer import leaves
from ..core.ranks import ALONE


@contextmanager
def population_statistics(network, batches):
    """Within the context, statistics="running" means those of the batches, x (T, B, M) or tuples of x, lengths and, if
    it is the part of one rank, ranks; then the old ones again.

    Dropout is off, every batch has the same weight, however many sequences it holds. ValueError if there are none.
    """
    kept = [(buffer, buffer.copy()) for _, buffer in leaves(network.buffers)]
    try:
        for _, buffer in leaves(network.buffers):
            if buffer.dtype.kind == "i":                 # the counts of updates; statistics are not whole numbers
                buffer[...] = 0
        count = 0
        for batch in batches:
            count += 1
            x, lengths, ranks = (*batch, ALONE)[:3] if isinstance(batch, tuple) else (batch, None, ALONE)
            _, cache = network.forward(x, lengths=lengths, statistics="batch", ranks=ranks)
            network.absorb(cache, average=True)
        if not count:
            raise ValueError("batches: expected at least one, got none")
        yield network
    finally:
        for buffer, before in kept:
            buffer[...] = before
