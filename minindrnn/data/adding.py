"""The adding problem: two numbers to remember among T.

At every step the network sees a number from U(0, 1) and a mark, 1 at two steps and 0 elsewhere; one mark lies in
the first half, one in the second. At the end it must output the sum of the two marked numbers. Always answering 1,
the mean, gives a mean squared error of 1/6: a lower error requires memory.
Source: Li et al., arXiv 1803.04831, section 5.1.
"""
import numpy as np

from ..core.expect import expect_count, expect_generator


def adding_problem(T, B, rng, dtype=np.float32):
    """B fresh sequences of T >= 2 steps  ->  x (T, B, 2), target (B, 1).

    >>> x, target = adding_problem(10, 3, np.random.default_rng(0))
    >>> bool(np.allclose((x[:, :, 0] * x[:, :, 1]).sum(axis=0), target[:, 0]))
    True
    """
    expect_count("T", T, 2)
    expect_count("B", B)
    expect_generator(rng)
    half, b = T // 2, np.arange(B)
    x = np.zeros((T, B, 2), dtype)
    x[:, :, 0] = rng.random((T, B), dtype)
    first, second = rng.integers(0, half, B), rng.integers(half, 2 * half, B)
    x[first, b, 1] = x[second, b, 1] = 1
    return x, (x[first, b, 0] + x[second, b, 0])[:, np.newaxis]
