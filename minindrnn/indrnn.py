"""The IndRNN layer, the unit of every network here.

    h[t] = act(W x[t] + b + u * h[t-1])

It is the affine map of `linear` followed by the recurrence of `recurrence`, which writes h over W x + b.
Source: Li et al., arXiv 1803.04831, equation 4.
"""
import numpy as np

from .layer import Layer, Parameter
from .linear import Linear, linear_backward, linear_forward
from .recurrence import indrnn_backward, indrnn_forward
from .shapes import expect_number


class IndRNN(Layer):
    """x (T, B, inputs)  ->  h (T, B, neurons).

    rng          a `numpy.random.Generator`, for W and u
    u            (low, high), the range in which the recurrent weights start
    activation   "relu", "tanh", "sigmoid" or "identity"
    std          standard deviation of W; 1 / sqrt(inputs) unless given
    dtype        float32 or float64

    Parameters W (neurons, inputs), b (neurons,), u (neurons,). The state is h, (B, neurons).

    >>> layer = IndRNN(2, 3, np.random.default_rng(0), u=(0.9, 1.0))
    >>> h, cache = layer.forward(np.ones((5, 1, 2), np.float32))
    >>> dx, grads = layer.backward(np.ones_like(h), cache)
    >>> dx.shape, {name: grad.shape for name, grad in grads.items()}
    ((5, 1, 2), {'W': (3, 2), 'b': (3,), 'u': (3,), 'h0': (1, 3)})
    """

    def __init__(self, inputs, neurons, rng, *, u=(0.0, 1.0), activation="relu", std=None, dtype=np.float32):
        low, high = u
        expect_number("u, its low end", low, -np.inf)
        expect_number("u, its high end", high, low)
        self.activation = activation
        self.parameters = Linear(inputs, neurons, rng, std=std, dtype=dtype).parameters | {
            "u": Parameter(rng.uniform(low, high, neurons).astype(dtype), "recurrent")}

    def forward(self, x, state=None, *, lengths=None):
        a, of_linear = linear_forward(x, self["W"], self["b"], lengths=lengths)
        h, of_recurrence = indrnn_forward(a, self["u"], state, activation=self.activation, lengths=lengths, out=a)
        return h, (of_linear, of_recurrence)

    def backward(self, dh, cache):
        of_linear, of_recurrence = cache
        da, du, dh0 = indrnn_backward(dh, of_recurrence)
        dx, dW, db = linear_backward(da, of_linear)
        return dx, {"W": dW, "b": db, "u": du, "h0": dh0}

    def last_state(self, cache):
        _, (_, _, h, _, runs) = cache
        return np.concatenate([h[steps - 1, first:last] for first, last, steps in runs])
