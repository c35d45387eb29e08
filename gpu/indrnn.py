"""The recurrent unit and the IndRNN layer: the twins of those in `minindrnn.networks.indrnn`.

    unit, norm "before"    a -> norm -> recurrence and activation -> dropout
    unit, norm "after"     a -> recurrence and activation -> norm and dropout in one pass
    IndRNN                 x -> W x + b -> unit
"""
from minindrnn.core.layer import Layer, expect_known
from minindrnn.networks import indrnn

from .dropout import draw, dropout_backward, dropout_forward
from .recurrence import indrnn_backward, indrnn_forward


class Unit(Layer):
    """a (T, B, neurons)  ->  y (T, B, neurons): recurrence and activation, batch normalisation, dropout."""

    Cache = indrnn.Unit.Cache

    def __init__(self, layer, parameters, norm):
        self.activation, self.order, self.dropout = layer.activation, layer.order, layer.dropout
        self.parameters, self.norm = parameters, norm

    @property
    def buffers(self):
        return self.norm.buffers

    def forward(self, a, state=None, *, lengths=None, rng=None, **how):
        expect_known(how)
        of_norm, of_dropout = None, None
        if self.order == "before":
            a, of_norm = self.norm.forward(a, lengths=lengths, **how)
        y, of_recurrence = indrnn_forward(a, self["u"], state, activation=self.activation, lengths=lengths)
        if self.order == "after":
            mask = draw(y.shape[1:], self.dropout, rng, y.dtype)
            y, of_norm = self.norm.forward(y, lengths=lengths, mask=mask, **how)
        else:
            y, of_dropout = dropout_forward(y, self.dropout, rng)
        return y, self.Cache(of_norm, of_recurrence, of_dropout)

    def backward(self, dy, cache, *, overwrite=False):
        of_norm, of_recurrence, of_dropout = cache
        grads = {}
        if self.order == "after":
            dy, grads = self.norm.backward(dy, of_norm)
        else:
            dy = dropout_backward(dy, of_dropout)
        da, du, dh0 = indrnn_backward(dy, of_recurrence)
        if self.order == "before":
            da, grads = self.norm.backward(da, of_norm)
        return da, {"u": du, "h0": dh0} | grads

    def absorb(self, cache, *, average=False):
        if self.order:
            self.norm.absorb(cache.of_norm, average=average)


class IndRNN(Layer):
    """x (T, B, inputs)  ->  y (T, B, neurons): h[t] = act(W x[t] + b + u * h[t-1]), with norm and dropout."""

    Cache = indrnn.IndRNN.Cache

    def __init__(self, linear, unit):
        self.linear, self.unit, self.parameters = linear, unit, linear.parameters | unit.parameters

    @property
    def buffers(self):
        return self.unit.buffers

    def forward(self, x, state=None, *, lengths=None, **how):
        a, of_linear = self.linear.forward(x, lengths=lengths)
        y, of_unit = self.unit.forward(a, state, lengths=lengths, **how)
        return y, self.Cache(of_linear, of_unit)

    def backward(self, dy, cache, *, overwrite=False):
        of_linear, of_unit = cache
        da, unit = self.unit.backward(dy, of_unit)
        dx, linear = self.linear.backward(da, of_linear)
        return dx, linear | unit

    def absorb(self, cache, *, average=False):
        self.unit.absorb(cache.of_unit, average=average)
