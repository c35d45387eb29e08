"""How long a neuron remembers: the range of its recurrent weight.

A gradient that enters neuron n at step T reaches step t multiplied by u_n^(T-t) while the neuron is active
(relu' = 1). With gamma the largest useful factor and epsilon the smallest, over T steps:

    |u| <= gamma^(1/T)      nothing explodes: this bound is kept after every update
    |u| >= epsilon^(1/T)    the last layer still remembers the first step: its u starts in this range
    |u| =  1/2^(1/t)        the state has halved after t steps: the half-life t = ln(1/2) / ln|u|

Training has no lower bound: a neuron may learn u = 0, no memory.
Source: Li et al., arXiv 1910.06251, section 3 (ranges); half-life is ours.
"""
import numpy as np

from ..core.expect import expect, expect_number, expect_writable
from ..core.layer import leaves


def largest(T, gamma=2.0):
    """gamma^(1/T), the bound of |u| over T steps, of u (N,) in either dtype. ValueError for T or gamma below 1.

    >>> round(largest(100), 6), round(largest(5000), 6)
    (1.006956, 1.000139)
    """
    expect_number("T", T, 1)
    expect_number("gamma", gamma, 1)
    return gamma ** (1 / T)


def smallest(T, epsilon=0.5):
    """epsilon^(1/T), the smallest |u| that remembers over T steps, of u (N,) in either dtype. ValueError for T below 1
    and unless 0 < epsilon <= 1.

    >>> round(smallest(100), 6), round(smallest(5000), 6)
    (0.993092, 0.999861)
    """
    expect_number("T", T, 1)
    expect_number("epsilon", epsilon, np.finfo(np.float64).tiny, 1)
    return epsilon ** (1 / T)


def half_life(u):
    """u (N,), or of any shape  ->  time steps after which a state has halved, of the same shape, float64.

    0 for u = 0, infinite from |u| = 1 on. TypeError or ValueError if u does not hold numbers.

    >>> half_life(np.array([0.0, 0.5, 0.9, 1.0])).round(3).tolist()
    [0.0, 1.0, 6.579, inf]
    """
    size = np.abs(np.asarray(u, np.float64))
    with np.errstate(divide="ignore"):
        return np.where(size >= 1, np.inf, np.log(0.5) / np.minimum(np.log(size), -0.0))


def project(parameters, bound):
    """Clip every recurrent parameter of the tree to [-bound, bound], in place.

    Parameters are of any shape, (N,) for u, float32 or float64. ValueError, naming the path, for a read-only one, and
    for a negative bound. Source: arXiv 1910.06251, section 3, and the authors' code.
    """
    expect_number("bound", bound, 0)
    for path, parameter in leaves(parameters):
        if parameter.role == "recurrent":
            expect_writable(path, parameter.value)
            np.clip(parameter.value, -bound, bound, out=parameter.value)


def penalty(u, bound):
    """The soft alternative to `project`: u (N,)  ->  || max(0, |u| - bound) ||, and its gradient (N,).

    u and du are float32 or float64; the loss is a float. TypeError or ValueError naming the argument. The gradient is 0
    if no |u| is beyond the bound. Source: the gradient is derived here.

    >>> loss, du = penalty(np.array([0.5, 4.0, -5.0]), 1.0)
    >>> loss, du.tolist()
    (5.0, [0.0, 0.6, -0.8])
    """
    expect("u", u, "N")
    expect_number("bound", bound, 0)
    excess = np.maximum(np.abs(u) - bound, 0)
    norm = float(np.sqrt(np.sum(excess**2, dtype=np.float64)))
    return norm, (np.sign(u) * excess / norm if norm > 0 else np.zeros_like(u)).astype(u.dtype)
