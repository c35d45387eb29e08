"""The residual network: each block adds to its input, so that a gradient reaches the first layer unchanged.

    x[t] -> Linear -> block -> ... -> block -> unit -> at the last step: Linear -> y
    block, pre-activation     x + Linear(unit(Linear(unit(x))))
    block, post-activation    x + unit(Linear(unit(Linear(x))))        the authors' original: nothing after the sum

The skip acts within a time step and leaves each unit's recurrence as it is. A network of K blocks has 2 K + 1 recurrent
layers. Source: Li et al., arXiv 1910.06251, section 4, figure 3; post-activation: the authors' code, which has the
block but no network that uses it.
"""
import numpy as np

from ..core.expect import expect_count
from ..ops import bounds
from ..ops.linear import Linear, scaled
from .combinators import AtLastStep, Chain, Residual
from .indrnn import Unit


def residual_layers(inputs, neurons, blocks, rng, *, u, u_last, post_activation=False, W=scaled(), dropout=0.0,
                    dropout_last=None, dtype=np.float32, **options):
    """The layers from the first Linear to the last unit: (T, B, inputs) -> (T, B, neurons).

    u, u_last   (low, high): where u starts, and where u of the last unit starts; other options as below
    """
    expect_count("blocks", blocks)

    def linear(width=neurons):
        return Linear(width, neurons, rng, W=W, dtype=dtype)

    def unit():
        return Unit(neurons, rng, u=u, dropout=dropout, dtype=dtype, **options)

    def block():
        if post_activation:
            return Residual(Chain([linear(), unit(), linear(), unit()]))
        return Residual(Chain([unit(), linear(), unit(), linear()]))

    last = dropout if dropout_last is None else dropout_last
    return [linear(inputs), *(block() for _ in range(blocks)),
            Unit(neurons, rng, u=u_last, dropout=last, dtype=dtype, **options)]


class ResidualIndRNN(Chain):
    """x (T, B, inputs)  ->  y (B, outputs).

    neurons, blocks   width, and number of residual blocks
    length, gamma     the range of u, as for `StackedIndRNN`
    readout           initialiser of the last linear map's W, as for `Linear`
    options           post_activation: use the post-activation block
                      W: initialiser of the other linear maps, as for `Linear`
                      for every unit, as for `Unit`: activation, norm, dropout, ...; dropout_last: for the last unit
    """

    def __init__(self, inputs, neurons, blocks, outputs, rng, *, length, gamma=2.0, readout=scaled(), dtype=np.float32,
                 **options):
        expect_count("length", length)
        self.bound = bounds.largest(length, gamma)
        body = residual_layers(inputs, neurons, blocks, rng, u=(0.0, self.bound),
                               u_last=(bounds.smallest(length, 1 / gamma), self.bound), dtype=dtype, **options)
        super().__init__([*body, AtLastStep(Linear(neurons, outputs, rng, W=readout, dtype=dtype))])
