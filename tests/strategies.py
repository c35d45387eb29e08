"""What the property tests draw: sizes, options and a seed. Values come from the seed: numbers drawn one by one
love 0.0, which is relu's kink, and a small size is a better counterexample than a small number.
And what tests of several rooms are made on: arrays, networks, a file."""
import numpy as np
from hypothesis import strategies as st

from minindrnn import Chain, Dropout, IndRNN, LanguageModel, Linear, StackedIndRNN
from minindrnn.gpu.recurrence import AHEAD
from minindrnn.ops.activations import KIND

seeds = st.integers(0, 2**32 - 1)


@st.composite
def recurrences(draw, dtypes=(np.float32, np.float64)):
    """a, u, h0, options, dh: a whole problem for the recurrence. |u| may exceed 1; some T are whole passes of the CUDA
    kernels."""
    T = draw(st.integers(1, 14) | st.sampled_from([AHEAD, AHEAD + 1, 2 * AHEAD]))
    B, N = draw(st.integers(1, 4)), draw(st.integers(1, 9))
    dtype, rng = draw(st.sampled_from(dtypes)), np.random.default_rng(draw(seeds))
    lengths = draw(st.none() | st.lists(st.integers(1, T), min_size=B, max_size=B))
    h0 = draw(st.booleans())
    a, dh = rng.normal(size=(2, T, B, N)).astype(dtype)
    return (a, rng.uniform(-1.2, 1.2, N).astype(dtype), rng.normal(size=(B, N)).astype(dtype) if h0 else None,
            {"activation": draw(st.sampled_from(sorted(KIND))), "lengths": lengths}, dh)


def f32(*shape, rng):
    return rng.normal(size=shape).astype(np.float32)


def small_network():
    return StackedIndRNN(2, 4, 2, 1, np.random.default_rng(0), length=9, dtype=np.float64)


def small_model(rng, **options):
    body = Chain([Dropout(0.1), IndRNN(6, 5, rng, norm="before", norm_options={"length": 9}), Linear(5, 6, rng)])
    return LanguageModel(7, 6, body, rng, width=0.5, **options)


def ragged_file(path, n=60):
    """Sequences of one's own, 2 to 6 steps, in three classes; returns the path."""
    rng = np.random.default_rng(1)
    lengths = rng.integers(2, 7, n)
    X = rng.normal([5, -300], [2, 40], (n, 6, 2))
    X[np.arange(6) >= lengths[:, np.newaxis]] = 1e6                    # padding: not to be counted
    X[:, :, 0] += np.arange(n)[:, np.newaxis]                          # so that the parts differ
    np.savez(path, X=X, y=np.arange(n) % 3, lengths=lengths)
    return str(path)
