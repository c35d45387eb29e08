"""Padding: the time steps after the end of a shorter sequence. They change nothing."""
import numpy as np

from .expect import expect_lengths


def without_padding(x, lengths, *, overwrite=False):
    """x (T, B, M) with zeros from each sequence's end on, even where padding held NaN. A copy of x unless it may be
    overwritten; x itself if lengths is None."""
    if lengths is None:
        return x
    T, B, _ = x.shape
    lengths, x = expect_lengths(lengths, T, B), x if overwrite else x.copy()
    for b in np.flatnonzero(lengths < T):
        x[lengths[b]:, b] = 0
    return x


def last_step(h, lengths):
    """h (T, B, N)  ->  (B, N): each sequence's last step."""
    T, B, _ = h.shape
    return h[expect_lengths(lengths, T, B) - 1, np.arange(B)]
