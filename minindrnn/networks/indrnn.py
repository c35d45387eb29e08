"""The recurrent unit of every network here, and the IndRNN layer, which is an affine map and a unit.

    unit, norm "before"    a -> norm -> recurrence and activation -> dropout
    unit, norm "after"     a -> recurrence and activation -> norm -> dropout
    IndRNN                 x -> W x + b -> unit

"before" suits states that are carried from segment to segment (language models), "after" whole sequences
(classification). Wherever its input is a fresh array, the recurrence writes h over it.
Source: Li et al., arXiv 1803.04831, equation 4; order of normalisation: arXiv 1910.06251, section 5.
"""
import numpy as np

from ..core.expect import expect, expect_choice, expect_count, expect_number, expect_same
from ..core.layer import Layer, Parameter, drawn, expect_known
from ..ops.activations import KIND
from ..ops.batchnorm import BatchNorm
from ..ops.dropout import draw, dropout_backward, dropout_forward
from ..ops.linear import NARROW, Linear, linear_backward, linear_forward, scaled
from ..ops.recurrence import FORWARD, indrnn_backward, indrnn_forward


class Unit(Layer):
    """a (T, B, neurons)  ->  y (T, B, neurons): recurrence and activation, batch normalisation, dropout.

    rng          a `numpy.random.Generator`, for u
    u            (low, high), the range in which the recurrent weights start
    activation   "relu", "tanh", "sigmoid" or "identity"
    norm         None, "before" or "after" the recurrence
    norm_layer   the kind of normalisation: `BatchNorm` or `LayerNorm`
    norm_options of that layer: length, gain, momentum, eps
    dropout      probability that a neuron is left out of a sequence, on the way out
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

    def forward(self, a, state=None, *, b=None, overwrite=False, lengths=None, rng=None, **how):
        """As for every layer, with its TypeError and ValueError; b (neurons,) is added to a on the way, overwrite lets h
        be written over a."""
        expect_known(how)
        of_norm, mask = None, None
        if self.order == "before":
            a, of_norm = self.norm.forward(a, lengths=lengths, **how)
        h, of_recurrence = indrnn_forward(a, self["u"], state, activation=self.activation, lengths=lengths, b=b,
                                          out=a if overwrite or self.order == "before" else None)
        if self.order == "after" and isinstance(self.norm, BatchNorm):         # which takes in dropout
            mask = draw(h.shape[1:], self.dropout, rng, h.dtype)
            y, of_norm = self.norm.forward(h, lengths=lengths, mask=mask, **how)
            mask = None                                                        # backward has nothing left to drop
        else:
            y = h
            if self.order == "after":
                y, of_norm = self.norm.forward(h, lengths=lengths, **how)
            y, mask = dropout_forward(y, self.dropout, rng)
        return y, (of_norm, of_recurrence, mask, b is not None)

    def backward(self, dy, cache, *, overwrite=False):
        of_norm, of_recurrence, mask, biased = cache
        dy, dropped = dropout_backward(dy, mask), dy
        overwrite, grads, pqr = overwrite or dy is not dropped, {}, None
        if self.order == "after" and isinstance(self.norm, BatchNorm) and not self.norm.per_step:
            pqr, grads = self.norm.backward_map(dy, of_norm)
        elif self.order == "after":
            dy, grads = self.norm.backward(dy, of_norm, overwrite=overwrite)
            overwrite = True
        db = np.empty(self["u"].size) if biased else None
        da, du, dh0 = indrnn_backward(dy, of_recurrence, out=dy if overwrite else None, db=db, pqr=pqr)
        if self.order == "before":
            da, grads = self.norm.backward(da, of_norm, overwrite=True)
        return da, {"u": du, "h0": dh0} | ({"b": db.astype(du.dtype)} if biased else {}) | grads

    def step(self, a, state=None, *, start=0, b=None):
        expect("a", a, "BN", like=("u", self["u"], "N"))
        if self.order == "before":
            a, _ = self.norm.step(a, start=start)
        h, h0 = a.copy(), np.zeros_like(a) if state is None else state
        expect("h0", h0, "BN", like=("a", a, "BN"))
        forward, b = FORWARD[self.activation, b is not None], self["u"] if b is None else b
        expect_same("b", b, "u", self["u"])
        forward(h.reshape(1, -1), self["u"], b, h0.reshape(-1), 0, h.size, 1)
        return self.norm.step(h, start=start)[0] if self.order == "after" else h.copy(), h

    def last_state(self, cache):
        _, (_, _, h, _, runs), _, _ = cache
        return np.concatenate([h[steps - 1, first:last] for first, last, steps in runs])

    def absorb(self, cache, *, average=False):
        if self.order:
            self.norm.absorb(cache[0], average=average)


class IndRNN(Layer):
    """x (T, B, inputs)  ->  y (T, B, neurons): h[t] = act(W x[t] + b + u * h[t-1]) and what the unit adds.

    W   where it starts, as for `Linear`; all other options as for `Unit`

    Parameters W (neurons, inputs), b (neurons,) and those of the unit. The state is h, (B, neurons).

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

    def forward(self, x, state=None, *, lengths=None, **how):
        b = self["b"]
        fused = self.unit.order != "before" and self["W"].shape[1] > NARROW      # the recurrence adds b
        a, of_linear = linear_forward(x, self["W"], None if fused else b, lengths=lengths)
        y, of_unit = self.unit.forward(a, state, b=b if fused else None, overwrite=True, lengths=lengths, **how)
        return y, (of_linear, of_unit)

    def backward(self, dy, cache, *, overwrite=False):
        of_linear, of_unit = cache
        da, unit = self.unit.backward(dy, of_unit, overwrite=overwrite)
        dx, dW, db = linear_backward(da, of_linear)
        return dx, {"W": dW, "b": db} | unit

    def step(self, x, state=None, *, start=0):
        expect("x", x, "BM", like=("W", self["W"], "NM"))
        if self.unit.order == "before":
            return self.unit.step(x @ self["W"].T + self["b"], state, start=start)
        return self.unit.step(x @ self["W"].T, state, start=start, b=self["b"])

    def last_state(self, cache):
        return self.unit.last_state(cache[1])

    def absorb(self, cache, *, average=False):
        self.unit.absorb(cache[1], average=average)
