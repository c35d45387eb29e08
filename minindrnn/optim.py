"""From gradients to new parameters: clipping, SGD, Adam.

An optimiser is made for a tree of parameters and updates them in place; `state()` is all it remembers.
Decay is the coupled kind of the papers, decay * value added to the gradient after clipping, and only for
parameters of role "weight": never u, never a bias.
"""
import numpy as np

from .compiled import kernel
from .layer import leaves
from .shapes import expect_number


def clip_values(parameters, grads, limit):
    """Clamp every element of the parameters' gradients to [-limit, limit], in place (the papers' way, limit 10)."""
    expect_number("limit", limit, 0)
    for _, _, grad in leaves(parameters, grads):
        np.clip(grad, -limit, limit, out=grad)


def clip_norm(parameters, grads, limit):
    """Scale all gradients together, in place, so that their common 2-norm is at most limit; return the norm before.

    The factor is min(1, limit / (norm + 1e-6)), as in PyTorch. If the norm is not finite, all gradients become NaN.
    """
    expect_number("limit", limit, 0)
    norm = float(np.sqrt(sum(np.sum(np.square(grad, dtype=np.float64)) for _, _, grad in leaves(parameters, grads))))
    factor = min(1.0, limit / (norm + 1e-6)) if np.isfinite(norm) else np.nan
    for _, _, grad in leaves(parameters, grads):
        grad *= factor
    return norm


class SGD:
    """value -= rate * velocity,  velocity = momentum * velocity + gradient

    velocity has the shape and dtype of value, (N,) or (N, M), float32 or float64. ValueError for momentum outside 0 to 1
    and for negative decay. Source: Polyak, USSR Computational Mathematics and Mathematical Physics 4(5), 1964.
    """

    def __init__(self, parameters, *, momentum=0.0, decay=0.0):
        expect_number("momentum", momentum, 0, 1)
        expect_number("decay", decay, 0)
        self.parameters, self.momentum, self.decay = parameters, momentum, decay
        self.velocity = {path: np.zeros_like(parameter.value) for path, parameter in leaves(parameters)}

    def update(self, grads, rate):
        """Change the parameters, given gradients on the same tree."""
        for path, parameter, grad in leaves(self.parameters, grads):
            velocity = self.velocity[path]
            velocity *= self.momentum
            velocity += _decayed(parameter, grad, self.decay)
            parameter.value -= rate * velocity

    def state(self):
        """{name: array}, the arrays themselves: to be saved, or written into."""
        return {f"velocity.{path}": velocity for path, velocity in self.velocity.items()}


class Adam:
    """m and v are running means of the gradient and of its square, each divided by how much of it is there yet:

    m = beta1 m + (1 - beta1) g          value -= rate * (m / (1 - beta1^k)) / (sqrt(v / (1 - beta2^k)) + epsilon)
    v = beta2 v + (1 - beta2) g^2        k counts the updates

    Both have the shape and dtype of value, (N,) or (N, M), float32 or float64. ValueError for beta1 or beta2 outside
    0 to 1, 1 excluded, and for negative decay. Source: Kingma and Ba, arXiv 1412.6980, algorithm 1.
    """

    def __init__(self, parameters, *, beta1=0.9, beta2=0.999, epsilon=1e-8, decay=0.0):
        expect_number("beta1", beta1, 0, np.nextafter(1, 0))
        expect_number("beta2", beta2, 0, np.nextafter(1, 0))
        expect_number("decay", decay, 0)
        self.parameters, self.beta1, self.beta2, self.epsilon, self.decay = parameters, beta1, beta2, epsilon, decay
        self.m = {path: np.zeros_like(parameter.value) for path, parameter in leaves(parameters)}
        self.v = {path: np.zeros_like(parameter.value) for path, parameter in leaves(parameters)}
        self.updates = np.zeros((), np.int64)

    def update(self, grads, rate):
        """Change the parameters, given gradients on the same tree."""
        self.updates += 1
        k = int(self.updates)
        for path, parameter, grad in leaves(self.parameters, grads):
            constants = (rate / (1 - self.beta1**k), 1 - self.beta1, 1 - self.beta2, 1 / (1 - self.beta2**k),
                         self.epsilon, self.decay if parameter.role == "weight" else 0.0)
            arrays = parameter.value, np.ascontiguousarray(grad), self.m[path], self.v[path]
            adam(*(array.reshape(-1) for array in arrays), *map(parameter.value.dtype.type, constants))

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


def _decayed(parameter, grad, decay):
    return grad + decay * parameter.value if decay and parameter.role == "weight" else grad
