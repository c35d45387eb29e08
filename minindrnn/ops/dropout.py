"""Dropout with one mask for the whole sequence.

    F1  y[t, b, n] = x[t, b, n] * mask[b, n]         mask = 0 with probability p, else 1 / (1 - p)
    B1  dx         = dy * mask

A dropped neuron is dropped at every step of the sequence, so that its memory is either whole or absent. Dropout acts on
the input of the next layer, never on u * h. Source: arXiv 1910.06251, section 5; the factor keeps the mean.

The generator gives one seed. The seed and the number b * N + n alone decide, in integers, whether a neuron is dropped,
so that a CPU and a GPU drop the same ones.
"""
from typing import NamedTuple

import numpy as np

from ..core.expect import expect, expect_generator, expect_number
from ..core.layer import Layer, expect_known
from ..core.padding import without_padding
from ..core.ranks import ALONE


class Cache(NamedTuple):
    """mask (B, N), or None without dropout."""
    mask: np.ndarray | None
    lengths: np.ndarray | None


def dropout_forward(x, p, rng, *, lengths=None, ranks=ALONE):
    """x (T, B, N), 0 <= p < 1, a `numpy.random.Generator` or None for no dropout  ->  y (T, B, N), cache.

    lengths   (B,) integers in 1..T: later steps of a sequence are not read, and give y = 0
    ranks     the ranks that share the batch: the mask is this rank's part of the batch's mask

    x and y are float32 or float64. Raises TypeError or ValueError naming the argument.

    >>> y, cache = dropout_forward(np.ones((2, 1, 4)), 0.5, np.random.default_rng(6))
    >>> y[0].tolist(), y[1].tolist()
    ([[0.0, 0.0, 2.0, 2.0]], [[0.0, 0.0, 2.0, 2.0]])
    """
    expect("x", x, "TBN")
    expect_number("p", p, 0, np.nextafter(1, 0))
    x, mask = without_padding(x, lengths), draw(x.shape[1:], p, rng, x.dtype, ranks.first)
    return x if mask is None else x * mask, Cache(mask, lengths)                         # F1


def dropout_backward(dy, cache):
    """dy (T, B, N), cache  ->  dx (T, B, N)."""
    mask, lengths = cache
    expect("dy", dy, "TBN", like=None if mask is None else ("mask", mask, "BN"))
    dy = without_padding(dy, lengths)
    return dy if mask is None else dy * mask                                             # B1


def draw(shape, p, rng, dtype, first=0):
    """The mask (B, N) of the sequences from number first on; None without dropout."""
    expect_generator(rng, none=True)
    if rng is None or p == 0:
        return None
    seed, threshold, whole = chances(p, rng, dtype)
    i = np.arange(first * shape[1], (first + shape[0]) * shape[1], dtype=np.uint64).reshape(shape)
    return np.where(splitmix64(seed, i) >> 11 < threshold, dtype.type(0), whole)


def chances(p, rng, dtype):
    """A seed, the first number of 53 bits that keeps a neuron, and the factor of a kept neuron."""
    return rng.integers(2**64, dtype=np.uint64), np.uint64(p * 2**53), dtype.type(1) / dtype.type(1 - p)


def splitmix64(seed, i):
    """Number i of the generator that starts at the seed: 64 random bits; arrays of uint64, or numbers in a kernel.

    Source: Steele, Lea and Flood, Fast splittable pseudorandom number generators, OOPSLA 2014.
    """
    z = seed + (i + COUNT) * GOLDEN
    z = (z ^ z >> 30) * FIRST
    z = (z ^ z >> 27) * SECOND
    return z ^ z >> 31


COUNT, GOLDEN, FIRST, SECOND = map(np.uint64, (1, 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB))


class Dropout(Layer):
    """Drop each of the (B, N) elements with probability p, at all steps, when forward is given a generator."""

    def __init__(self, p):
        expect_number("p", p, 0, np.nextafter(1, 0))
        self.p = p

    def forward(self, x, state=None, *, rng=None, lengths=None, ranks=ALONE, **unused):
        expect_known(unused)
        return dropout_forward(x, self.p, rng, lengths=lengths, ranks=ranks)

    def backward(self, dy, cache, *, overwrite=False):
        return dropout_backward(dy, cache), {}
