"""The four activations of the recurrence, and their derivatives computed from the OUTPUT.

    relu       h = max(z, 0)         h' = [h > 0]      the papers' choice; h' = 0 at the kink, by convention
    tanh       h = tanh(z)           h' = 1 - h^2
    sigmoid    h = 1 / (1 + e^-z)    h' = h (1 - h)
    identity   h = z                 h' = 1

relu selects and does not multiply: where h' = 0 the gradient is 0, even if dh is infinite.
Because h' follows from h, the backward pass never needs z. The first form is for NumPy arrays, the second for numbers
in kernels. The names are numbered (`KIND`), so that a kernel for one activation contains no other.
"""
import numpy as np

from ..core.jit import inlined
from .tanh_sigmoid import sigmoid, tanh

RELU, TANH, SIGMOID, IDENTITY = range(4)
KIND = {"relu": RELU, "tanh": TANH, "sigmoid": SIGMOID, "identity": IDENTITY}

# name: h = act(z), and dz = dh * act'(z) with act' from h
OBVIOUS = {
    "relu": (lambda z: np.where(z <= 0, 0, z), lambda dh, h: np.where(h <= 0, 0, dh)),
    "tanh": (np.tanh, lambda dh, h: dh * (1 - h * h)),
    "sigmoid": (lambda z: 1 / (1 + np.exp(-z)), lambda dh, h: dh * (h * (1 - h))),
    "identity": (lambda z: z, lambda dh, h: dh),
}

ZERO, ONE = np.float32(0), np.float32(1)     # exact in both types; a Python float would widen float32


@inlined
def activate(kind, z):
    """h = act(z)"""
    if kind == RELU:
        return ZERO if z <= ZERO else z      # not max(z, 0): NaN must pass
    if kind == TANH:
        return tanh(z)
    if kind == SIGMOID:
        return sigmoid(z)
    return z


@inlined
def differentiate(kind, dh, h):
    """dz = dh * act'(z), with act' from h = act(z)"""
    if kind == RELU:
        return ZERO if h <= ZERO else dh
    if kind == TANH:
        return dh * (ONE - h * h)
    if kind == SIGMOID:
        return dh * (h * (ONE - h))
    return dh
