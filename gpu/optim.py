"""The update of the parameters: the twin of `minindrnn.training.optim.Adam`, with clipping and the bound of u in one
pass.

    g = gradient, clamped to [-limit, limit], + decay * value            decay only if the role is "weight"
    m = beta1 m + (1 - beta1) g          value -= rate * (m / (1 - beta1^k)) / (sqrt(v / (1 - beta2^k)) + epsilon)
    v = beta2 v + (1 - beta2) g^2        then value is clamped to [-bound, bound], if its role is "recurrent"

Source: Kingma and Ba, arXiv 1412.6980, algorithm 1.
"""
import math

import numpy as np
from numba import cuda

from minindrnn.core.expect import expect_same
from minindrnn.core.layer import leaves
from minindrnn.training.optim import matched

from .device import flat, launch_each


class Adam:
    """The twin of a CPU optimiser, for the twins of its parameters; arrays maps its `state()` to the device."""

    def __init__(self, optimiser, parameters, arrays):
        for path, parameter in leaves(parameters):
            for name in ("m", "v"):
                expect_same(path, parameter.value, "the optimiser's memory of it", arrays[f"{name}.{path}"])
        self.parameters, self.arrays, self.updates = parameters, arrays, optimiser.updates
        self.beta1, self.beta2 = optimiser.beta1, optimiser.beta2
        self.epsilon, self.decay = optimiser.epsilon, optimiser.decay

    def update(self, grads, rate, *, limit=np.inf, bound=np.inf):
        """Change the parameters by gradients on the same tree; ValueError or TypeError if the trees differ."""
        found = matched(self.parameters, grads)
        self.updates += 1
        k = int(self.updates)
        for path, parameter, grad in found:
            constants = (limit, self.decay if parameter.role == "weight" else 0.0, rate / (1 - self.beta1**k),
                         1 - self.beta1, 1 - self.beta2, 1 / (1 - self.beta2**k), self.epsilon,
                         bound if parameter.role == "recurrent" else np.inf)
            arrays = parameter.value, grad, self.arrays[f"m.{path}"], self.arrays[f"v.{path}"]
            launch_each(adam, grad.size, *map(flat, arrays), *map(grad.dtype.type, constants))


@cuda.jit(device=True)
def clamped(x, limit):
    return limit if x > limit else -limit if x < -limit else x                   # NaN stays


@cuda.jit
def adam(value, grad, m, v, limit, decay, rate, some1, some2, whole2, epsilon, bound):
    """rate is the learning rate / (1 - beta1^k), some1 is 1 - beta1, whole2 is 1 / (1 - beta2^k)."""
    i = cuda.grid(1)
    if i < value.size:
        g = clamped(grad[i], limit) + decay * value[i]
        m[i] += some1 * (g - m[i])
        v[i] += some2 * (g * g - v[i])
        value[i] = clamped(value[i] - rate * m[i] / (math.sqrt(v[i] * whole2) + epsilon), bound)
