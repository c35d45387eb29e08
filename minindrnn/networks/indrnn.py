"""The recurrent unit of every network here, and the IndRNN layer: an affine map and a unit.

    unit, norm "before"    a -> norm -> recurrence and activation -> dropout
    unit, norm "after"     a -> recurrence and activation -> norm -> dropout
    IndRNN                 x -> W x + b -> unit

For whole sequences (classification) the normalisation comes after the recurrence. Each sequence starts from state 0,
so h has similar statistics in every batch, and the next layer reads inputs of one scale; the authors found it faster
and better. If the state is carried from segment to segment (language models), h keeps accumulating and its statistics
drift. Then the normalisation comes before the recurrence: it sees the new input a, not the accumulated state.

Both layers are written as plain compositions. A `fusible` layer computes the same numbers in fewer passes over memory:
see `fused`.
Source: Li et al., arXiv 1803.04831, equation 4; order of normalisation: arXiv 1910.06251, section 5, and the authors'
code.
"""
from typing import NamedTuple

import numpy as np

from ..core.expect import expect, expect_choice, expect_count, expect_number
from ..core.layer import Layer, Parameter, drawn, expect_known
from ..core.padding import last_step
from ..core.ranks import ALONE
from ..ops.activations import KIND
from ..ops.batchnorm import BatchNorm
from ..ops.dropout import dropout_backward, dropout_forward
from ..ops.linear import Linear, scaled
from ..ops.recurrence import indrnn_backward, indrnn_forward
from ..ops.recurrence_kernels import step_in_place
from .fused import layer_backward, layer_forward, layer_step, unit_backward, unit_forward


class Unit(Layer):
    """a (T, B, neurons)  ->  y (T, B, neurons): recurrence and activation, batch normalisation, dropout.

    rng          a `numpy.random.Generator`, for u
    u            (low, high), the range in which the recurrent weights start
    activation   "relu", "tanh", "sigmoid" or "identity"
    norm         None, "before" or "after" the recurrence
    norm_layer   the kind of normalisation: `BatchNorm` or `LayerNorm`
    norm_options for norm_layer: length, gain, momentum, eps
    dropout      probability of dropping a neuron's output for a whole sequence
    dtype        float32 or float64

    Parameters u (neurons,) and, with norm, gamma and beta. The state is h, (B, neurons).
    """

    def __init__(self, neurons, rng, *, u=(0.0, 1.0), activation="relu", norm=None, norm_layer=BatchNorm,
                 norm_options=None, dropout=0.0, dtype=np.float32):
        low, high = u
        expect_count("neurons", neurons)
        expect_number("u, its low end", low, -np.inf)
        expect_number("u, its high end", high, low)
        expect_choice("norm", norm, (None, "before", "after"))
        if norm_options and norm is None:
            raise ValueError(f"norm_options: expected none of them without a norm, got {', '.join(norm_options)}")
        self.activation, self.order = activation, norm
        self.norm = norm_layer(neurons, dtype=dtype, **(norm_options or {})) if norm else Layer()
        expect_choice("activation", activation, KIND)
        expect_number("dropout", dropout, 0, np.nextafter(1, 0))
        self.dropout = dropout
        u = Parameter(drawn(rng, "uniform", low, high, neurons, dtype=dtype), "recurrent")
        self.parameters = {"u": u} | self.norm.parameters

    @property
    def buffers(self):
        return self.norm.buffers

    @property
    def fusible(self):
        """Whether `fused` computes the same numbers faster."""
        return self.order is None or self.order == "after" and isinstance(self.norm, BatchNorm)

    class Cache(NamedTuple):
        """Caches of the parts. of_norm is None without norm; of_dropout is None if the norm applied the mask."""
        of_norm: tuple | None
        of_recurrence: tuple
        of_dropout: tuple | None

    def forward(self, a, state=None, *, lengths=None, rng=None, ranks=ALONE, **how):
        expect_known(how)
        if self.fusible:
            return unit_forward(self, a, state, lengths=lengths, rng=rng, ranks=ranks, **how)
        of_norm, out = None, None
        if self.order == "before":
            a, of_norm = self.norm.forward(a, lengths=lengths, ranks=ranks, **how)
            out = a                                                   # no one else reads a
        y, of_recurrence = indrnn_forward(a, self["u"], state, activation=self.activation, lengths=lengths, out=out)
        if self.order == "after":
            y, of_norm = self.norm.forward(y, lengths=lengths, ranks=ranks, **how)
        y, of_dropout = dropout_forward(y, self.dropout, rng, ranks=ranks)
        return y, self.Cache(of_norm, of_recurrence, of_dropout)

    def backward(self, dy, cache, *, overwrite=False):
        if self.fusible:
            return unit_backward(self, dy, cache, overwrite=overwrite)
        of_norm, of_recurrence, of_dropout = cache
        given, grads = dy, {}
        dy = dropout_backward(dy, of_dropout)
        if self.order == "after":
            dy, grads = self.norm.backward(dy, of_norm, overwrite=overwrite or dy is not given)
        da, du, dh0 = indrnn_backward(dy, of_recurrence, out=dy if overwrite or dy is not given else None)
        if self.order == "before":
            da, grads = self.norm.backward(da, of_norm, overwrite=True)
        return da, {"u": du, "h0": dh0} | grads

    def step(self, a, state=None, *, start=0):
        expect("a", a, "BN", like=("u", self["u"], "N"))
        if self.order == "before":
            a, _ = self.norm.step(a, start=start)
        h, h0 = a.copy(), np.zeros_like(a) if state is None else state
        expect("h0", h0, "BN", like=("a", a, "BN"))
        step_in_place(self["u"], h0, h, self.activation)
        return self.norm.step(h, start=start)[0] if self.order == "after" else h.copy(), h

    def last_state(self, cache):
        return last_step(cache.of_recurrence.h, cache.of_recurrence.lengths)

    def absorb(self, cache, *, average=False):
        if self.order:
            self.norm.absorb(cache.of_norm, average=average)


class IndRNN(Layer):
    """x (T, B, inputs)  ->  y (T, B, neurons): h[t] = act(W x[t] + b + u * h[t-1]), with norm and dropout.

    W   its initialiser, as for `Linear`; all other options as for `Unit`

    Parameters W (neurons, inputs), b (neurons,) and the unit's. The state is h, (B, neurons).

    >>> layer = IndRNN(2, 3, np.random.default_rng(0), u=(0.9, 1.0))
    >>> h, cache = layer.forward(np.ones((5, 1, 2), np.float32))
    >>> dx, grads = layer.backward(np.ones_like(h), cache)
    >>> dx.shape, {name: grad.shape for name, grad in grads.items()}
    ((5, 1, 2), {'W': (3, 2), 'b': (3,), 'u': (3,), 'h0': (1, 3)})
    """

    def __init__(self, inputs, neurons, rng, *, W=scaled(), dtype=np.float32, **unit):
        self.linear = Linear(inputs, neurons, rng, W=W, dtype=dtype)
        self.unit = Unit(neurons, rng, dtype=dtype, **unit)
        self.parameters = self.linear.parameters | self.unit.parameters

    @property
    def buffers(self):
        return self.unit.buffers

    class Cache(NamedTuple):
        of_linear: tuple
        of_unit: Unit.Cache

    def forward(self, x, state=None, *, lengths=None, **how):
        if self.unit.fusible:
            return layer_forward(self, x, state, lengths=lengths, **how)
        a, of_linear = self.linear.forward(x, lengths=lengths)
        y, of_unit = self.unit.forward(a, state, lengths=lengths, **how)
        return y, self.Cache(of_linear, of_unit)

    def backward(self, dy, cache, *, overwrite=False):
        if self.unit.fusible:
            return layer_backward(self, dy, cache, overwrite=overwrite)
        of_linear, of_unit = cache
        da, unit = self.unit.backward(dy, of_unit, overwrite=overwrite)
        dx, linear = self.linear.backward(da, of_linear)
        return dx, linear | unit

    def step(self, x, state=None, *, start=0):
        if self.unit.fusible:
            return layer_step(self, x, state, start=start)
        a, _ = self.linear.step(x)
        return self.unit.step(a, state, start=start)

    def last_state(self, cache):
        return self.unit.last_state(cache.of_unit)

    def absorb(self, cache, *, average=False):
        self.unit.absorb(cache.of_unit, average=average)
