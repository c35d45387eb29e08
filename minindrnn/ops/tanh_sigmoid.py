"""tanh and sigmoid that the compiler can vectorise.

The C library computes one number at a time. The forms below are plain
arithmetic, so a compiled loop computes 4 or 8 at once. With  y = k ln 2 + r,  |r| <= ln(2) / 2,

    exp(y)   = 2^k exp(r)  = s p + s          s = 2^k, written directly into the exponent bits
    expm1(y) = exp(y) - 1  = s p + (s - 1)    p = expm1(r), its Taylor polynomial
    tanh(x)    = expm1(2x) / (expm1(2x) + 2)  for x >= 0, odd
    sigmoid(x) = 1 / (1 + exp(-x))            for x >= 0;  exp(x) / (1 + exp(x)) below

Exponent bits cannot express a subnormal number: for sigmoid, s is 2^64 times as large, and the product with 2^-64
rounds. Largest error: 2.5 units in the last place of either type for every x, also for subnormal results and for 0 at
minus infinity (tested on a dense grid). NaN stays NaN.
Outside compiled code the same names call `math.tanh` and `math.exp`.
"""
import math

import numpy as np
from numba import types
from numba.extending import overload

from ..core.jit import kernel


def tanh(x):
    """Hyperbolic tangent of one number."""
    return type(x)(math.tanh(x))


def sigmoid(x):
    """Logistic function 1 / (1 + exp(-x)) of one number."""
    e = math.exp(-abs(x))                         # at most 1: nothing overflows
    return type(x)((e if x < 0 else 1) / (1 + e))


def _reduction(real, integer, mantissa, bias, degree, ln2_high, ln2_low):
    """split(y) -> s, p  for one float type; constants have that type, or the result would be float64."""
    log2e, ln2_high, ln2_low = real(1 / math.log(2)), real(ln2_high), real(ln2_low)
    rounder = real(1.5 * 2.0**mantissa)            # adding it rounds to an integer, in the low bits
    taylor = tuple(real(1 / math.factorial(i)) for i in range(degree, 1, -1))

    def split(y):
        shifted = real(y * log2e + rounder)
        k = shifted - rounder
        r = (y - k * ln2_high) - k * ln2_low       # ln 2 in two parts: k times the first is exact
        p = taylor[0]
        for c in taylor[1:]:
            p = p * r + c
        p = p * r * r + r
        bits = integer((shifted.view(integer) << mantissa) + (bias << mantissa))
        return bits.view(real), p

    return kernel(split)


def _split32(raised=0):
    return _reduction(np.float32, np.int32, 23, 127 + raised, 7, 0.693359375, -2.12194440e-4)


def _split64(raised=0):
    return _reduction(np.float64, np.int64, 52, 1023 + raised, 13, 6.93147180369123816e-01, 1.90821492927058770e-10)


def _by_type(for32, for64):
    """The function that `overload` calls with the argument's type at compile time."""
    return lambda x: {types.float32: for32, types.float64: for64}.get(x)


def _tanh(split, real, saturated):
    split = split()
    one, two, zero, saturated = real(1), real(2), real(0), real(saturated)

    def tanh(x):
        y = abs(x)
        y = saturated if y > saturated else y      # in this order NaN passes
        s, p = split(y + y)
        e = s * p + (s - one)
        t = e / (e + two)
        return -t if x < zero else t

    return tanh


def _sigmoid(split, real, smallest):
    split, back = split(raised=64), real(2.0**-64)
    one, zero, smallest = real(1), real(0), real(smallest)

    def sigmoid(x):
        y = -abs(x)
        y = smallest if y < smallest else y
        s, p = split(y)
        e = (s * p + s) * back
        return (e if x < zero else one) / (one + e)

    return sigmoid


overload(tanh)(_by_type(_tanh(_split32, np.float32, 10), _tanh(_split64, np.float64, 20)))
overload(sigmoid)(_by_type(_sigmoid(_split32, np.float32, -104), _sigmoid(_split64, np.float64, -746)))
