"""The instructions of PTX that only compute, in NumPy: {name: function of arrays}, for ptx.py.

Fused multiply-adds are rounded once, as on the GPU. The functions that a GPU only approximates (ex2, lg2, rcp, rsqrt)
are computed to full precision: results agree to rounding there, not in every bit.
"""
from fractions import Fraction

import numpy as np


def to_odd(x, y):
    """x + y in float64, but where inexact the neighbour whose last bit is 1. Such a sum may be rounded once more, to a
    shorter number, without harm: it is never mistaken for the middle between two of them."""
    total = x + y
    part = total - x
    error = (x - (total - part)) + (y - part)                  # what the rounding lost, exactly
    even = (total.view(np.int64) & 1 == 0) & (error != 0) & np.isfinite(total)
    return np.where(even, np.nextafter(total, np.copysign(np.inf, error)), total)


def halves(x):
    """x as the sum of two numbers of 26 bits, whose products are exact."""
    high = x * 134217729.0
    high = high - (high - x)
    return high, x - high


def fma(a, b, c, downwards=False):
    """a * b + c, rounded once. For float32 the product is exact in float64, and a sum rounded to odd there has two bits
    to spare. For float64 the product's error is found from halves of the factors; the sum of the three parts is
    rounded to odd before the last addition. Numbers too large or too small for halves go through fractions."""
    a, b, c = np.broadcast_arrays(a, b, c)
    if a.dtype == np.float32:
        exact = to_odd(a.astype(np.float64) * b, c.astype(np.float64))
        near = exact.astype(np.float32)
        return np.where(near > exact, np.nextafter(near, np.float32(-np.inf)), near) if downwards else near
    product, (a1, a2), (b1, b2) = a * b, halves(a), halves(b)
    error = ((a1 * b1 - product) + a1 * b2 + a2 * b1) + a2 * b2
    low = c + error
    part = low - c
    lower = (c - (low - part)) + (error - part)
    high = product + low
    part = high - product
    result = high + to_odd((product - (high - part)) + (low - part), lower)
    plain = a * b + c
    usual = (np.maximum(abs(a), abs(b)) < 2.0**900) & (abs(product) > 2.0**-900) & np.isfinite(result)
    for i in np.flatnonzero(~usual & np.isfinite(a) & np.isfinite(b) & np.isfinite(c) & (a != 0) & (b != 0)):
        exact = Fraction(a[i]) * Fraction(b[i]) + Fraction(c[i])
        if exact and abs(exact) < 2**1024 - 2**970:            # from there on a float64 is infinite
            plain[i] = float(exact)
    return np.where(usual, result, plain)


def quotient(a, b):
    return a / b if a.dtype.kind == "f" else (a - np.fmod(a, b)) // b


def widened(a, b):
    """The product of integers in twice their bits."""
    wide = f"{a.dtype.kind}{2 * a.itemsize}"
    return a.astype(wide) * b.astype(wide)


def high(a, b):
    """The upper half of that product: of 64 bits by Python's integers."""
    bits = 8 * a.itemsize
    if bits < 64:
        return (widened(a, b) >> bits).astype(a.dtype)
    return np.array([x * y >> bits for x, y in np.broadcast(a.astype(object), b.astype(object))], a.dtype)


def rotated(a, b, by):
    """32 bits of two registers, b above a, shifted left by `by` modulo 32: a rotation where a is b."""
    both, by = b.astype(np.uint64) << np.uint64(32) | a.astype(np.uint64), (by & np.uint32(31)).astype(np.uint64)
    return (both << by >> np.uint64(32)).astype(np.uint32)


def flushed(x):
    """Numbers too small to be normal become 0."""
    return np.where(abs(x) < np.finfo(x.dtype).tiny, np.copysign(x.dtype.type(0), x), x)


def converted(x, kind):
    """x in another type. A float beyond the integers of that type becomes the last of them, NaN becomes 0."""
    if x.dtype.kind != "f" or np.dtype(kind).kind == "f":
        return x.astype(kind)
    limits = np.iinfo(kind)
    x, low, high = np.where(np.isnan(x), 0, x), x <= float(limits.min), x >= float(limits.max)
    whole = np.where(low | high, 0, x).astype(kind)
    return np.where(high, kind(limits.max), np.where(low, kind(limits.min), whole))


OPERATIONS = {
    "add": lambda a, b: a + b, "sub": lambda a, b: a - b, "mul": lambda a, b: a * b, "mul.lo": lambda a, b: a * b,
    "mul.wide": widened, "mul.hi": high, "mad.lo": lambda a, b, c: a * b + c,
    "mad.wide": lambda a, b, c: widened(a, b) + c.view(widened(a, b).dtype), "div": quotient, "rem": np.fmod,
    "fma": fma, "fma.rm": lambda a, b, c: fma(a, b, c, True), "neg": lambda a: -a, "abs": np.abs,
    "max": np.fmax, "min": np.fmin, "copysign": lambda a, b: np.copysign(b, a),
    "and": lambda a, b: a & b, "or": lambda a, b: a | b, "xor": lambda a, b: a ^ b, "not": lambda a: ~a,
    "shl": lambda a, b: a << b.astype(a.dtype), "shr": lambda a, b: a >> b.astype(a.dtype),
    "shf.l.wrap": rotated, "selp": lambda a, b, p: np.where(p, a, b),
    "ex2": np.exp2, "lg2": np.log2, "rcp": lambda a: 1 / a, "sqrt": np.sqrt, "rsqrt": lambda a: 1 / np.sqrt(a),
    "mov": lambda a: a, "cvta.to.global": lambda a: a, "cvt": lambda a: a, "cvt.rni": np.rint, "cvt.rzi": np.trunc,
    "cvt.rmi": np.floor, "cvt.rpi": np.ceil, "cvt.sat": lambda a: np.clip(np.where(np.isnan(a), 0, a), 0, 1),
}
# Types of operands where they are not the instruction's own.
SOURCES = {"shl": {1: np.uint32}, "shr": {1: np.uint32}, "selp": {2: np.bool_}, "mad.wide": {2: np.int64}}
COMPARE = {"eq": np.equal, "ne": np.not_equal, "lt": np.less, "le": np.less_equal, "gt": np.greater,
           "ge": np.greater_equal}


def compare(how, a, b):
    """eq ... ge are false where a number is NaN, equ ... geu true; num is true where neither is."""
    unordered = (a != a) | (b != b)
    if how in ("num", "nan"):
        return unordered if how == "nan" else ~unordered
    return COMPARE[how[:2]](a, b) | unordered if how.endswith("u") else COMPARE[how](a, b) & ~unordered
