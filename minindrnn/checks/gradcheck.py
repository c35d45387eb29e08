"""Checking a hand-derived gradient against finite differences.

For one array at a time, with a random direction v and a random cotangent w, both sides of

    < w, (f(p + eps v) - f(p - eps v)) / (2 eps) >  =  < dp, v >

are computed, where dp is what backward returns for the cotangent w. Two evaluations of f settle an array of
any size. float64 and eps = 1e-6: rounding and curvature then leave errors of some 1e-9, and TOLERANCE asks for 1e-6,
relative to the larger side, or to 1 if both are small.

relu has a kink. Where one lies between p - eps v and p + eps v there is no derivative to compare with, and the
differences to the left and to the right of p disagree; such a direction is drawn again.
Source: the definition of the derivative; central differences, whose error falls with eps^2.
"""
from dataclasses import dataclass

import numpy as np

from ..core.expect import expect_generator
from ..core.layer import leaves

EPS, TOLERANCE = 1e-6, 1e-6


class GradientError(AssertionError):
    """A gradient is wrong; the message names the array, the place, and both numbers."""


@dataclass
class Problem:
    """Something to differentiate; `check` raises a GradientError for a gradient that is wrong or of another shape.

    arrays     {name: array}: everything to differentiate with respect to, float64, of any shape, (N,) or
               (T, B, N); changed in place and put back
    forward    () -> y, cache, from the present contents of the arrays
    backward   dy, cache -> {name: gradient}
    """
    arrays: dict
    forward: object
    backward: object


def check(problem, rng):
    """{name: error} of every array's gradient, or GradientError for the first one that is wrong.

    Arrays are float64, of any shape, (N,) or (T, B, N); rng, a `numpy.random.Generator`, draws the directions.
    """
    expect_generator(rng)
    y, cache = problem.forward()
    y = np.asarray(y)
    if not np.isfinite(y).all():
        raise GradientError(f"forward: expected finite numbers, got {y[~np.isfinite(y)][0]}")
    w = rng.normal(size=y.shape)
    grads = problem.backward(w, cache)
    errors = {}
    for name, array in problem.arrays.items():
        grad = grads[name]
        if np.shape(grad) != array.shape:
            raise GradientError(f"d{name}: expected the shape of {name}, {array.shape}, got {np.shape(grad)}")
        v, numeric = _smooth_direction(problem, array, w, rng)
        analytic = float(np.sum(grad * v))
        errors[name] = abs(analytic - numeric) / max(1.0, abs(analytic), abs(numeric))
        if not errors[name] <= TOLERANCE:
            raise GradientError(_locate(problem, name, array, grad, w, analytic, numeric))
    return errors


def _smooth_direction(problem, array, w, rng):
    """A direction without a kink at array, and the derivative along it by central differences."""
    for _ in range(20):
        v = rng.normal(size=array.shape)
        below, here, above = (_along(problem, array, step * v, w) for step in (-EPS, 0, EPS))
        left, right = (here - below) / EPS, (above - here) / EPS
        if abs(right - left) <= 1e-3 * max(1.0, abs(left), abs(right)):
            return v, (above - below) / (2 * EPS)
    raise GradientError("no direction without a kink within 1e-6 was found; draw other values")


def _along(problem, array, change, w):
    kept = array.copy()
    array += change
    y, _ = problem.forward()
    array[...] = kept
    return float(np.sum(w * y))


def _locate(problem, name, array, grad, w, analytic, numeric):
    """Go through the array one number at a time, and say where backward and differences differ most."""
    by_number = np.empty(array.shape)
    for place in np.ndindex(array.shape):
        unit = np.zeros(array.shape)
        unit[place] = EPS
        by_number[place] = (_along(problem, array, unit, w) - _along(problem, array, -unit, w)) / (2 * EPS)
    worst = np.unravel_index(np.argmax(np.abs(by_number - grad)), array.shape)
    index = ", ".join(map(str, worst))
    where = f"d{name}[{index}]" + (f" (time step {worst[0]})" if array.ndim == 3 else "")
    return (f"{where}: backward says {grad[worst]:.6g}, differences say {by_number[worst]:.6g}; "
            f"along a random direction {analytic:.6g} and {numeric:.6g}")


def of_layer(layer, x, state=None, seed=None, **how):
    """The Problem of a whole layer or network: its input, unless that is tokens, all its parameters and, if given, its
    state.

    seed   of a generator made anew for each forward pass, so that dropout leaves out the same neurons every time
    how    keyword arguments of the layer's forward
    """
    arrays = {"x": x} if x.dtype.kind == "f" else {}
    arrays |= {path: parameter.value for path, parameter in leaves(layer.parameters)}
    states = {} if state is None else {f"{path}.h0".lstrip("."): h0 for path, h0 in leaves(state) if h0 is not None}

    def backward(dy, cache):
        dx, grads = layer.backward(dy, cache)
        return {"x": dx} | dict(leaves(grads))

    def forward():
        return layer.forward(x, state, rng=None if seed is None else np.random.default_rng(seed), **how)

    return Problem(arrays | states, forward, backward)
