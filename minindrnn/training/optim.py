"""From gradients to new parameters: clipping, SGD, Adam.

An optimiser is made for a tree of parameters and updates them in place; `state()` is all it remembers.
Decay is the coupled kind of the papers, decay * value added to the gradient after clipping, and only for
parameters of role "weight": never u, never a bias.

A part of a tree is a tree. An optimiser changes only its own parameters, so two optimisers allow two rates:

>>> from minindrnn import StackedIndRNN
>>> network = StackedIndRNN(2, 4, 2, 1, np.random.default_rng(0), length=9)    # three layers: the last one is linear
>>> y, cache = network.forward(np.ones((9, 1, 2), np.float32))
>>> _, grads = network.backward(np.ones_like(y), cache)
>>> first, *rest = network.parameters
>>> slow, fast = Adam([first]), Adam(rest)
>>> slow.update(grads[:1], 1e-4)
>>> fast.update(grads[1:], 1e-2)

An empty branch, {}, stands for a frozen one, and `train_step` clips, updates and projects the rest only. Parameters that
a dict does not name are frozen, so that all u can have a separate rate:

>>> before, learned = first["W"].value.copy(), Adam([{}, *rest])
>>> learned.update(grads, 1e-2)
>>> bool(np.all(first["W"].value == before))
True
>>> only_u = Adam([{"u": layer["u"]} for layer in network.parameters[:2]] + [{}])
>>> only_u.update(grads, 1e-4)
"""
from functools import cache

import numpy as np

from ..core.expect import expect_number, expect_same, expect_writable
from ..core.jit import kernel
from ..core.layer import Parameter, leaves


def matched(parameters, grads):
    """[(path, parameter, gradient)] of two trees. TypeError or ValueError naming the path, unless each gradient has the
    shape and dtype of its parameter."""
    found = list(leaves(parameters, grads))
    for path, parameter, grad in found:
        expect_same(f"gradient of {path}", grad, path, parameter.value)
    return found


def clip_values(parameters, grads, limit):
    """Clamp every element of the parameters' gradients to [-limit, limit], in place (the papers' way, limit 10).

    Gradients have the shape and dtype of their parameter, (N,) or (N, M), float32 or float64; else TypeError or
    ValueError naming the path. Source: the authors' code of arXiv 1910.06251.
    """
    expect_number("limit", limit, 0)
    for grad in _changeable(parameters, grads):
        np.clip(grad, -limit, limit, out=grad)


def clip_norm(parameters, grads, limit):
    """Scale all gradients together, in place, so that their common 2-norm is at most limit; return the norm before.

    The factor is min(1, limit / (norm + 1e-6)), as in PyTorch. If the norm is not finite, all gradients become NaN.
    Gradients have the shape and dtype of their parameter, (N,) or (N, M), float32 or float64; else TypeError or
    ValueError naming the path. Source: Pascanu et al., arXiv 1211.5063, algorithm 1.
    """
    expect_number("limit", limit, 0)
    grads = _changeable(parameters, grads)
    norm = float(np.sqrt(sum(np.sum(np.square(grad, dtype=np.float64)) for grad in grads)))
    factor = min(1.0, limit / (norm + 1e-6)) if np.isfinite(norm) else np.nan
    for grad in grads:
        grad *= factor
    return norm


class SGD:
    """value -= rate * velocity,  velocity = momentum * velocity + gradient

    velocity has the shape and dtype of value, (N,) or (N, M), float32 or float64. ValueError for momentum outside 0 to
    1 and for negative decay. Source: Polyak, USSR Computational Mathematics and Mathematical Physics 4(5), 1964.
    """

    def __init__(self, parameters, *, momentum=0.0, decay=0.0):
        expect_number("momentum", momentum, 0, 1)
        expect_number("decay", decay, 0)
        self.parameters, self.momentum, self.decay = parameters, momentum, decay
        self.velocity = _zeros(parameters)

    def update(self, grads, rate):
        """Change the parameters, given gradients on the same tree; ValueError or TypeError if they are on another."""
        expect_number("rate", rate, 0)
        for parameter, grad, velocity in _learned(self.parameters, grads, self.velocity):
            velocity *= self.momentum
            velocity += _decayed(parameter, grad, self.decay)
            parameter.value -= rate * velocity

    def state(self):
        """{name: array}, the arrays themselves: to be saved, or written into."""
        return {f"velocity.{path}": velocity for path, velocity in self.velocity.items()}


class Adam:
    """m and v are running means of the gradient and of its square, each corrected for its start at 0:

    m = beta1 m + (1 - beta1) g          value -= rate * (m / (1 - beta1^k)) / (sqrt(v / (1 - beta2^k)) + epsilon)
    v = beta2 v + (1 - beta2) g^2        k counts the updates

    Both have the shape and dtype of value, (N,) or (N, M), float32 or float64. ValueError for beta1 or beta2 outside
    0 to 1, 1 excluded, and for negative decay. Source: Kingma and Ba, arXiv 1412.6980, algorithm 1.
    """

    def __init__(self, parameters, *, beta1=0.9, beta2=0.999, epsilon=1e-8, decay=0.0):
        expect_number("beta1", beta1, 0, np.nextafter(1, 0))
        expect_number("beta2", beta2, 0, np.nextafter(1, 0))
        expect_number("epsilon", epsilon, 0)
        expect_number("decay", decay, 0)
        self.parameters, self.beta1, self.beta2, self.epsilon, self.decay = parameters, beta1, beta2, epsilon, decay
        self.m, self.v = _zeros(parameters), _zeros(parameters)
        self.updates = np.zeros((), np.int64)

    def update(self, grads, rate):
        """Change the parameters, given gradients on the same tree; ValueError or TypeError if they are on another."""
        expect_number("rate", rate, 0)
        learned = _learned(self.parameters, grads, self.m, self.v)
        self.updates += 1
        k = int(self.updates)
        common = (rate / (1 - self.beta1**k), 1 - self.beta1, 1 - self.beta2, 1 / (1 - self.beta2**k), self.epsilon)

        @cache
        def constants(dtype, decay):
            return tuple(map(dtype.type, (*common, decay)))

        for parameter, grad, m, v in learned:
            value, decay = parameter.value, self.decay if parameter.role == "weight" else 0.0
            adam(value.reshape(-1), np.ascontiguousarray(grad).reshape(-1), m.reshape(-1), v.reshape(-1),
                 *constants(value.dtype, decay))

    def state(self):
        """{name: array}, the arrays themselves: to be saved, or written into."""
        return ({f"m.{path}": m for path, m in self.m.items()}
                | {f"v.{path}": v for path, v in self.v.items()} | {"updates": self.updates})


@kernel
def adam(value, grad, m, v, rate, some1, some2, whole2, epsilon, decay):
    """One pass over the memory; rate is that over 1 - beta1^k, some1 is 1 - beta1, whole2 is 1 / (1 - beta2^k)."""
    for i in range(value.size):
        g = grad[i] + decay * value[i]
        m[i] += some1 * (g - m[i])
        v[i] += some2 * (g * g - v[i])
        value[i] -= rate * m[i] / (np.sqrt(v[i] * whole2) + epsilon)


# What an update reads and writes. All of it is checked before anything is changed.

def _zeros(parameters):
    """{path: zeros of the parameter's shape and dtype}."""
    for path, parameter in leaves(parameters):
        if not isinstance(parameter, Parameter):
            raise TypeError(f"{path}: expected a Parameter, got {type(parameter).__name__}")
        expect_writable(path, parameter.value)
    return {path: np.zeros(parameter.value.shape, parameter.value.dtype) for path, parameter in leaves(parameters)}


def _learned(parameters, grads, *memories):
    """[(parameter, gradient, ...)], with what is remembered of the parameter in each of the memories, {path: array}."""
    found = []
    for path, parameter, grad in matched(parameters, grads):
        value, remembered = parameter.value, [memory[path] for memory in memories]
        expect_same(path, value, "the optimiser's memory of it", remembered[0])
        expect_writable(path, value)
        if not value.flags.c_contiguous:
            raise ValueError(f"{path}: expected a C-contiguous array, got strides {value.strides}")
        found.append((parameter, grad, *remembered))
    return found


def _changeable(parameters, grads):
    """The gradients of the parameters, which are to be changed in place."""
    found = matched(parameters, grads)
    for path, _, grad in found:
        expect_writable(f"gradient of {path}", grad)
    return [grad for _, _, grad in found]


def _decayed(parameter, grad, decay):
    return grad + decay * parameter.value if decay and parameter.role == "weight" else grad
